"""What Crossplane observed of the composed resources, read lazily."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from crossplane.function.proto.v1 import run_function_pb2 as fnv1
from google.protobuf.struct_pb2 import Struct

from functions.kit import structs
from functions.kit.structs import Json

_NO_DETAILS: Final[Mapping[str, bytes]] = MappingProxyType({})


class ObservedResource:
    """One observed object. Reads what it is asked for and nothing else.

    Attributes:
        struct: The whole object.
    """

    __slots__ = ("_conditions", "_details", "struct")

    def __init__(self, struct: Struct, details: Mapping[str, bytes] = _NO_DETAILS) -> None:
        self.struct = struct
        self._details = details
        self._conditions: dict[str, Any] | None = None

    @property
    def plain(self) -> dict[str, Json]:
        """The whole object as plain data."""
        return structs.plain_struct(self.struct)

    def inside(self, *path: str) -> "ObservedResource":
        """Return the object that stands under a path of keys, an empty one where there is none."""
        value = structs.value_at(self.struct, path)
        return ObservedResource(Struct() if value is None else value.struct_value)

    def objects(self, *path: str) -> "list[ObservedResource]":
        """Return the objects of the list that stands under a path of keys, nothing where there is none."""
        value = structs.value_at(self.struct, path)
        return [] if value is None else [ObservedResource(entry.struct_value) for entry in value.list_value.values]

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

    def is_true(self, kind: str) -> bool:
        """Tell whether a condition is True."""
        return self._of_condition(kind, "status") == "True"

    def message(self, kind: str) -> str:
        """Return what a condition says, else its reason; "" where there is neither."""
        return self._of_condition(kind, "message") or self._of_condition(kind, "reason")

    def failure(self) -> str:
        """Return what the provider fails to do, in its own words; "" where it fails at nothing.

        A provider's Ready never goes back to False, so a change that the cloud refuses is told by these alone.
        """
        return self.said("Synced", "LastAsyncOperation")

    def trouble(self) -> str:
        """Return what the provider fails to do, else what it still waits for, in its own words; "" where it says nothing."""
        return self.said("Synced", "LastAsyncOperation", "Ready")

    def said(self, *kinds: str) -> str:
        """Return the message, else the reason, of the first of some conditions that is False; "" where none is."""
        for kind in kinds:
            if self._of_condition(kind, "status") == "False":
                return self.message(kind)
        return ""

    def _of_condition(self, kind: str, part: str) -> str:
        """Return a part of a condition as text, "" where the provider has not written it."""
        if self._conditions is None:
            found = structs.value_at(self.struct, ("status", "conditions"))
            entries = [entry.struct_value.fields for entry in found.list_value.values] if found is not None else []
            self._conditions = {_text(fields, "type"): fields for fields in reversed(entries)}
        fields = self._conditions.get(kind)
        return "" if fields is None else _text(fields, part)

    def connection(self, key: str) -> str:
        """Return a connection detail as text, "" where it is missing or not UTF-8."""
        try:
            return self._details.get(key, b"").decode()
        except UnicodeDecodeError:
            return ""


def _text(fields: Any, key: str) -> str:  # noqa: ANN401  # protobuf's map, which has no type of its own
    value = fields.get(key)
    return "" if value is None else str(value.string_value)


class Observed(Mapping[str, ObservedResource]):
    """All observed composed resources by composition resource name."""

    __slots__ = ("_resources",)

    def __init__(self, resources: Mapping[str, fnv1.Resource]) -> None:
        self._resources = {
            name: ObservedResource(resource.resource, resource.connection_details) for name, resource in resources.items()
        }

    def __getitem__(self, name: str) -> ObservedResource:
        return self._resources[name]

    def __contains__(self, name: object) -> bool:
        return name in self._resources

    def __iter__(self) -> Iterator[str]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)
