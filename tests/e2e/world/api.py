"""Reading and writing one cluster's objects, as plain dicts."""

import asyncio
import base64
import functools
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from httpx2 import HTTPError
from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.core.resource_registry import resource_registry
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.types import PatchType

Object = dict[str, Any]

WORLD: Final = "world"


@dataclass(frozen=True)
class Kind:
    """A kind of objects, as an API server names it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def resource(self) -> Any:
        """What lightkube knows it by: made at run time, so no type checker knows it."""
        return _resource(self)

    @property
    def status(self) -> Any:
        """Its status subresource."""
        return self.resource.Status


@functools.cache
def _resource(kind: Kind) -> Any:
    """Make what lightkube knows a kind by: all kinds are plain data here, those of Kubernetes too, which it has classes for."""
    resource_registry.clear()
    create = create_namespaced_resource if kind.namespaced else create_global_resource
    return create(kind.group, kind.version, kind.kind, kind.plural)


SECRET: Final = Kind("", "v1", "Secret", "secrets")


class Api:
    """One cluster, as one user.

    Attributes:
        cluster: Its name.
    """

    def __init__(self, cluster: str, kubeconfig: Path) -> None:
        self.cluster = cluster
        self._client = AsyncClient(KubeConfig.from_file(kubeconfig), field_manager=WORLD, trust_env=False)

    async def watch(self, kind: Kind) -> AsyncIterator[tuple[str, Object]]:
        """Yield every object of a kind, and every change of one, for ever: the type of the event, and the object."""
        everywhere = "*" if kind.namespaced else None
        while True:
            try:
                async for event, found in self._client.watch(kind.resource, namespace=everywhere):
                    yield event, found
            except (ApiError, HTTPError):  # not known yet, too old, or the server is not there
                await asyncio.sleep(0.5)

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, None if there is none."""
        try:
            found: Object = await self._client.get(kind.resource, name, namespace=namespace)
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise
        return found

    async def merge(self, kind: Kind, seen: Object, change: Object, *, status: bool = False) -> bool:
        """Merge a change into an object, or into its status; return False if it is gone."""
        metadata = seen["metadata"]
        try:
            await self._client.patch(
                kind.status if status else kind.resource,
                metadata["name"],
                change,
                namespace=metadata.get("namespace"),
                patch_type=PatchType.MERGE,
            )
        except ApiError as error:
            if error.status.code == 404:
                return False
            raise
        return True

    async def apply(self, kind: Kind, wanted: Object, manager: str = WORLD) -> Object:
        """Apply an object on the server's side."""
        metadata = wanted["metadata"]
        applied: Object = await self._client.apply(
            kind.resource(wanted), metadata["name"], namespace=metadata.get("namespace"), field_manager=manager, force=True
        )
        return applied

    async def delete(self, kind: Kind, name: str, namespace: str | None = None) -> None:
        """Delete an object, if it is there. Nothing is said of what it owns, as provider-kubernetes says nothing of it."""
        try:
            await self._client.delete(kind.resource, name, namespace=namespace)
        except ApiError as error:
            if error.status.code != 404:
                raise

    async def secret(self, namespace: str, name: str) -> dict[str, str] | None:
        """Return a Secret's values, None if there is none."""
        found = await self.get(SECRET, name, namespace)
        return None if found is None else {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}

    async def write_secret(
        self, owner: Object | None, namespace: str, name: str, values: Mapping[str, str], kind: str = ""
    ) -> None:
        """Write a Secret.

        Args:
            owner: Whose it is, None for nobody's.
            namespace: Of the Secret.
            name: Of the Secret.
            values: Of the Secret.
            kind: Its type, where it has one.
        """
        metadata: Object = {"name": name, "namespace": namespace}
        if owner is not None:
            names = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
            metadata["ownerReferences"] = [{"apiVersion": owner["apiVersion"], "kind": owner["kind"], "controller": True} | names]
        wanted: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
        wanted["data"] = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        await self.apply(SECRET, wanted | ({"type": kind} if kind else {}))


def conditions(seen: Object, **wanted: tuple[bool, str, str]) -> list[Object]:
    """Return an object's conditions with some set.

    Args:
        seen: The object.
        **wanted: By type: whether it holds, the reason and a message.
    """
    before = {condition["type"]: condition for condition in seen.get("status", {}).get("conditions", [])}
    for name, (holds, reason, message) in wanted.items():
        condition = {"type": name, "status": str(holds), "reason": reason} | ({"message": message} if message else {})
        old = before.get(name, {})
        same = {key: value for key, value in old.items() if key not in {"lastTransitionTime", "observedGeneration"}} == condition
        when = old["lastTransitionTime"] if same else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        before[name] = condition | {"lastTransitionTime": when}
    return list(before.values())


async def set_status(api: Api, kind: Kind, seen: Object, status: Object) -> None:
    """Write what differs from an object's status."""
    old = seen.get("status", {})
    if change := {key: value for key, value in status.items() if old.get(key) != value}:
        await api.merge(kind, seen, {"status": change}, status=True)


async def set_finalizer(api: Api, kind: Kind, seen: Object, finalizer: str, *, wanted: bool) -> None:
    """Add a finalizer to an object, or take it away."""
    there = seen["metadata"].get("finalizers", [])
    if wanted != (finalizer in there):
        change = [*there, finalizer] if wanted else [name for name in there if name != finalizer]
        await api.merge(kind, seen, {"metadata": {"finalizers": change}})
        seen["metadata"]["finalizers"] = change
