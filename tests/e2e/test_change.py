"""Changes: a size that grows in place, and settings that the platform team edits."""

import copy
from typing import Any, Final

import pytest

from tests.e2e.claims import composed, condition, example, identities, namespace, psql, reached, ready, secret
from tests.e2e.plane import Cluster
from tests.e2e.programs import until

SPACE: Final = "change"
SETTINGS: Final = ("environmentconfig", "gravitek-platform")

# A minute of TTL, and what the machine takes.
_PICKED_UP: Final = 80


@pytest.fixture(scope="module", autouse=True)
def _space(platform: Cluster) -> None:
    platform.apply(namespace(SPACE))


@pytest.mark.parametrize(
    "name",
    [
        "postgresql/exoscale-small",
        "postgresql/ovh-medium",
        "postgresql/scaleway-medium",
        "postgresql/kubernetes-small",
        "vm/exoscale-small",
        "vm/scaleway-small",
        "app/kubernetes-small",
    ],
)
def test_a_size_changes_in_place(name: str, platform: Cluster) -> None:
    claim = example(name, SPACE)
    claim["metadata"]["name"] = name.replace("/", "-")
    platform.apply(claim)
    small = ready(platform, claim)
    before = composed(platform, claim)
    if is_database := name.startswith("postgresql/"):
        binding = secret(platform, small["status"]["binding"]["name"], SPACE)
        psql(binding, "CREATE TABLE things AS SELECT 'kept' AS name")
    platform.patch(claim, {"spec": {"size": "large"}})
    large = until("the new size", lambda: _sized(ready(platform, claim), "large"))
    assert large["status"].get("plan") != small["status"].get("plan") or name.startswith("app/")
    after = identities(composed(platform, claim))
    assert {key: after.get(key) for key in before} == identities(before)
    if is_database:
        assert psql(binding, "SELECT name FROM things") == "kept"


def _sized(found: dict[str, Any], size: str) -> dict[str, Any] | None:
    told = found["status"]
    now = {entry["type"]: (entry["status"], entry.get("observedGeneration")) for entry in told["conditions"]}
    return found if told["size"] == size and now["Provisioned"][0] == "True" else None


def test_edited_settings_reach_live_claims_and_a_misspelt_key_changes_nothing(platform: Cluster) -> None:
    database, machine = example("postgresql/exoscale-small", SPACE), example("vm/exoscale-small", SPACE)
    database["metadata"]["name"] = machine["metadata"]["name"] = "settings"
    platform.apply(database, machine)
    ready(platform, database), ready(platform, machine)
    before, untouched = composed(platform, database), composed(platform, machine)
    original = platform.get(*SETTINGS)
    edited = copy.deepcopy(original["data"])
    edited["postgresql.exoscale"]["sizes"] = {"small": {"plan": "startup-8"}}
    edited["vm.exoscale"]["sizzes"] = {"small": {"type": "standard.tiny"}}
    platform.patch(original, {"data": edited})
    try:
        until("the new plan", lambda: _plan(platform, database) == "startup-8", _PICKED_UP)
        found = reached(platform, machine, _PICKED_UP, Accepted="SettingsInvalid")
        assert "vm.exoscale" in condition(found, "Accepted")["message"]
        assert "sizzes" in condition(found, "Accepted")["message"]
        assert identities(composed(platform, database)) == identities(before)
        for name, part in composed(platform, machine).items():
            assert part["spec"] == untouched[name]["spec"]
    finally:
        removed = {"postgresql.exoscale": {"sizes": None}, "vm.exoscale": {"sizzes": None}}
        platform.patch(original, {"data": removed})
    until("the plan of before", lambda: _plan(platform, database) == "startup-4", _PICKED_UP)
    reached(platform, machine, _PICKED_UP, Accepted="True", Ready="True")
    assert identities(composed(platform, machine)) == identities(untouched)


def _plan(platform: Cluster, claim: dict[str, Any]) -> str:
    server = next(part for part in composed(platform, claim).values() if part["kind"] == "Object")
    return str(server["status"]["atProvider"]["manifest"]["status"]["atProvider"]["size"]["plan"])
