"""What the goldens say, for tests that compare them with one another."""

from typing import Any

from tests.cases import Case
from tests.requests import composition_name, documents, is_composed


def claim_of(case: Case) -> dict[str, Any]:
    """Return the claim as it was rendered, with its status."""
    return next(document for document in documents(case.golden) if document["kind"] == case.claim["kind"])


def composed(case: Case) -> dict[str, dict[str, Any]]:
    """Return what was composed, by composition resource name."""
    return {composition_name(document): document for document in documents(case.golden) if is_composed(document)}


def conditions(case: Case) -> dict[str, str]:
    """Return the status of each condition."""
    return {condition["type"]: condition["status"] for condition in claim_of(case)["status"]["conditions"]}
