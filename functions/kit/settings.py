"""Settings of a provider: a Composition step's input, overlaid by the cluster's EnvironmentConfig."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Annotated, Final, Generic, TypeVar

from google.protobuf.struct_pb2 import Struct, Value
from pydantic import Field

from functions.kit import models, structs
from functions.kit.models import Model, Text, shape
from functions.kit.refusal import SETTINGS_INVALID, SETTINGS_MISSING, Refusal, quote
from functions.kit.structs import Json

ENVIRONMENT: Final = "gravitek-platform"

# Goes into names that are unique in a cloud's whole account.
ControlPlane = Annotated[
    str, shape(r"([a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?)?", "at most 20 lower-case letters, digits and, inside, -")
]

# A Public Cloud project's id; each OVH resource needs it.
OVHProject = Annotated[str, shape(r"[0-9a-f]{32}", "a project's id: 32 hexadecimal digits")]

S = TypeVar("S", bound=Model)
SizeT = TypeVar("SizeT", bound=Model)


class CommonSettings(Model, Generic[SizeT]):
    """What the clouds have in common, whatever the claim.

    Attributes:
        sizes: A T-shirt size to what the cloud sells under it.
        regions: The cloud's own spelling; the first is the default.
        allow_wide_cidrs: Lets networks wider than a /8 through, 0.0.0.0/0 too.
        provider_config: Name of the cloud's ClusterProviderConfig.
    """

    sizes: Mapping[str, SizeT]
    regions: Annotated[tuple[Text, ...], Field(min_length=1)]
    allow_wide_cidrs: bool = False
    provider_config: Text = "default"


class Settings:
    """The settings of one request, not yet read.

    Attributes:
        overlay_key: The key of the EnvironmentConfig's `data` that belongs to this kind and provider, such as `postgresql.ovh`.
        origin: "composition", or the name of the EnvironmentConfig that was overlaid.
    """

    __slots__ = ("_data", "_input", "_kind", "_overlay", "origin", "overlay_key")

    def __init__(self, step_input: Struct, environment: Struct | None, kind: str, provider: str) -> None:
        self._input = step_input
        self._kind = kind
        self.overlay_key = f"{kind}.{provider}"
        self._data = None if environment is None else structs.value_at(environment, ("data",))
        self._overlay = None if environment is None else structs.value_at(environment, ("data", self.overlay_key))
        self.origin = "composition" if self._overlay is None else ENVIRONMENT

    def check_keys(self, providers: Collection[str]) -> None:
        """Check that the EnvironmentConfig misspells no provider of this kind.

        Raises:
            Refusal: Naming the key.
        """
        kind = f"{self._kind}."
        keys = [] if self._data is None else [key for key in self._data.struct_value.fields if key.startswith(kind)]
        if unknown := [key for key in keys if key.removeprefix(kind) not in providers]:
            raise Refusal(
                SETTINGS_INVALID,
                f"data of the EnvironmentConfig {ENVIRONMENT} has the key {quote(min(unknown))}; known are "
                f"{', '.join(sorted(kind + provider for provider in providers))}; the platform team must correct it",
            )

    def read(self, model: type[S]) -> S:
        """Read the settings; the same bytes are parsed only once.

        Raises:
            Refusal: Naming the key that is wrong and where to set it.
        """
        overlay = b"" if self._overlay is None else self._overlay.SerializeToString(deterministic=True)
        settings: S = _read(model, self._input.SerializeToString(deterministic=True), overlay, self.overlay_key)
        return settings

    def missing(self, key: str, what: str) -> Refusal:
        """Return the refusal of a claim that needs a value which only the owner of the cluster knows.

        Args:
            key: The setting's name.
            what: What it is and how to find it.
        """
        return Refusal(
            SETTINGS_MISSING,
            f"the settings have no {key} ({what}); the platform team must set data[{self.overlay_key}].{key} "
            f"in the EnvironmentConfig {ENVIRONMENT}",
        )


def ovh_project(settings: Settings, given: str | None) -> str:
    """Return the Public Cloud project's id.

    Raises:
        Refusal: Where the settings have none.
    """
    if given is None:
        what = "the Public Cloud project's id, 32 hexadecimal digits; `ovhcloud cloud project list` shows it"
        raise settings.missing("project", what)
    return given


@lru_cache(maxsize=64)
def _read(model: type[S], step_input: bytes, overlay: bytes, key: str) -> S:
    settings = structs.plain_struct(Struct.FromString(step_input))
    settings.pop("apiVersion", None)
    settings.pop("kind", None)
    path = "the Composition's input"
    if overlay:
        over = structs.plain(Value.FromString(overlay))
        path = f"the settings (the Composition's input and data[{key}] of the EnvironmentConfig {ENVIRONMENT})"
        if not isinstance(over, dict):
            raise Refusal(
                SETTINGS_INVALID,
                f"data[{key}] of the EnvironmentConfig {ENVIRONMENT} must be an object; write settings under it",
            )
        settings = _merged(settings, over)
    return models.read(model, settings, path=path, reason=SETTINGS_INVALID, remedy="the platform team must correct it")


def _merged(base: Mapping[str, Json], over: Mapping[str, Json]) -> dict[str, Json]:
    """Overlay objects key by key; anything else, lists too, is replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
