"""What a function answers with: plain data, no protobuf."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from functions.kit.conditions import Condition
from functions.kit.structs import Json


class Resource(NamedTuple):
    """A composed resource.

    Attributes:
        name: The composition resource name: stable for ever, or Crossplane deletes the old one and makes a new one.
        body: The manifest, without a namespace (Crossplane sets the claim's).
        ready: Whether it has arrived; decided by us from what was observed, never by a later step.
        trouble: What keeps it from arriving or from changing, in the provider's words; "" where nobody says.
    """

    name: str
    body: Mapping[str, object]
    ready: bool = False
    trouble: str = ""

    @property
    def title(self) -> str:
        """Kind and name, as `kubectl describe` takes them."""
        metadata = self.body["metadata"]
        name = metadata["name"] if isinstance(metadata, Mapping) else self.name
        return f"{self.body['kind']} {name}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """An object of the claim's namespace that the function asks Crossplane for.

    Attributes:
        name: The key under which it comes back.
        api_version: Of the wanted object.
        kind: Of the wanted object.
        object_name: Its metadata.name.
        namespace: The claim's.
    """

    name: str
    api_version: str
    kind: str
    object_name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Composition:
    """The whole answer to one request.

    Attributes:
        resources: Every resource that must exist; what is missing here and was composed before is deleted.
        status: Fields of the claim's status, without conditions.
        conditions: Conditions of the claim.
        requirements: What the function needs to see and may not have been given yet.
        warnings: Sentences for the claim's events.
        ready: Whether the claim as a whole is.
    """

    resources: Sequence[Resource]
    status: Mapping[str, Json]
    conditions: Sequence[Condition]
    requirements: Sequence[Requirement] = ()
    warnings: Sequence[str] = field(default=())
    ready: bool = False
