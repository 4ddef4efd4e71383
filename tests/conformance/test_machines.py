"""A machine opens what its claim opens, and a change touches what it names."""

from typing import Any, Final

import pytest

from tests.cases import BY_NAME, CASES_WITH_RESOURCES, Case
from tests.goldens import composed
from tests.unit.vm.test_cloud_init import user_data_of

PROVIDERS: Final = ("exoscale", "ovh", "scaleway")
MACHINES: Final = [case for case in CASES_WITH_RESOURCES if case.kind == "vm"]
CLOSED: Final = [case for case in MACHINES if not case.claim["spec"].get("ingress")]


def _of_kind(case: Case, kind: str) -> list[dict[str, Any]]:
    return [body for body in composed(case).values() if body["kind"] == kind]


@pytest.mark.parametrize("case", CLOSED, ids=lambda case: case.name)
def test_without_ingress_nothing_is_open(case: Case) -> None:
    assert not _of_kind(case, "SecurityGroupRules")
    assert all(group["spec"]["forProvider"].get("inboundRule", []) == [] for group in _of_kind(case, "SecurityGroup"))
    for machine in _of_kind(case, "ProjectInstance"):
        user_data = user_data_of(machine)
        assert "policy drop" in user_data
        assert "dport" not in user_data


def test_every_provider_has_a_closed_machine() -> None:
    assert {case.name.split("/")[1].split("-")[0] for case in CLOSED} >= set(PROVIDERS)


@pytest.mark.parametrize("case", MACHINES, ids=lambda case: case.name)
def test_scaleways_firewall_drops_by_default(case: Case) -> None:
    groups = [body["spec"]["forProvider"] for body in _of_kind(case, "SecurityGroup") if "scaleway" in body["apiVersion"]]
    assert len(groups) == ("scaleway" in str(case.claim["spec"]["crossplane"]))
    assert all(group["inboundDefaultPolicy"] == "drop" for group in groups)


@pytest.mark.parametrize("case", MACHINES, ids=lambda case: case.name)
def test_an_address_is_public_only_where_asked(case: Case) -> None:
    asked = case.claim["spec"].get("public", False)
    assert bool(_of_kind(case, "IP")) <= asked
    for machine in _of_kind(case, "Instance"):
        assert machine["spec"]["forProvider"]["private"] is not asked
    for machine in _of_kind(case, "ProjectInstance"):
        assert machine["spec"]["forProvider"]["network"][0].get("public", False) is asked
    for machine in _of_kind(case, "Server"):
        assert machine["spec"]["forProvider"]["enableDynamicIp"] is False
        assert ("ipIdRef" in machine["spec"]["forProvider"]) is asked


def _changed(provider: str, change: str, base: str = "full-ready") -> tuple[set[str], set[str], set[str]]:
    """Return the composition resource names that a change adds, removes, and changes otherwise."""
    before, after = composed(BY_NAME[f"vm/{provider}-{base}"]), composed(BY_NAME[f"vm/{provider}-{change}"])
    return (
        set(after) - set(before),
        set(before) - set(after),
        {name for name in set(before) & set(after) if before[name] != after[name]},
    )


@pytest.mark.parametrize(
    ("provider", "change", "added", "removed", "changed", "why"),
    [
        ("exoscale", "rule-added", {"rule.tcp-22-203-0-113-0-24"}, set(), set(), "a rule is an object of its own"),
        (
            "exoscale",
            "rule-removed",
            set(),
            {"rule.tcp-443-198-51-100-0-24", "rule.tcp-443-192-0-2-17-32"},
            set(),
            "a rule is an object of its own",
        ),
        ("scaleway", "rule-added", set(), set(), {"firewall"}, "rules are lines of the firewall"),
        ("scaleway", "rule-removed", set(), set(), {"firewall"}, "rules are lines of the firewall"),
        *((provider, "rules-reordered", set(), set(), set(), "order means nothing") for provider in PROVIDERS),
        *((provider, "disks-reordered", set(), set(), set(), "order means nothing") for provider in PROVIDERS),
        *((provider, "disk-added", {"disk.cache"}, set(), set(), "attached in the next pass") for provider in PROVIDERS),
        *((provider, "disk-grown", set(), set(), {"disk.logs"}, "a disk grows in place") for provider in PROVIDERS),
        ("exoscale", "template-refreshed", set(), set(), set(), "a live machine keeps its template"),
        ("ovh", "flavor-replaced", set(), set(), set(), "a live machine keeps its flavor and its image"),
        ("exoscale", "auth-key-deleted", set(), set(), set(), "a machine that has joined needs its key no more"),
    ],
)
def test_a_change_touches_what_it_names(
    provider: str, change: str, added: set[str], removed: set[str], changed: set[str], why: str
) -> None:
    assert _changed(provider, change) == (added, removed, changed), why


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_disk_leaves_alone_and_only_when_its_resource_may_delete_it(provider: str) -> None:
    added, removed, changed = _changed(provider, "disk-leaving")
    assert (added, removed) == (set(), set())
    assert changed == {"server", "disk.data", "disk.logs"}, "each loses its protection first"
    leaving = composed(BY_NAME[f"vm/{provider}-disk-leaving"])
    gone = composed(BY_NAME[f"vm/{provider}-disk-removed"])
    assert set(leaving) - set(gone) - {"protection"} == {"disk.logs"}
    assert leaving["disk.data"] == gone["disk.data"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_replacement_is_a_new_machine_with_the_old_disks(provider: str) -> None:
    added, removed, changed = _changed(provider, "recreated")
    assert (added, removed, changed) == ({"server.7"}, {"server"}, set())
