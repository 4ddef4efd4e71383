"""Which provider a claim gets, what the API server refuses before anything is made, and that a live claim stays where it is."""

import copy
import time
from typing import Any, Final

import pytest

from tests.e2e.claims import composed, condition, example, identities, namespace, of, reached, ready
from tests.e2e.plane import Cluster
from tests.e2e.programs import Failed

SPACE: Final = "choice"

# What only a provider's own resources have in their API group.
GROUPS: Final = {
    "exoscale": ("kubernetes.m.crossplane.io", "exoscale.m.exoscale.ch"),
    "ovh": ("ovh.m.edixos.io",),
    "scaleway": ("scaleway.m.upbound.io",),
    "kubernetes": ("cnpg.io", "apps"),
}

Change = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def _space(platform: Cluster) -> None:
    platform.apply(namespace(SPACE))


def selector(provider: str) -> Change:
    return {"crossplane": {"compositionSelector": {"matchLabels": {"provider": provider}}}}


@pytest.mark.parametrize(
    ("name", "spec", "chosen"),
    [
        ("postgresql/exoscale-small", selector("exoscale"), "postgresql-exoscale"),
        ("postgresql/exoscale-small", selector("ovh"), "postgresql-ovh"),
        ("postgresql/exoscale-small", selector("scaleway"), "postgresql-scaleway"),
        ("postgresql/exoscale-small", selector("kubernetes"), "postgresql-kubernetes"),
        ("postgresql/exoscale-small", {"crossplane": {}}, "postgresql-exoscale"),  # without a word about it: the XRD's default
        ("vm/exoscale-small", selector("exoscale"), "vm-exoscale"),
        ("vm/exoscale-small", selector("ovh"), "vm-ovh"),
        ("vm/exoscale-small", selector("scaleway"), "vm-scaleway"),
        ("app/kubernetes-small", selector("kubernetes"), "app-kubernetes"),
    ],
)
def test_a_label_selects_the_provider(
    name: str, spec: Change, chosen: str, platform: Cluster, request: pytest.FixtureRequest
) -> None:
    claim = example(name, SPACE, **spec)
    claim["metadata"]["name"] = f"by-label-{request.node.callspec.indices['name']}{request.node.callspec.indices['chosen']}"
    platform.apply(claim)
    found = ready(platform, claim)
    assert found["spec"]["crossplane"]["compositionRef"]["name"] == chosen
    provider = chosen.partition("-")[2]
    assert found["status"]["provider"] == provider
    groups = {part["apiVersion"].partition("/")[0] for part in composed(platform, claim).values()}
    for other, own in GROUPS.items():
        assert any(group.endswith(own) for group in groups) == (other == provider), groups


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "postgresql/exoscale-small",
            {"size": "huge"},
            'spec.size: Unsupported value: "huge": supported values: "small", "medium", "large"',
        ),
        ("postgresql/exoscale-small", {"size": None}, "spec.size: Required value"),
        ("postgresql/exoscale-small", {"sise": "small"}, ".spec.sise: field not declared in schema"),
        (
            "postgresql/exoscale-small",
            selector("azure"),
            "matchLabels.provider must be one of exoscale, ovh, scaleway, kubernetes",
        ),
        (
            "postgresql/exoscale-small",
            {"databases": [{"name": "postgres"}]},
            "names of PostgreSQL, of the clouds and of bindings",
        ),
        ("vm/exoscale-small", {"sshKeys": ["not a key"]}, "each must be an SSH public key"),
        (
            "vm/exoscale-small",
            {"ingress": [{"protocol": "tcp", "from": ["10.0.0.0/8"]}]},
            "tcp and udp need ports, icmp has none",
        ),
        ("vm/exoscale-small", selector("kubernetes"), "matchLabels.provider must be one of exoscale, ovh, scaleway"),
        ("app/kubernetes-small", {"image": "registry.example.org/shop:latest"}, "names no version"),
        (
            "app/kubernetes-small",
            {"port": 80},
            "spec.port: Invalid value: 80: spec.port in body should be greater than or equal to 1024",
        ),
    ],
)
def test_the_api_server_refuses_a_bad_claim(name: str, change: Change, message: str, platform: Cluster) -> None:
    claim = example(name, SPACE)
    claim["metadata"]["name"] = "refused"
    claim["spec"] = {key: value for key, value in {**claim["spec"], **change}.items() if value is not None}
    with pytest.raises(Failed) as refused:
        platform.apply(claim)
    assert message in str(refused.value)
    assert platform.get(*of(claim)) is None


