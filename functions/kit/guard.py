"""Guards of what is live: Crossplane deletes every composed resource that an answer leaves out."""

from collections.abc import Iterable
from typing import Final

from functions.kit.composition import Resource
from functions.kit.observed import Observed, ObservedResource
from functions.kit.refusal import PROVIDER_SWITCH, WOULD_REMOVE, Refusal, quote

# On every resource of ours; resources of other steps of a pipeline are left alone.
PROVIDER_LABEL: Final = "platform.gravitek.io/provider"


def labels(application: str, claim: str, provider: str) -> dict[str, str]:
    """Return the labels of every resource that is composed for a claim."""
    return {
        "app.kubernetes.io/name": application,
        "app.kubernetes.io/instance": claim,
        "app.kubernetes.io/managed-by": "gravitek",
        PROVIDER_LABEL: provider,
    }


def refuse_switch(provider: str, main: str, main_kind: tuple[str, str], observed: Observed) -> None:
    """Refuse when what exists is another provider's: composing for this one would delete it, data and all.

    Args:
        provider: The provider that the Composition delivers on.
        main: Composition resource name of the resource that every provider has in its own kind.
        main_kind: Its apiVersion and kind on this provider.
        observed: What exists.

    Raises:
        Refusal: Where something is another provider's.
    """
    foreign = [name for name, resource in observed.items() if resource.label(PROVIDER_LABEL) not in {"", provider}]
    if main in observed and observed[main].kind != main_kind:
        foreign.append(main)
    if not foreign:
        return
    resource = observed[main if main in foreign else min(foreign)]
    owner = resource.label(PROVIDER_LABEL)
    was = quote(owner) if owner not in {"", provider} else "another provider"
    raise Refusal(
        PROVIDER_SWITCH,
        f"the Composition delivers on {provider}, but what exists for this claim is on {was} ({_what(resource)}); "
        "nothing was changed, for a switch would delete it with its data; "
        f"point the claim's spec.crossplane back to {was}, or create a new claim on {provider} and move the data",
    )


def refuse_removal(resources: Iterable[Resource], observed: Observed, *, may_go: tuple[str, ...]) -> None:
    """Refuse when something that an earlier pass composed is no longer wanted, but for what may go.

    Args:
        resources: What is wanted.
        observed: What exists.
        may_go: The beginnings of composition resource names that hold no data and open nothing.

    Raises:
        Refusal: Where Crossplane would delete something else.
    """
    wanted = {resource.name for resource in resources}
    lost = [
        name for name in observed if name not in wanted and not name.startswith(may_go) and observed[name].label(PROVIDER_LABEL)
    ]
    if lost:
        raise Refusal(
            WOULD_REMOVE,
            f"{quote(min(lost))} ({_what(observed[min(lost)])}) of this claim would be deleted; nothing was changed; "
            "the platform team must undo the change of the settings or of the function's version that no longer wants it",
        )


def _what(resource: ObservedResource) -> str:
    return " ".join((resource.kind[1], resource.text("metadata", "name")))[:120]
