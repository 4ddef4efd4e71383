"""How far composed resources have come, and how a claim's condition Provisioned tells it."""

from collections.abc import Iterable, Mapping

from functions.kit import conditions
from functions.kit.composition import Resource
from functions.kit.conditions import Condition
from functions.kit.observed import ObservedResource


def judged(name: str, body: Mapping[str, object], seen: ObservedResource | None, *, ready: bool | None = None) -> Resource:
    """Build a resource whose arrival is judged from what was observed of it.

    Args:
        name: The composition resource name.
        body: The manifest.
        seen: The resource as observed, None where it does not exist yet.
        ready: Whether it has arrived, where its condition Ready does not tell.
    """
    if seen is None:
        return Resource(name, body)
    arrived = seen.is_true("Ready") if ready is None else ready
    return Resource(name, body, arrived, seen.failure() if arrived else seen.trouble())


def provisioned(resources: Iterable[Resource], waiting: str = "") -> Condition:
    """Return the condition Provisioned.

    Args:
        resources: What is composed, the most needed first.
        waiting: What else is waited for once all of these have arrived, "" where nothing is.
    """
    late = next((resource for resource in resources if not resource.ready), None)
    if late is not None:
        message = f"waiting for {late.title}: {late.trouble}" if late.trouble else f"waiting for {late.title}"
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.CREATING, message=message)
    if waiting:
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.WAITING, message=waiting)
    failing = next((resource for resource in resources if resource.trouble), None)
    if failing is not None:
        message = f"a change of {failing.title} does not succeed: {failing.trouble}"
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.FAILING, message=message)
    return Condition(conditions.PROVISIONED, status=True, reason=conditions.AVAILABLE)
