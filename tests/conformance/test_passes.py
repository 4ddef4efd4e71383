"""A claim grows up pass by pass, the same way on every provider."""

from base64 import b64decode
from itertools import pairwise
from typing import Any, Final

import pytest

from tests.cases import BY_NAME, EXAMPLES, NOT_COMPOSED, Case, load, observed
from tests.requests import composition_name, documents

PROVIDERS: Final = ("exoscale", "ovh", "scaleway", "kubernetes")

# In the order in which they happen; scaleway makes a password first.
STEPS: Final = ("password", "creating", "server-ready", "admin-ready", "ready")


def steps(provider: str) -> list[Case]:
    """Return the passes of a provider's small claim, the first one without anything observed."""
    later = [f"postgresql/{provider}-{step}" for step in STEPS]
    return [BY_NAME[f"postgresql/{provider}-small"], *(BY_NAME[name] for name in later if name in BY_NAME)]


def claim_of(case: Case) -> dict[str, Any]:
    return next(document for document in documents(case.golden) if document["kind"] == "PostgreSQL")


def composed(case: Case) -> dict[str, dict[str, Any]]:
    rendered = [document for document in documents(case.golden) if document["kind"] not in NOT_COMPOSED]
    return {composition_name(document): document for document in rendered}


def conditions(case: Case) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in claim_of(case)["status"]["conditions"]}


def test_every_observed_state_is_a_step() -> None:
    used = {case.observed for provider in PROVIDERS for case in steps(provider)} - {None}
    assert used == set(observed("postgresql"))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_pass_drops_or_renames_a_resource(provider: str) -> None:
    passes = [composed(case) for case in steps(provider)]
    for before, after in pairwise(passes):
        assert {key: (body["kind"], body["metadata"]["name"]) for key, body in before.items()}.items() <= {
            key: (body["kind"], body["metadata"]["name"]) for key, body in after.items()
        }.items()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_only_the_last_pass_is_ready(provider: str) -> None:
    ready = [conditions(case)["Ready"] for case in steps(provider)]
    assert ready == ["False"] * (len(ready) - 1) + ["True"]
    assert set(conditions(steps(provider)[-1]).values()) == {"True"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_pass_before_says_what_it_waits_for(provider: str) -> None:
    for case in steps(provider)[:-1]:
        said = {condition["type"]: condition.get("message", "") for condition in claim_of(case)["status"]["conditions"]}
        assert said["Provisioned"] or said["Bound"], case.name


@pytest.mark.parametrize("part", ["status", "conditions", "binding"])
def test_providers_answer_alike(part: str) -> None:
    def keys(case: Case) -> list[str]:
        if part == "status":
            return sorted(claim_of(case)["status"])
        if part == "conditions":
            return sorted(conditions(case))
        # ca.crt only where the provider tells it; all else everywhere.
        return sorted(set(composed(case)["binding.orders"]["data"]) - {"ca.crt"})

    answers = {provider: keys(steps(provider)[-1]) for provider in PROVIDERS}
    assert all(answer == answers["exoscale"] for answer in answers.values()), answers


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_binding_is_what_the_owner_logs_in_with(provider: str) -> None:
    binding = composed(steps(provider)[-1])["binding.orders"]
    data = {key: b64decode(value).decode() for key, value in binding["data"].items()}
    secrets = documents(EXAMPLES / "observed" / "postgresql" / f"{provider}-ready.secrets.yaml")
    owner = next(secret["data"] for secret in secrets if secret["metadata"]["name"] == "orders-pg-owner-orders")
    given = {key: b64decode(value).decode() for key, value in owner.items()}
    assert binding["type"] == "servicebinding.io/postgresql"
    assert data["type"] == "postgresql"
    assert data["provider"] == provider
    assert (data["host"], data["port"], data["username"], data["password"]) == (
        given["endpoint"],
        given["port"],
        given["username"],
        given["password"],
    )
    assert data["uri"] == "postgresql://{username}:{password}@{host}:{port}/orders?sslmode=require".format(**data)


def test_one_claim_differs_by_its_label_alone() -> None:
    claims = [load(EXAMPLES / "claims" / "postgresql" / f"{provider}-small.yaml") for provider in PROVIDERS]
    for claim in claims:
        del claim["spec"]["crossplane"]["compositionSelector"]["matchLabels"]["provider"]
    assert all(claim == claims[0] for claim in claims)
