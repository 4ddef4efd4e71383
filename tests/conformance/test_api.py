"""What the API server says of the XRDs and of claims: CEL rules, their cost, and what may change in a live claim."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cases import EXAMPLES, claims, load, merged
from tests.requests import with_defaults
from tools.crossplane import BINARIES, ROOT

BASE: Final = load(EXAMPLES / "claims" / "postgresql" / "exoscale-small.yaml")
NO_PROVIDER: Final = {"spec": {"crossplane": None}}
OVH: Final = {"spec": {"crossplane": {"compositionSelector": {"matchLabels": {"provider": "ovh"}}}}}

RUNS_16: Final = {"spec": {"version": "16"}, "status": {"version": "16"}}
IN_DK_2: Final = {"status": {"region": "ch-dk-2"}}


def by_ref(name: str) -> dict[str, Any]:
    """Choose a provider by the Composition's name, as a Backstage form does."""
    return {"spec": {"crossplane": {"compositionSelector": None, "compositionRef": {"name": name}}}}


def databases(*names: str) -> dict[str, Any]:
    return {"spec": {"databases": [{"name": name} for name in names]}}


@dataclass(frozen=True)
class Change:
    """A claim that is created, or changed from an old one; both are changes of the smallest claim."""

    why: str
    new: dict[str, Any]
    old: dict[str, Any] | None = None
    refused: str = ""


CHANGES: Final = [
    Change("a provider by selector", OVH),
    Change("no provider: the default", NO_PROVIDER),
    Change("a provider by the Composition's name", by_ref("postgresql-scaleway")),
    Change("a canary Composition of a provider", by_ref("postgresql-scaleway-canary")),
    Change(
        "an unknown provider",
        {"spec": {"crossplane": {"compositionSelector": {"matchLabels": {"provider": "aws"}}}}},
        refused="must be one of exoscale, ovh, scaleway, kubernetes",
    ),
    Change(
        "a selector without a provider picks at random",
        {"spec": {"crossplane": {"compositionSelector": {"matchLabels": {"provider": None}}}}},
        refused="must be one of exoscale, ovh, scaleway, kubernetes",
    ),
    Change("a Composition of another kind", by_ref("vm-ovh"), refused="compositionRef must be postgresql-PROVIDER"),
    Change(
        "selector and name disagree",
        {"spec": {"crossplane": {"compositionRef": {"name": "postgresql-ovh"}}}},
        refused="name different providers",
    ),
    Change(
        "Crossplane writes the name of what it selected",
        {"spec": {"crossplane": {"compositionRef": {"name": "postgresql-exoscale"}}}},
        {},
    ),
    Change("the provider changes by label", OVH, {}, refused="the provider of a claim cannot change"),
    Change("the default becomes another provider", OVH, NO_PROVIDER, refused="the provider of a claim cannot change"),
    Change("a provider is dropped for the default", NO_PROVIDER, OVH, refused="the provider of a claim cannot change"),
    Change("the default is written out", {}, NO_PROVIDER),
    Change("an unknown size", {"spec": {"size": "tiny"}}, refused="Unsupported value"),
    Change("a size grows", {"spec": {"size": "large"}}, {}),
    Change("a misspelt field", {"spec": {"sise": "small"}}, refused="unknown field"),
    Change("a name that is too long", {"metadata": {"name": "a" * 41}}, refused="may not be more than 40"),
    Change("a name with a dot", {"metadata": {"name": "orders.v2"}}, refused="starting with a letter"),
    Change("a name that starts with a digit", {"metadata": {"name": "1orders"}}, refused="starting with a letter"),
    Change("storage grows", {"spec": {"storageGB": 20}}, {"spec": {"storageGB": 10}}),
    Change("storage shrinks", {"spec": {"storageGB": 10}}, {"spec": {"storageGB": 20}}, refused="storageGB can only grow"),
    Change("the version goes up", {"spec": {"version": "17"}}, RUNS_16),
    Change("the version goes below what runs", {"spec": {"version": "15"}}, RUNS_16, refused="version cannot go below what runs"),
    Change("a refused upgrade is taken back", {"spec": {"version": "16"}}, merged(RUNS_16, {"spec": {"version": "17"}})),
    Change("a wrong version is corrected before anything runs", {"spec": {"version": "16"}}, {"spec": {"version": "99"}}),
    Change("the region stays", {"spec": {"region": "ch-dk-2"}}, merged(IN_DK_2, {"spec": {"region": "ch-dk-2"}})),
    Change("the region is named later", {"spec": {"region": "ch-dk-2"}}, IN_DK_2),
    Change("the region is dropped", {}, merged(IN_DK_2, {"spec": {"region": "ch-dk-2"}})),
    Change("the region moves", {"spec": {"region": "ch-gva-2"}}, IN_DK_2, refused="region cannot change"),
    Change("a refused move is taken back", {"spec": {"region": "ch-dk-2"}}, merged(IN_DK_2, {"spec": {"region": "ch-gva-2"}})),
    Change("a wrong region is corrected before anything stands", {"spec": {"region": "ch-dk-2"}}, {"spec": {"region": "fr-par"}}),
    Change("a database is added", databases("a", "b"), databases("a")),
    Change("databases are put in another order", databases("b", "a"), databases("a", "b")),
    Change("a database is removed", databases("a"), databases("a", "b"), refused="never dropped or renamed"),
    Change("a database is renamed", databases("c"), databases("a"), refused="never dropped or renamed"),
    Change("the list is dropped", {}, databases("a"), refused="never dropped or renamed"),
    Change("the list is dropped, and it had the default", {}, databases("orders")),
    Change("the default is written out beside another", databases("orders", "b"), {}),
    Change("the default is forgotten beside another", databases("b"), {}, refused="never dropped or renamed"),
    Change("a database twice", databases("a", "a"), refused="Duplicate value"),
    Change("a claim whose name can be no database", {"metadata": {"name": "postgres"}}, refused="must list its databases"),
    Change("such a claim with its databases listed", merged(databases("a"), {"metadata": {"name": "postgres"}})),
    Change("a database whose owner would be pg_owner", databases("pg"), refused="cannot be used"),
    Change("the cloud's own database", databases("defaultdb"), refused="cannot be used"),
    Change("a name of PostgreSQL's own", databases("pg_stats"), refused="cannot be used"),
    Change("a name that a reader's Secret would have", databases("a-reader"), refused="cannot be used"),
    Change("an IPv6 network", {"spec": {"allowedCIDRs": ["::/0"]}}, refused="should match"),
    Change("a time without quotes becomes a number", {"spec": {"backup": {"time": 54000}}}, refused="must be of type string"),
    Change("protection is taken off", {"spec": {"deletionProtection": False}}, {}),
    Change("a parameter with an odd name", {"spec": {"settings": {"Max-Connections": "1"}}}, refused="parameter names"),
]


