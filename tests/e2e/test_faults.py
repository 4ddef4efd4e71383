"""What fails in real life: a function or Crossplane is killed, a cloud refuses or is slow. Nothing is lost or made twice."""

import signal
import time
from typing import Any, Final

import pytest

from tests.e2e import crossplane, functions
from tests.e2e.claims import composed, condition, example, identities, in_clouds, named, namespace, of, reached, ready, tell
from tests.e2e.plane import Cluster
from tests.e2e.programs import until
from tests.e2e.stack import Stack

NAMES: Final = (
    "postgresql/exoscale-small",
    "postgresql/ovh-small",
    "postgresql/scaleway-small",
    "postgresql/kubernetes-full",
    "vm/exoscale-medium",
    "vm/ovh-medium",
    "vm/scaleway-medium",
    "app/kubernetes-volume",
)

_QUOTA: Final = "Quota exceeded for this project: contact support to raise it"


def claims_in(space: str) -> list[dict[str, Any]]:
    """Return a claim of each kind on each provider."""
    claims = [example(name, space) for name in NAMES]
    for name, claim in zip(NAMES, claims, strict=True):
        claim["metadata"]["name"] = name.replace("/", "-")
    return claims


@pytest.fixture(scope="module")
def undisturbed(platform: Cluster) -> dict[str, set[str]]:
    """Return what each claim is composed of when nothing happens."""
    platform.apply(namespace("undisturbed"), *claims_in("undisturbed"))
    return {claim["metadata"]["name"]: set(composed(platform, ready(platform, claim))) for claim in claims_in("undisturbed")}


@pytest.mark.parametrize("who", ["functions", "crossplane"])
def test_killed_in_mid_reconcile_nothing_is_lost_or_made_twice(
    who: str, undisturbed: dict[str, set[str]], platform: Cluster, stack: Stack
) -> None:
    space = f"killed-{who}"
    platform.apply(namespace(space, latency="4"))
    claims = claims_in(space)
    platform.apply(*claims)
    seen: list[dict[str, dict[str, tuple[str, str]]]] = []
    for _ in range(4):
        assert any(condition(platform.get(*of(claim)), "Ready").get("status") != "True" for claim in claims), (
            "nothing is under way"
        )
        seen.append({claim["metadata"]["name"]: identities(composed(platform, claim)) for claim in claims})
        if who == "functions":
            assert functions.kill()
        else:
            crossplane.restart_core(stack.programs, signal.SIGKILL)
            until("Crossplane to be back", crossplane.metrics)
        time.sleep(1)
    for claim in claims:
        parts = composed(platform, ready(platform, claim, 150))
        for known in seen:
            assert known[claim["metadata"]["name"]].items() <= identities(parts).items()
        assert set(parts) == undisturbed[claim["metadata"]["name"]]
        assert named(platform, claim) == {part["metadata"]["name"] for part in parts.values()}
    assert in_clouds(space) == in_clouds("undisturbed")


def test_a_function_that_is_down_changes_nothing(platform: Cluster) -> None:
    platform.apply(namespace("down"))
    claim = example("postgresql/exoscale-small", "down")
    platform.apply(claim)
    before = identities(composed(platform, ready(platform, claim)))
    functions.kill()
    platform.patch(claim, {"spec": {"size": "medium"}})
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # pods are started again every second, and killed again
        functions.kill()
        time.sleep(0.05)
    assert platform.get(*of(claim))["status"]["size"] == "small", "a pass found the function"
    parts = composed(platform, claim)
    assert identities(parts) == before
    assert not [name for name, part in parts.items() if "deletionTimestamp" in part["metadata"]]
    assert identities(composed(platform, ready(platform, claim))) == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("postgresql/exoscale-small", "PostgreSQL"),
        ("postgresql/ovh-small", "ProjectDatabase"),
        ("postgresql/scaleway-small", "Instance"),
        ("vm/exoscale-small", "Instance"),
        ("vm/ovh-small", "ProjectInstance"),
        ("vm/scaleway-small", "Server"),
    ],
)
def test_a_claim_says_what_the_cloud_says_and_recovers(name: str, kind: str, platform: Cluster) -> None:
    space = f"quota-{name.replace('/', '-')}"
    platform.apply(namespace(space, **{kind: _QUOTA}))
    claim = example(name, space)
    platform.apply(claim)
    found = reached(platform, claim, seconds=30, Provisioned="False", Ready="False", said=_QUOTA)
    assert condition(found, "Provisioned")["message"].startswith("waiting for ")
    tell(platform, space, kind, None)
    ready(platform, claim)


def test_a_claim_says_what_it_waits_for_while_a_cloud_is_slow(platform: Cluster) -> None:
    platform.apply(namespace("slow", latency="6"))
    claim = example("vm/scaleway-small", "slow")
    platform.apply(claim)
    found = reached(platform, claim, seconds=5, Provisioned="Creating", Ready="False")
    assert condition(found, "Provisioned")["message"].startswith("waiting for ")
    ready(platform, claim)


def test_an_app_whose_image_is_not_there_says_so(platform: Cluster) -> None:
    platform.apply(namespace("image", Image='Back-off pulling image "shop:9"'))
    claim = example("app/kubernetes-small", "image")
    platform.apply(claim)
    reached(platform, claim, seconds=30, Provisioned="False", Ready="False")
    tell(platform, "image", "Image", None)
    ready(platform, claim)
