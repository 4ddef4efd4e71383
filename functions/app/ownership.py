"""Objects of this cluster that somebody else made: an App takes over none.

Server-side apply takes over whatever has the name, and Crossplane would delete it with the App.
"""

from collections.abc import Iterable, Iterator

from functions.app.order import DEPLOYMENT, Order, Part
from functions.app.workload import DEPLOYMENT_KIND
from functions.kit.composition import Requirement
from functions.kit.refusal import NAME_TAKEN, Refusal
from functions.kit.request import Request


def requirements(order: Order, parts: Iterable[Part]) -> list[Requirement]:
    """Ask whether the names of objects that are about to be made are free."""
    return [Requirement(f"taken.{key}", *kind, name, order.namespace) for key, kind, name in _new(order, parts)]


def check(order: Order, request: Request, parts: Iterable[Part]) -> None:
    """Refuse to take over what somebody else made.

    Raises:
        Refusal: Naming it.
    """
    for key, (_, kind), name in _new(order, parts):
        if request.taken(f"taken.{key}"):
            what = "the volume" if key.startswith("volume.") else "the App"
            raise Refusal(
                NAME_TAKEN,
                f"{kind} {name} exists already in the namespace {order.namespace} and is not this App's; name {what} otherwise, "
                "or move away what is there",
            )


def _new(order: Order, parts: Iterable[Part]) -> Iterator[tuple[str, tuple[str, str], str]]:
    """Return key, kind and name of what is not there yet; the Deployment too, though it comes last."""
    if DEPLOYMENT not in order.live:
        yield DEPLOYMENT, DEPLOYMENT_KIND, order.name
    for part in parts:
        if part.key not in order.live and part.key != DEPLOYMENT:
            yield part.key, (str(part.body["apiVersion"]), str(part.body["kind"])), part.name