def judge(folder: Path, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask the API server's own library."""
    path = folder / "cases.yaml"
    path.write_text(yaml.safe_dump_all(cases))
    command = [str(BINARIES / "apicheck"), str(ROOT / "apis" / "postgresql.yaml"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    cases = [
        {"name": change.why, "new": merged(BASE, change.new)} | ({} if change.old is None else {"old": merged(BASE, change.old)})
        for change in CHANGES
    ]
    return {verdict["name"]: verdict for verdict in judge(tmp_path_factory.mktemp("changes"), cases)}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.why)
def test_change(change: Change, verdicts: dict[str, dict[str, Any]]) -> None:
    verdict = verdicts[change.why]
    assert verdict["accepted"] is not bool(change.refused), verdict
    assert not change.refused or any(change.refused in error for error in verdict["errors"]), verdict


@pytest.mark.parametrize("xrd", sorted((ROOT / "apis").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_api_server_takes_the_xrd(xrd: Path) -> None:
    """CEL rules compile and stay within the API server's cost budget, and Crossplane drops nothing of the schema in silence."""
    done = subprocess.run([str(BINARIES / "apicheck"), str(xrd)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr, done.stderr


def test_examples_are_taken_and_may_be_applied_again(tmp_path: Path) -> None:
    examples = {str(path): load(path) for path in claims("postgresql")}
    cases = [{"name": name, "new": claim} for name, claim in examples.items()]
    cases += [{"name": f"{name} again", "old": with_defaults(claim), "new": claim} for name, claim in examples.items()]
    assert [verdict for verdict in judge(tmp_path, cases) if not verdict["accepted"]] == []
