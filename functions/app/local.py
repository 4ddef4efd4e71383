"""Apps in this very cluster: native objects in the claim's namespace."""

from typing import Final

from functions.app.order import Order, Part
from functions.app.settings import Settings
from functions.kit.composition import Resource
from functions.kit.observed import Observed, ObservedResource

SETTINGS: Final = Settings


def kind_of(kind: tuple[str, str]) -> tuple[str, str]:
    """Return the object's own kind."""
    return kind


def inside(resource: ObservedResource) -> ObservedResource:
    """Return the object itself."""
    return resource


def deliver(_: Order, part: Part, observed: Observed) -> Resource:
    """Compose the object itself."""
    seen = observed.get(part.key)
    if seen is None:
        return Resource(part.key, part.body)
    waits = part.waits(seen)
    return Resource(part.key, part.body, not waits, waits or part.fails(seen))
