"""A request, decoded once."""

from collections.abc import Collection
from typing import Final

from crossplane.function.proto.v1 import run_function_pb2 as fnv1
from google.protobuf.struct_pb2 import Struct

from functions.kit import structs
from functions.kit.observed import Observed, ObservedResource
from functions.kit.refusal import SETTINGS_INVALID, SETTINGS_MISSING, Refusal, quote
from functions.kit.settings import ENVIRONMENT, Settings
from functions.kit.structs import Json

# The name of the EnvironmentConfig's requirement in every Composition.
ENVIRONMENT_REQUIREMENT: Final = "environment"


class Request:
    """What Crossplane asks: this claim, with these settings, where this is what already exists.

    Attributes:
        name: The claim's name.
        namespace: The claim's namespace.
        provider: The provider's name: the kind of the Composition step's input in lower case.
        settings: The provider's settings.
        observed: The composed resources as they are.
    """

    __slots__ = ("_claim", "_required", "name", "namespace", "observed", "provider", "settings")

    def __init__(self, request: fnv1.RunFunctionRequest, kind: str) -> None:
        """Decode a request.

        Args:
            request: As Crossplane sent it.
            kind: The function's kind of claim in lower case; settings of `<kind>.<provider>` are overlaid.
        """
        self._claim = ObservedResource(request.observed.composite.resource)
        self._required = request.required_resources
        self.name = self._claim.text("metadata", "name")
        self.namespace = self._claim.text("metadata", "namespace")
        self.provider = self._input_kind(request.input)
        self.observed = Observed(request.observed.resources)
        environment = self.required(ENVIRONMENT_REQUIREMENT)
        self.settings = Settings(request.input, environment.struct if environment else None, kind, self.provider)

    @property
    def spec(self) -> dict[str, Json]:
        """The claim's spec as plain data, without `crossplane`, which is Crossplane's own."""
        fields = self._claim.inside("spec").struct.fields
        return {key: structs.plain(value) for key, value in fields.items() if key != "crossplane"}

    @property
    def kind(self) -> tuple[str, str]:
        """The claim's apiVersion and kind."""
        return self._claim.kind

    @property
    def generation(self) -> int:
        """The claim's metadata.generation, 0 where it has none yet."""
        return self._claim.number("metadata", "generation") or 0

    def label(self, key: str) -> str:
        """Return a label of the claim, "" where it has none."""
        return self._claim.label(key)

    def status(self, *path: str) -> str:
        """Return a text of the claim's status as an earlier pass left it, "" where there is none."""
        return self._claim.text("status", *path)

    def status_number(self, *path: str) -> int:
        """Return a whole number of the claim's status as an earlier pass left it, 0 where there is none."""
        return self._claim.number("status", *path) or 0

    def required(self, name: str) -> ObservedResource | None:
        """Return an object that was asked for with a Requirement, None where it was not given or does not exist."""
        if name not in self._required:
            return None
        items = self._required[name].items
        return ObservedResource(items[0].resource) if items else None

    def taken(self, name: str) -> bool:
        """Tell whether an object that was asked for with a Requirement exists and is not this very claim's."""
        found = self.required(name)
        if found is None:
            return False
        owners = [owner.text("uid") for owner in found.objects("metadata", "ownerReferences")]
        return self._claim.text("metadata", "uid") not in owners

    @staticmethod
    def _input_kind(step_input: Struct) -> str:
        kind = structs.value_at(step_input, ("kind",))
        return "" if kind is None else kind.string_value.lower()


def check_provider(request: Request, providers: Collection[str]) -> None:
    """Check that the Composition and the settings speak of providers that this function has.

    Raises:
        Refusal: Where they do not, or where settings are gone that shaped the claim in an earlier pass.
    """
    if request.provider not in providers:
        raise Refusal(
            SETTINGS_INVALID,
            f"the Composition step's input has the kind {quote(request.provider)}; one of {', '.join(providers)} "
            "(in any case) is known; the platform team must correct the Composition",
        )
    request.settings.check_keys(providers)
    if request.status("settings") == ENVIRONMENT and request.settings.origin != ENVIRONMENT:
        # Falling back to other sizes and addresses would change a live claim because something is missing.
        raise Refusal(
            SETTINGS_MISSING,
            f"data[{request.settings.overlay_key}] of the EnvironmentConfig {ENVIRONMENT} shaped this claim and is gone; the "
            "platform team must put it back (an empty object there returns every claim to the Composition's settings)",
        )
