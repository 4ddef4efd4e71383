"""A provider made with upjet (Exoscale's, OVH's, Scaleway's), and the cloud behind it, as upjet v2 reconciles."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.e2e.world.api import Api, Kind, Object, conditions, set_finalizer, set_status
from tests.e2e.world.weather import Weather

EXTERNAL_NAME: Final = "crossplane.io/external-name"

_FINALIZER: Final = "finalizer.managedresource.crossplane.io"
_UNRESOLVED: Final = 0.5
_ASYNC: Final = 1.0
_POLL: Final = 1.0


@dataclass
class Thing:
    """Something in a cloud.

    Attributes:
        kind: Of it.
        id: As the provider tells it.
        namespace: Of its managed resource.
        parameters: As it was made and changed, with references resolved.
        facts: What its answer may want to remember.
    """

    kind: Kind
    id: str
    namespace: str
    parameters: Object
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Managed:
    """A kind of managed resources.

    Attributes:
        kind: The kind.
        answer: Returns what its status.atProvider says beside the parameters and the id. May wait.
        immutable: Parameters that the provider refuses to change.
        defaults: Returns what the cloud chooses where parameters say nothing; the provider writes it into the spec.
        refuses: Returns what the cloud says to parameters, "" where it takes them; is given those of before, empty at first, too.
        references: The kinds that fields ending in Ref or Refs name, by the field they resolve to.
        zoned: The parameter whose value stands before the id, "" for a plain one.
        named: Whether the external name is given, not made.
        poll: After how many seconds it is observed again though nothing changed, None for never.
        guard: The parameter that keeps it from being deleted while true.
        holds: Whether it keeps what it names from being deleted.
        secret: Returns its connection Secret's values.
        gone: Is called when it was deleted.
    """

    kind: Kind
    answer: Callable[[Thing], Awaitable[Object]]
    immutable: tuple[str, ...] = ()
    defaults: Callable[[Object], Object] = lambda _: {}
    refuses: Callable[[Object, Object], str] = lambda _, __: ""
    references: Mapping[str, Kind] = field(default_factory=dict)
    zoned: str = ""
    named: bool = False
    poll: float | None = None
    guard: str = ""
    holds: bool = False
    secret: Callable[[Thing], Mapping[str, str]] = lambda _: {}
    gone: Callable[[Thing], Awaitable[None]] | None = None


class Cloud:
    """All things of all clouds.

    Attributes:
        things: By kind and id; changed by add and remove only.
        folder: Where a file NAMESPACE/KIND:ID stands for each of them, for the tests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.things: dict[tuple[Kind, str], Thing] = {}

    def add(self, thing: Thing) -> None:
        """Make something."""
        self.things[thing.kind, thing.id] = thing
        path = self._file(thing)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def remove(self, thing: Thing) -> None:
        """Delete something, which may be gone."""
        self.things.pop((thing.kind, thing.id), None)
        self._file(thing).unlink(missing_ok=True)

    def _file(self, thing: Thing) -> Path:
        return self.folder / thing.namespace / f"{thing.kind.kind}:{thing.id.replace('/', '_')}"

    def naming(self, kind: Kind, wanted: str) -> list[str]:
        """Return the ids of the things of a kind that name an id."""
        return [thing.id for thing in self.things.values() if thing.kind == kind and _names(thing.parameters, wanted)]

    def holder(self, thing: Thing, holding: set[Kind]) -> Thing | None:
        """Find what keeps a thing from being deleted."""
        return next(
            (other for other in self.things.values() if other.kind in holding and _names(other.parameters, thing.id)), None
        )


def _names(value: object, wanted: str) -> bool:
    if isinstance(value, dict):
        return any(_names(part, wanted) for part in value.values())
    if isinstance(value, list):
        return any(_names(part, wanted) for part in value)
    return value == wanted


