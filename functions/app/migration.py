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
        done: Whether the new image may take traffic.
        failed: What it failed with, "" where it did not.
    """

    part: Part
    name: str
    done: bool
    failed: str

    @property
    def waits(self) -> str:
        """Why the new image takes no traffic yet, "" where it may."""
        return "" if self.done else f"the migration runs (Job {self.name})"


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
    digest = hashlib.sha256(json.dumps([order.claim.image, migrate.command if migrate else None]).encode()).hexdigest()[:8]
    key, name = f"migrate.{digest}", names.join(order.name, "migrate", digest)
    seen = order.live.get(key)
    if migrate is None or (seen is None and not may_begin):
        return None
    # A Job's pods cannot change: it stays as it was made, whatever else of the claim or the settings does.
    template = pod.as_made(seen) or _template(order, bound, migrate.command)
    body = manifest(("batch/v1", "Job"), name, order.labels, {"backoffLimit": _RETRIES, "template": template})
    done = seen is not None and seen.is_true("Complete")
    failed = seen.message("Failed") or "its pods fail" if seen and seen.is_true("Failed") else ""
    return Migration(Part(key, body, _running), name, done, failed)


def _template(order: Order, bound: list[Binding], command: tuple[str, ...]) -> dict[str, object]:
    return pod.template(order, bound, "migration", {"command": command}, {"restartPolicy": "Never"})


def _running(seen: ObservedResource) -> str:
    if seen.is_true("Complete"):
        return ""
    return seen.message("Failed") if seen.is_true("Failed") else "it runs"
