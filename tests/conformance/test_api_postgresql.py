"""What the API server says of a PostgreSQL claim: CEL rules, and what may change in a live one."""

from typing import Any, Final

import pytest

from tests.api import Change, assert_judged
from tests.cases import EXAMPLES, load, merged

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


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.why)
def test_change(change: Change) -> None:
    assert_judged(change, CHANGES, BASE)
