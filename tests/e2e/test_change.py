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
    after = composed(platform, claim)
    assert {key: identities(after).get(key) for key in before} == identities(before)
    changed = [key for key, part in before.items() if _wanted(part) != _wanted(after[key]) and part["kind"] != "Usage"]
    assert changed, "nothing has another size"
    for key in changed:
        until(f"{key} to have the new size", lambda key=key: _is_made(before[key], composed(platform, claim)[key]), 30)  # type: ignore[misc]
    if is_database:
        assert psql(binding, "SELECT name FROM things") == "kept"


def _sized(found: dict[str, Any], size: str) -> dict[str, Any] | None:
    return found if found["status"]["size"] == size and condition(found, "Provisioned")["status"] == "True" else None


def _wanted(part: dict[str, Any]) -> dict[str, Any]:
    """Return what a cloud, or this cluster, is asked for."""
    spec: dict[str, Any] = part.get("spec", {}).get("forProvider", part.get("spec", {}))
    return dict(_wanted(spec["manifest"]) if part["kind"] == "Object" else spec)


def _is_made(before: dict[str, Any], part: dict[str, Any]) -> bool:
    """Tell whether a cloud says that it has what is asked for anew; what stands in this cluster is so by being there."""
    old, wanted = _wanted(before), _wanted(part)
    found = part["status"]["atProvider"]["manifest"] if part["kind"] == "Object" else part
    if "forProvider" not in found["spec"]:
        return True
    made = found["status"]["atProvider"]
    anew = [key for key, value in wanted.items() if key in made and old.get(key) != value]
    return bool(anew) and all(made[key] == wanted[key] for key in anew)


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
