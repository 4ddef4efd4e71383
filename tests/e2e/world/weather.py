"""What a test, or whoever tries by hand, tells the world to do: annotations of a namespace, for everything in it.

world/latency: "5"        the seconds that a cloud takes to make or change something
world/state: "stopped"    what clouds say of machines, in their own words
world/KIND: "message"     making or changing one of KIND fails with this message
world/postgres: shared    all databases stand on one server, which costs less
"""

from typing import Final

from tests.e2e.world.api import Api, Kind, Object
from tests.e2e.world.controller import Controller

NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", namespaced=False)

_LATENCY: Final = 0.2


class Weather:
    """What is asked for in each namespace."""

    def __init__(self, api: Api) -> None:
        self.controller = Controller(api, NAMESPACE, self._look)

    def latency(self, namespace: str) -> float:
        """Return the seconds that making or changing something takes."""
        return float(self._told(namespace, "latency") or _LATENCY)

    def state(self, namespace: str) -> str:
        """Return the state that clouds report of machines, "" where these run well and nobody means to change that."""
        return self._told(namespace, "state")

    def failure(self, namespace: str, kind: str) -> str:
        """Return the message with which a kind fails, "" where it does not."""
        return self._told(namespace, kind)

    def shared(self, namespace: str) -> bool:
        """Tell whether databases share a server."""
        return self._told(namespace, "postgres") == "shared"

    def _told(self, namespace: str, what: str) -> str:
        found = self.controller.seen.get(("", namespace), {})
        told: str = found.get("metadata", {}).get("annotations", {}).get(f"world/{what}", "")
        return told

    @staticmethod
    async def _look(_: Object) -> None:
        """Nothing is done to a namespace."""
