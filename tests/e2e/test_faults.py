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
    """Functions are held while they are asked, so that calls are under way when somebody is killed."""
    space = f"killed-{who}"
    platform.apply(namespace(space, latency="30"))  # nothing gets ready until that is taken back
    claims = claims_in(space)
    platform.apply(*claims)
    seen: list[dict[str, dict[str, tuple[str, str]]]] = []
    for number in range(4):
        time.sleep(1)
        seen.append({claim["metadata"]["name"]: identities(composed(platform, claim)) for claim in claims})
        held = functions.signalled(signal.SIGSTOP)
        for claim in claims:
            platform.kubectl("annotate", *of(claim), "--overwrite", f"asked={number}")
        time.sleep(1)
        assert functions.unanswered(), "no call is under way"
        if who == "functions":
            assert functions.signalled(signal.SIGKILL) == held
        else:
            crossplane.restart_core(stack.programs, signal.SIGKILL)
            functions.signalled(signal.SIGCONT)
            until("Crossplane to be back", crossplane.metrics)
    tell(platform, space, "latency", None)
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
    functions.signalled(signal.SIGKILL)
    platform.patch(claim, {"spec": {"size": "medium"}})
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # pods are started again every second, and killed again
        functions.signalled(signal.SIGKILL)
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


@pytest.mark.parametrize("name", ["postgresql/ovh-medium", "vm/exoscale-small"])
def test_a_change_that_a_cloud_refuses_is_told_and_the_claim_stays_ready(name: str, platform: Cluster) -> None:
    space, kind = f"failing-{name.replace('/', '-')}", "ProjectDatabase" if name.startswith("postgresql") else "Instance"
    platform.apply(namespace(space))
    claim = example(name, space)
    platform.apply(claim)
    before = identities(composed(platform, ready(platform, claim)))
    tell(platform, space, kind, _QUOTA)
    platform.patch(claim, {"spec": {"size": "large"}})
    reached(platform, claim, seconds=30, Provisioned="Failing", Ready="True", said=_QUOTA)
    assert identities(composed(platform, claim)) == before
    tell(platform, space, kind, None)
    reached(platform, claim, seconds=30, Provisioned="Available", Ready="True")


@pytest.mark.parametrize(
    ("name", "well", "stopped"),
    [
        ("vm/exoscale-small", "running", "stopped"),
        ("vm/ovh-small", "ACTIVE", "SHUTOFF"),
        ("vm/scaleway-small", "started", "stopped"),
    ],
)
def test_a_machine_that_is_stopped_is_not_ready_though_its_provider_says_so(
    name: str, well: str, stopped: str, platform: Cluster
) -> None:
    space = f"stopped-{name.replace('/', '-')}"
    platform.apply(namespace(space, state=well))
    claim = example(name, space)
    platform.apply(claim)
    ready(platform, claim)
    tell(platform, space, "state", stopped)
    reached(platform, claim, seconds=30, Ready="False", Provisioned="False", said=f'the cloud reports "{stopped}"')
    tell(platform, space, "state", well)
    ready(platform, claim)


def test_a_claim_says_what_it_waits_for_while_a_cloud_is_slow(platform: Cluster) -> None:
    platform.apply(namespace("slow", latency="10"))
    claim = example("vm/scaleway-small", "slow")
    platform.apply(claim)
    found = reached(platform, claim, seconds=15, Provisioned="Creating", Ready="False")
    assert condition(found, "Provisioned")["message"].startswith("waiting for ")
    ready(platform, claim)


def test_an_app_whose_image_is_not_there_says_so(platform: Cluster) -> None:
    platform.apply(namespace("image", Image='Back-off pulling image "shop:9"'))
    claim = example("app/kubernetes-small", "image")
    platform.apply(claim)
    reached(platform, claim, seconds=30, Provisioned="False", Ready="False")
    tell(platform, "image", "Image", None)
    ready(platform, claim)
