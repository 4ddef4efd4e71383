"""A controller: looks at every object of a kind, one at a time each, again after a change or a failure."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from lightkube import ApiError

from tests.e2e.world.api import Api, Kind, Object

# Returns in how many seconds it wants to see the object again, None for not before it changes.
Reconcile = Callable[[Object], Awaitable[float | None]]

_LOG: Final = logging.getLogger(__name__)
_RETRY: Final = 1.0

Key = tuple[str, str]


class Controller:
    """Looks after the objects of a kind.

    Attributes:
        seen: Every object, as it was seen last, by namespace and name.
    """

    def __init__(self, api: Api, kind: Kind, reconcile: Reconcile) -> None:
        self.seen: dict[Key, Object] = {}
        self._api, self._kind, self._reconcile = api, kind, reconcile
        self._waiting: dict[Key, asyncio.Event] = {}

    async def run(self) -> None:
        """Look after them for ever."""
        async with asyncio.TaskGroup() as tasks:
            async for event, found in self._api.watch(self._kind):
                key = (found["metadata"].get("namespace", ""), found["metadata"]["name"])
                if event == "DELETED":
                    self.seen.pop(key, None)
                    self.again(key)
                    continue
                self.seen[key] = found
                if key in self._waiting:
                    self.again(key)
                else:
                    self._waiting[key] = asyncio.Event()
                    tasks.create_task(self._look_after(key))

    def again(self, key: Key) -> None:
        """Look at an object again soon."""
        if key in self._waiting:
            self._waiting[key].set()

    async def _look_after(self, key: Key) -> None:
        changed = self._waiting[key]
        while (found := self.seen.get(key)) is not None:
            changed.clear()
            try:
                pause = await self._reconcile(found)
            except ApiError as error:  # a conflict, or a right that is missing: the log says which
                _LOG.warning("%s %s: %s", self._kind.kind, "/".join(key), error)
                pause = _RETRY
            except Exception:  # noqa: BLE001  # as a controller's runtime does; the tests look for it in the log
                _LOG.exception("%s %s", self._kind.kind, "/".join(key))
                pause = _RETRY
            try:
                await asyncio.wait_for(changed.wait(), pause)
            except TimeoutError:
                continue
        del self._waiting[key]
