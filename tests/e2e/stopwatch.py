"""When things happen to claims and to what they are composed of, as a watch shows it."""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.world import clouds, objects, operators, sql
from tests.e2e.world.api import SECRET, Api, Kind, Object

_GROUP: Final = ("platform.gravitek.io", "v1alpha1")
CLAIMS: Final = tuple(Kind(*_GROUP, *names) for names in (("PostgreSQL", "postgresqls"), ("VM", "vms"), ("App", "apps")))
_COMPOSED: Final = (
    *(kind for kind in vars(clouds).values() if isinstance(kind, Kind)),
    *sql.KINDS,
    objects.OBJECT,
    operators.CLUSTER,
    Kind("apps", "v1", "Deployment", "deployments"),
    # These say nothing of being ready, but may be written again and again.
    SECRET,
    operators.EXTERNAL_SECRET,
    operators.INGRESS,
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Kind("protection.crossplane.io", "v1beta1", "Usage", "usages"),
    Kind("", "v1", "Service", "services"),
    Kind("", "v1", "ConfigMap", "configmaps"),
)


@dataclass
class Course:
    """How a claim went; each time in seconds on one clock, 0 where it did not come to that.

    Attributes:
        made: The claim was there.
        composed: The first of its resources was there.
        cloud: The last of its resources got ready.
        ready: The claim was ready.
    """

    made: float = 0
    composed: float = 0
    cloud: float = 0
    ready: float = 0
    _ready_parts: set[str] = field(default_factory=set)

    def part(self, uid: str, now: float, *, ready: bool) -> None:
        """Take note of a composed resource."""
        self.composed = self.composed or now
        if ready and uid not in self._ready_parts:
            self._ready_parts.add(uid)
            if not self.ready:
                self.cloud = now


class Stopwatch:
    """Watches one cluster from a thread of its own, until the process ends.

    Attributes:
        courses: By the namespace and name of the claim.
        writes: When claims and what they are composed of were written, and what it was.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self.courses: dict[tuple[str, str], Course] = defaultdict(Course)
        self.writes: list[tuple[float, str]] = []
        self._versions: dict[str, str] = {}
        threading.Thread(target=lambda: asyncio.run(self._watch(kubeconfig)), daemon=True).start()

    async def _watch(self, kubeconfig: Path) -> None:
        api = Api("platform", kubeconfig)
        claims = (self._watch_kind(api, kind, self._claim) for kind in CLAIMS)
        await asyncio.gather(*claims, *(self._watch_kind(api, kind, self._part) for kind in _COMPOSED))

    async def _watch_kind(self, api: Api, kind: Kind, note: Callable[[Object, float], None]) -> None:
        async for event, found in api.watch(kind):
            if event != "DELETED":
                now = time.monotonic()
                note(found, now)
                self._note_write(found, now)

    def _note_write(self, found: Object, now: float) -> None:
        metadata = found["metadata"]
        ours = found["apiVersion"].startswith(_GROUP[0]) or "crossplane.io/composite" in metadata.get("labels", {})
        if ours and self._versions.get(metadata["uid"]) != metadata["resourceVersion"]:
            self._versions[metadata["uid"]] = metadata["resourceVersion"]
            self.writes.append((now, f"{found['kind']} {metadata.get('namespace')}/{metadata['name']}"))

    def _claim(self, found: Object, now: float) -> None:
        course = self.courses[found["metadata"]["namespace"], found["metadata"]["name"]]
        course.made = course.made or now
        if _is_ready(found):
            course.ready = course.ready or now

    def _part(self, found: Object, now: float) -> None:
        if claim := found["metadata"].get("labels", {}).get("crossplane.io/composite"):
            course = self.courses[found["metadata"].get("namespace", ""), claim]
            course.part(found["metadata"]["uid"], now, ready=_is_ready(found))


def _is_ready(found: Object) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(entry["type"] in {"Ready", "Available"} and entry["status"] == "True" for entry in conditions)