@pytest.mark.parametrize(
    ("name", "change", "reason", "message"),
    [
        ("postgresql/exoscale-small", {"allowedCIDRs": ["10.0.0.0/99"]}, "InvalidClaim", 'spec.allowedCIDRs holds "10.0.0.0/99"'),
        (
            "postgresql/exoscale-small",
            {"allowedCIDRs": ["0.0.0.0/0"]},
            "OpenToTheWorld",
            'spec.allowedCIDRs holds "0.0.0.0/0", which lets in everybody',
        ),
        ("postgresql/exoscale-small", {"region": "GRA"}, "NotOffered", 'spec.region is "GRA"; exoscale offers'),
        ("vm/ovh-small", {"region": "SBG5"}, "SettingsMissing", "data[vm.ovh].privateNetworks.SBG5"),
    ],
)
def test_the_function_refuses_what_only_it_knows(name: str, change: Change, reason: str, message: str, platform: Cluster) -> None:
    claim = example(name, SPACE, **change)
    claim["metadata"]["name"] = f"refused-{reason.lower()}"
    platform.apply(claim)
    found = reached(platform, claim, Accepted=reason, Synced="False")
    assert message in condition(found, "Accepted")["message"]
    assert not composed(platform, claim)


@pytest.fixture(scope="module")
def live(platform: Cluster) -> dict[str, Any]:
    """Return a claim that is ready."""
    claim = example("postgresql/exoscale-medium", SPACE)
    claim["metadata"]["name"] = "stays"
    platform.apply(claim)
    ready(platform, claim)
    return claim


@pytest.mark.parametrize(
    ("crossplane", "message"),
    [
        ({"compositionSelector": {"matchLabels": {"provider": "ovh"}}}, "create a new claim and move the data"),
        ({"compositionSelector": None, "compositionRef": {"name": "postgresql-ovh"}}, "create a new claim and move the data"),
        ({"compositionRef": {"name": "postgresql-ovh"}}, "compositionRef and compositionSelector name different providers"),
        ({"compositionRef": {"name": "something-else"}}, "compositionRef must be postgresql-PROVIDER"),
    ],
)
def test_the_api_server_refuses_a_switch(crossplane: Change, message: str, live: Change, platform: Cluster) -> None:
    before = identities(composed(platform, live))
    with pytest.raises(Failed, match=message):
        platform.patch(live, {"spec": {"crossplane": crossplane}})
    assert identities(composed(platform, live)) == before


def test_a_switch_behind_the_api_servers_back_is_refused_with_everything_still_there(live: Change, platform: Cluster) -> None:
    """A platform team gives a canary Composition another provider's input."""
    before = composed(platform, live)
    canary = copy.deepcopy(platform.get("composition", "postgresql-ovh"))
    canary["metadata"] = {"name": "postgresql-exoscale-canary"}  # without a label: new claims do not select it
    platform.apply(canary)
    platform.patch(live, {"spec": {"crossplane": {"compositionRef": {"name": "postgresql-exoscale-canary"}}}})
    found = reached(platform, live, Accepted="ProviderSwitch", Synced="False")
    assert "exoscale" in condition(found, "Accepted")["message"]
    time.sleep(5)  # some more reconciles
    after = composed(platform, live)
    assert identities(after) == identities(before)
    assert not [name for name, part in after.items() if "deletionTimestamp" in part["metadata"]]
    platform.patch(live, {"spec": {"crossplane": {"compositionRef": {"name": "postgresql-exoscale"}}}})
    assert identities(composed(platform, ready(platform, live))) == identities(before)
