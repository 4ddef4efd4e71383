"""What runs before a new image takes traffic: a Job named by image and command, so that each runs once."""

import hashlib
import json
from typing import NamedTuple

from functions.app import pod
from functions.app.database import Binding
from functions.app.order import Order, Part
from functions.kit import names
from functions.kit.manifests import manifest
from functions.kit.observed import ObservedResource

# After so many failures of its pod the migration has failed.
_RETRIES = 2


class Migration(NamedTuple):
    """A migration, as far as it has come.

    Attributes:
        part: The Job.
        name: Its metadata.name.
        waits: Why the image takes no traffic yet, "" where it may.
        failed: What it failed with, "" where it did not.
    """

    part: Part
    name: str
    waits: str
    failed: str


def of(order: Order, bound: list[Binding], *, may_begin: bool) -> Migration | None:
    """Compose the migration of the claim's image.

    Args:
        order: The order.
        bound: The databases.
        may_begin: Whether what it needs is there.

    Returns:
        The migration, None where the claim has none, or where it has not begun and may not.
    """
    migrate = order.claim.migrate
    key = _key(order, migrate.command if migrate else None)
    name = names.join(order.name, *key.split("."))
    seen = order.live.get(key)
    if migrate is None or (seen is None and not may_begin):
        return None
    # A Job's pods cannot change: it stays as it was made, whatever else of the claim or the settings does.
    template = pod.as_made(seen) or _template(order, bound, migrate.command)
    failed = seen.message("Failed") or "its pods fail" if seen and seen.is_true("Failed") else ""
    return Migration(_job(order, key, name, template), name, _waits(name, seen), failed)


def running(order: Order) -> list[Migration]:
    """Compose migrations of images before that run right now: never do two change a database at the same time.

    One that has no pod at work may go: its image may not even exist.
    """
    found = []
    for key, seen in sorted(order.live.items()):
        migrate = order.claim.migrate
        if key.startswith("migrate.") and key != _key(order, migrate.command if migrate else None) and _at_work(seen):
            name = seen.text("metadata", "name")
            told = f"the migration of {pod.image(seen)} still runs (Job {name}), and the next begins when it has ended"
            found.append(Migration(_job(order, key, name, pod.as_made(seen)), name, told, ""))
    return found


def _key(order: Order, command: tuple[str, ...] | None) -> str:
    digest = hashlib.sha256(json.dumps([order.claim.image, command]).encode()).hexdigest()[:8]
    return f"migrate.{digest}"


def _job(order: Order, key: str, name: str, template: object) -> Part:
    body = manifest(("batch/v1", "Job"), name, order.labels, {"backoffLimit": _RETRIES, "template": template})
    # Or who deletes it without a word about its pods, as provider-kubernetes does, would leave them running.
    body["metadata"] = {"name": name, "labels": order.labels, "finalizers": ["foregroundDeletion"]}
    return Part(key, body, _running)


def _at_work(seen: ObservedResource) -> bool:
    ended = seen.is_true("Complete") or seen.is_true("Failed")
    return not ended and (seen.number("status", "ready") or 0) > 0


def _waits(name: str, seen: ObservedResource | None) -> str:
    if seen is not None and seen.is_true("Complete"):
        return ""
    if seen is not None and seen.number("status", "active") and not seen.number("status", "ready"):
        return f"the migration's pod has not started (Job {name}); if that lasts, see kubectl describe pods -l job-name={name}"
    return f"the migration runs (Job {name})"


def _template(order: Order, bound: list[Binding], command: tuple[str, ...]) -> dict[str, object]:
    made = pod.template(order, bound, "migration", {"command": command}, {"restartPolicy": "Never"})
    # Karpenter must not move it to another node halfway.
    made["metadata"] = {"labels": pod.labels(order, "migration"), "annotations": {"karpenter.sh/do-not-disrupt": "true"}}
    return made


def _running(seen: ObservedResource) -> str:
    if seen.is_true("Complete"):
        return ""
    return seen.message("Failed") if seen.is_true("Failed") else "it runs"