class Provider:
    """Looks after one kind of managed resources."""

    def __init__(self, api: Api, cloud: Cloud, weather: Weather, managed: Managed, holding: set[Kind]) -> None:
        self._api, self._cloud, self._weather, self._managed, self._holding = api, cloud, weather, managed, holding
        self._made: dict[str, str] = {}  # by uid: an object may be seen once more without the name that it has by now

    async def reconcile(self, seen: Object) -> float | None:
        """Do what the provider does."""
        kind, metadata = self._managed.kind, seen["metadata"]
        name = metadata.get("annotations", {}).get(EXTERNAL_NAME) or self._made.get(metadata["uid"], "")
        thing = self._cloud.things.get((kind, name))
        if "deletionTimestamp" in metadata:
            return await self._delete(seen, thing)
        await set_finalizer(self._api, kind, seen, _FINALIZER, wanted=True)
        parameters, missing = await self._resolved(seen)
        if missing:
            return await self._say(
                seen,
                f"cannot resolve references: {missing}: referenced field was empty (referenced resource may not yet be ready)",
            )
        parameters = self._managed.defaults(parameters) | parameters
        before = thing.parameters if thing else {}
        if before != parameters:
            doing = "update" if thing else "create"
            told = self._weather.failure(metadata["namespace"], kind.kind) or self._managed.refuses(before, parameters)
            if told:
                said = f"async {doing} failed: failed to {doing} the resource: [{{0 {told}  []}}]"
                return await self._say(seen, said, asynchronous=True)
        if thing is None:
            return await self._create(seen, name, parameters)
        changed = [key for key in self._managed.immutable if thing.parameters.get(key) != parameters.get(key)]
        if changed:
            return await self._say(
                seen,
                "async update failed: refuse to update the external resource because the following update requires replacing "
                f"it: cannot change the value of the argument {', '.join(changed)}",
                asynchronous=True,
            )
        if before != parameters:
            await asyncio.sleep(self._weather.latency(metadata["namespace"]))
            thing.parameters = parameters
        return await self._observe(seen, thing)

    async def _create(self, seen: Object, name: str, parameters: Object) -> float | None:
        managed, metadata = self._managed, seen["metadata"]
        making = conditions(seen, Ready=(False, "Creating", ""), Synced=(True, "ReconcileSuccess", ""))
        await set_status(self._api, managed.kind, seen, {"conditions": making})
        await asyncio.sleep(self._weather.latency(metadata["namespace"]))
        if not managed.named:
            made = str(uuid.uuid4())
            name = f"{parameters[managed.zoned]}/{made}" if managed.zoned else made
            self._made[metadata["uid"]] = name
            if not await self._api.merge(managed.kind, seen, {"metadata": {"annotations": {EXTERNAL_NAME: name}}}):
                return None
        self._cloud.add(Thing(managed.kind, name, metadata["namespace"], parameters))
        given = seen["spec"].get("forProvider", {})
        if late := {key: parameters[key] for key in managed.defaults(parameters) if key not in given}:
            await self._api.merge(managed.kind, seen, {"spec": {"forProvider": late}})
        return 0 if managed.named else None

    async def _observe(self, seen: Object, thing: Thing) -> float | None:
        told = {key: value for key, value in thing.parameters.items() if not key.endswith("SecretRef")}
        answer = told | {"id": thing.id} | await self._managed.answer(thing)
        well = conditions(
            seen, Ready=(True, "Available", ""), Synced=(True, "ReconcileSuccess", ""), LastAsyncOperation=(True, "Success", "")
        )
        target = seen["spec"].get("writeConnectionSecretToRef")
        if target and seen.get("status", {}).get("atProvider") != answer:
            values = self._managed.secret(thing)
            await self._api.write_secret(seen, thing.namespace, target["name"], values, "connection.crossplane.io/v1alpha1")
        await set_status(self._api, self._managed.kind, seen, {"atProvider": answer, "conditions": well})
        return _POLL if self._weather.state(thing.namespace) else self._managed.poll

    async def _delete(self, seen: Object, thing: Thing | None) -> float | None:
        managed, policies = self._managed, seen["spec"].get("managementPolicies", ["*"])
        if thing is not None and ("*" in policies or "Delete" in policies):
            if managed.guard and thing.parameters.get(managed.guard):
                return await self._say(seen, f"async delete failed: {managed.guard} is set", asynchronous=True)
            if holder := self._cloud.holder(thing, self._holding):
                return await self._say(seen, f"async delete failed: {thing.id} is in use by {holder.id}", asynchronous=True)
            await asyncio.sleep(self._weather.latency(thing.namespace))
            if managed.gone:  # a server takes its users, databases and rules with it
                await managed.gone(thing)
                for other in [other for other in self._cloud.things.values() if _names(other.parameters, thing.id)]:
                    self._cloud.remove(other)
            self._cloud.remove(thing)
        await set_finalizer(self._api, managed.kind, seen, _FINALIZER, wanted=False)
        return None

    async def _say(self, seen: Object, problem: str, *, asynchronous: bool = False) -> float:
        """Report a problem, and come back later."""
        if asynchronous:
            said = {"LastAsyncOperation": (False, "AsyncCreateFailure", problem), "Synced": (False, "ReconcileError", problem)}
        else:
            said = {"Synced": (False, "ReconcileError", problem)}
        await set_status(self._api, self._managed.kind, seen, {"conditions": conditions(seen, **said)})
        return _ASYNC if asynchronous else _UNRESOLVED

    async def _resolved(self, seen: Object) -> tuple[Object, str]:
        """Return the parameters with what references name, and the first reference that names nothing yet."""
        given, resolved = seen["spec"].get("forProvider", {}), {}
        for key, target in self._managed.references.items():
            one, many = given.get(f"{key}Ref"), given.get(f"{key}Refs", [])
            ids = []
            for reference in [one] if one else many:
                other = await self._api.get(target, reference["name"], seen["metadata"]["namespace"])
                found = (other or {}).get("metadata", {}).get("annotations", {}).get(EXTERNAL_NAME, "")
                if not found or (target, found) not in self._cloud.things:
                    return {}, f"spec.forProvider.{key}"
                ids.append(found)
            if one or many:
                resolved[key] = ids[0] if one else ids
        if change := {key: value for key, value in resolved.items() if given.get(key) != value}:
            await self._api.merge(self._managed.kind, seen, {"spec": {"forProvider": change}})
        references = {f"{key}{end}" for key in self._managed.references for end in ("Ref", "Refs")}
        return {key: value for key, value in given.items() if key not in references} | resolved, ""
