"""A claim grows up pass by pass, the same way on every provider."""

from base64 import b64decode
from itertools import pairwise
from typing import Any, Final

import pytest

from tests.cases import BY_NAME, EXAMPLES, Case, load, observed
from tests.goldens import claim_of, composed, conditions
from tests.requests import documents

POSTGRESQL: Final = ("exoscale", "ovh", "scaleway", "kubernetes")
VM: Final = ("exoscale", "ovh", "scaleway")

# The first pass has nothing observed; later ones in the order in which they happen, where a provider has them.
GROWING: Final = {
    "postgresql": ("small", "password", "creating", "server-ready", "admin-ready", "ready"),
    "vm": ("small", "creating", "ready"),
    "app": ("small", "creating", "ready"),
    "app with a volume": ("volume", "volume-creating", "volume-ready"),
    "app in full": ("full", "full-databases", "full-bound", "full-migrating", "full-creating", "full-ready"),
    "vm in full": ("full", "full-creating", "full-attaching", "full-ready"),
}
CLAIMS: Final = [
    *(("postgresql", provider) for provider in POSTGRESQL),
    *((growing, provider) for growing in GROWING if growing.startswith("vm") for provider in VM),
    *((growing, provider) for growing in GROWING if growing.startswith("app") for provider in POSTGRESQL),
]
of_every_claim = pytest.mark.parametrize(("growing", "provider"), CLAIMS)


def steps(growing: str, provider: str) -> list[Case]:
    """Return the passes of a claim on a provider."""
    names = [f"{growing.split(maxsplit=1)[0]}/{provider}-{step}" for step in GROWING[growing]]
    return [BY_NAME[name] for name in names if name in BY_NAME]


def test_every_observed_state_is_a_step() -> None:
    used = {case.observed for claim in CLAIMS for case in steps(*claim)} - {None}
    assert used == set(observed())


@of_every_claim
def test_no_pass_drops_or_renames_a_resource(growing: str, provider: str) -> None:
    passes = [composed(case) for case in steps(growing, provider)]
    for before, after in pairwise(passes):
        assert {key: (body["kind"], body["metadata"]["name"]) for key, body in before.items()}.items() <= {
            key: (body["kind"], body["metadata"]["name"]) for key, body in after.items()
        }.items()


@of_every_claim
def test_only_the_last_pass_is_ready(growing: str, provider: str) -> None:
    ready = [conditions(case)["Ready"] for case in steps(growing, provider)]
    assert ready == ["False"] * (len(ready) - 1) + ["True"]
    assert set(conditions(steps(growing, provider)[-1]).values()) == {"True"}


@of_every_claim
def test_every_pass_before_says_what_it_waits_for(growing: str, provider: str) -> None:
    for case in steps(growing, provider)[:-1]:
        said = {condition["type"]: condition.get("message", "") for condition in claim_of(case)["status"]["conditions"]}
        assert said["Provisioned"] or said["Bound"], case.name


@pytest.mark.parametrize("growing", GROWING)
def test_providers_answer_alike(growing: str) -> None:
    last = [steps(growing, provider)[-1] for of, provider in CLAIMS if of == growing]
    for keys in (lambda case: sorted(claim_of(case)["status"]), lambda case: sorted(conditions(case))):
        answers = {case.name: keys(case) for case in last}
        assert len(set(map(tuple, answers.values()))) == 1, answers


@pytest.mark.parametrize("kind", ["app", "postgresql", "vm"])
def test_one_claim_differs_by_its_label_alone(kind: str) -> None:
    claims = [load(path) for path in sorted((EXAMPLES / "claims" / kind).glob("*-small.yaml"))]
    assert len(claims) == len(VM if kind == "vm" else POSTGRESQL)
    for claim in claims:
        del claim["spec"]["crossplane"]["compositionSelector"]["matchLabels"]["provider"]
    assert all(claim == claims[0] for claim in claims)


def _binding(provider: str) -> dict[str, Any]:
    return composed(steps("postgresql", provider)[-1])["binding.orders"]


def test_bindings_have_the_same_keys() -> None:
    # ca.crt only where the provider tells it; all else everywhere.
    keys = {provider: sorted(set(_binding(provider)["data"]) - {"ca.crt"}) for provider in POSTGRESQL}
    assert all(answer == keys["exoscale"] for answer in keys.values()), keys


@pytest.mark.parametrize("provider", POSTGRESQL)
def test_the_binding_is_what_the_owner_logs_in_with(provider: str) -> None:
    binding = _binding(provider)
    data = {key: b64decode(value).decode() for key, value in binding["data"].items()}
    secrets = documents(EXAMPLES / "observed" / "postgresql" / f"{provider}-ready.required.yaml")
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
