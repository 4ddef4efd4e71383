"""Protection of a claim against deletion."""

from collections.abc import Mapping
from typing import Final

from functions.kit import names
from functions.kit.composition import Resource
from functions.kit.manifests import manifest
from functions.kit.progress import judged
from functions.kit.request import Request

NAME: Final = "protection"


def of_claim(request: Request, labels: Mapping[str, str]) -> Resource:
    """Compose the Usage that has the API server refuse to delete the claim, whoever asks."""
    api_version, kind = request.kind
    spec = {
        "of": {"apiVersion": api_version, "kind": kind, "resourceRef": {"name": request.name}},
        "reason": "spec.deletionProtection is true: set it to false, wait until this Usage is gone, then delete",
    }
    body = manifest(("protection.crossplane.io/v1beta1", "Usage"), names.join(request.name, kind.lower(), NAME), labels, spec)
    return judged(NAME, body, request.observed.get(NAME))
