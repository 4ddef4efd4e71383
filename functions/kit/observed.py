"""What Crossplane observed of the composed resources, read lazily."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from crossplane.function.proto.v1 import run_function_pb2 as fnv1

from functions.kit import structs
from functions.kit.structs import Json


class ObservedCondition(NamedTuple):
    """A condition that a provider wrote. Every part is text, whatever the provider sent."""

    status: str
    reason: str
    message: str


class ObservedResource:
    """One observed object. Reads what it is asked for and nothing else.

    Attributes:
        struct: The whole object.
    """

    __slots__ = ("_resource", "struct")

    def __init__(self, resource: fnv1.Resource) -> None:
        self._resource = resource
        self.struct = resource.resource

    def at(self, *path: str) -> Json:
        """Return the plain value under a path of keys, None where there is none."""
        value = structs.value_at(self.struct, path)
        return None if value is None else structs.plain(value)

    def text(self, *path: str) -> str:
        """Return the text under a path of keys, "" where there is none or it is something else."""
        value = structs.value_at(self.struct, path)
        return "" if value is None else value.string_value

    def number(self, *path: str) -> int | None:
        """Return the whole number under a path of keys, None where there is none or it is something else."""
        value = structs.value_at(self.struct, path)
        if value is None or value.WhichOneof("kind") != "number_value" or not value.number_value.is_integer():
            return None
        return int(value.number_value)

    @property
    def kind(self) -> tuple[str, str]:
        """The resource's apiVersion and kind."""
        return self.text("apiVersion"), self.text("kind")

    def label(self, key: str) -> str:
        """Return a label's value, "" where there is none."""
        return self.text("metadata", "labels", key)

    def condition(self, kind: str, *below: str) -> ObservedCondition | None:
        """Find a condition.

        Args:
            kind: Its type, such as "Ready".
            below: Where the object with the status stands; the resource itself unless told.

        Returns:
            The condition, or None where the provider has not written one of that type.
        """
        conditions = structs.value_at(self.struct, (*below, "status", "conditions"))
        if conditions is None:
            return None
        for entry in conditions.list_value.values:
            fields = entry.struct_value.fields
            if "type" in fields and fields["type"].string_value == kind:
                parts = (fields[part].string_value if part in fields else "" for part in ObservedCondition._fields)
                return ObservedCondition(*parts)
        return None

    def is_true(self, kind: str, *below: str) -> bool:
        """Tell whether a condition is True."""
        condition = self.condition(kind, *below)
        return condition is not None and condition.status == "True"

    def failure(self, *below: str) -> str:
        """Return what the provider fails to do, in its own words; "" where it fails at nothing.

        A provider's Ready never goes back to False, so a change that the cloud refuses is told by these alone.
        """
        return self._said(("Synced", "LastAsyncOperation"), below)

    def trouble(self, *below: str) -> str:
        """Return what the provider fails to do, else what it still waits for, in its own words; "" where it says nothing."""
        return self._said(("Synced", "LastAsyncOperation", "Ready"), below)

    def _said(self, kinds: tuple[str, ...], below: tuple[str, ...]) -> str:
        for kind in kinds:
            condition = self.condition(kind, *below)
            if condition is not None and condition.status == "False":
                return condition.message or condition.reason
        return ""

    def connection(self, key: str) -> str:
        """Return a connection detail as text, "" where it is missing or not UTF-8."""
        details = self._resource.connection_details
        try:
            return details[key].decode() if key in details else ""
        except UnicodeDecodeError:
            return ""


class Observed(Mapping[str, ObservedResource]):
    """All observed composed resources by composition resource name."""

    __slots__ = ("_resources",)

    def __init__(self, resources: Mapping[str, fnv1.Resource]) -> None:
        self._resources = {name: ObservedResource(resource) for name, resource in resources.items()}

    def __getitem__(self, name: str) -> ObservedResource:
        return self._resources[name]

    def __contains__(self, name: object) -> bool:
        return name in self._resources

    def __iter__(self) -> Iterator[str]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)
