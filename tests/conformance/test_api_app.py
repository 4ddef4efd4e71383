"""What the API server says of an App claim: CEL rules, and what may change in a live one."""

from typing import Any, Final

import pytest

from tests.api import Change, assert_judged
from tests.cases import BY_NAME, EXAMPLES, load, merged
from tests.goldens import claim_of

BASE: Final = load(EXAMPLES / "claims" / "app" / "kubernetes-small.yaml")
VOLUME: Final = {"name": "pages", "sizeGB": 20, "mountPath": "/var/lib/wiki"}


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def image(reference: str) -> dict[str, Any]:
    return spec(image=f"registry.example.org/shop{reference}")


def by_label(provider: str) -> dict[str, Any]:
    return spec(crossplane={"compositionSelector": {"matchLabels": {"provider": provider}}})


def by_ref(name: str) -> dict[str, Any]:
    return spec(crossplane={"compositionSelector": None, "compositionRef": {"name": name}})


def database(**fields: Any) -> dict[str, Any]:
    return spec(databases=[{"name": "orders", **fields}])


def volume(**fields: Any) -> dict[str, Any]:
    return spec(volumes=[{**VOLUME, **fields}])


# As the function writes it when the cluster has refused a growth.
LIVE: Final = {"status": {"volumes": claim_of(BY_NAME["app/volume-growth-not-done"])["status"]["volumes"]}}

CHANGES: Final = [
    Change("no provider: the default", spec(crossplane=None)),
    Change("the default, written out on a live claim", {}, spec(crossplane=None)),
    Change("a provider that nobody has", by_label("aws"), refused="must be one of exoscale, ovh, scaleway, kubernetes"),
    Change("a Composition of another kind", by_ref("vm-ovh"), refused="compositionRef must be app-PROVIDER"),
    Change("what a Backstage form writes", by_ref("app-kubernetes")),
    Change("the provider changes", by_label("ovh"), {}, refused="the provider of a claim cannot change"),
    Change("a name with a dot", {"metadata": {"name": "shop.v2"}}, refused="metadata.name must be"),
    Change("a digest", image("@sha256:" + "0" * 64)),
    Change("a tag and a digest", image(":1.4.2@sha256:" + "0" * 64)),
    Change("a registry with a port", spec(image="localhost:5000/shop:1")),
    Change("latest", image(":latest"), refused="names no version"),
    Change("latest, pinned by a digest", image(":latest@sha256:" + "0" * 64), refused="names no version"),
    Change("no tag", image(""), refused="names no version"),
    Change("a registry with a port and no tag", spec(image="localhost:5000/shop"), refused="names no version"),
    Change("a URL", spec(image="https://registry.example.org/shop:1"), refused="must be an image reference"),
    Change("a size that nobody sells", spec(size="huge"), refused="Unsupported value"),
    Change("several replicas", spec(replicas={"min": 2, "max": 5})),
    Change("at most alone", spec(replicas={"max": 5})),
    Change("less at most than at least", spec(replicas={"min": 3, "max": 2}), refused="max must be at least min"),
    Change("no replicas", spec(replicas={"min": 0}), refused="should be greater than or equal to 1"),
    Change("a privileged port", spec(port=80), refused="should be greater than or equal to 1024"),
    Change("a worker", spec(port=None)),
    Change(
        "a worker on the tailnet", spec(port=None, expose={"tailscale": {"hostname": "shop"}}), refused="expose needs the port"
    ),
    Change("a worker with health", spec(port=None, health={"liveness": "/"}), refused="health needs the port"),
    Change("a worker with metrics of the App's port", spec(port=None, metrics={}), refused="metrics needs the port"),
    Change("a worker with metrics", spec(port=None, metrics={"port": 9090})),
    Change("a volume", volume()),
    Change("a volume and one replica", merged(volume(), spec(replicas={"min": 1, "max": 1}))),
    Change(
        "a volume and three replicas", merged(volume(), spec(replicas={"min": 3})), refused="an App with volumes has one replica"
    ),
    Change("a volume and up to two", merged(volume(), spec(replicas={"max": 2})), refused="an App with volumes has one replica"),
    Change("a volume grows", volume(sizeGB=30), merged(volume(), LIVE)),
    Change("a volume shrinks", volume(sizeGB=10), merged(volume(), LIVE), refused="a volume can only grow"),
    Change("a growth that was refused is taken back", volume(), merged(volume(sizeGB=9000), LIVE)),
    Change("a mount path that is relative", volume(mountPath="var"), refused="should match"),
    Change("a database by reference", database(ref="orders")),
    Change("a certain database", database(ref="orders", database="users")),
    Change("a database of its own", database(size="small", provider="ovh")),
    Change("neither", database(), refused="needs ref (a PostgreSQL claim) or size"),
    Change("both", database(ref="orders", size="small"), refused="needs ref (a PostgreSQL claim) or size"),
    Change("a provider of another's database", database(ref="orders", provider="ovh"), refused="provider goes with size"),
    Change("a certain database of its own", database(size="small", database="users"), refused="database goes with ref"),
    Change(
        "a database of another namespace",
        database(ref="team-b/orders"),
        refused="an App binds databases of its own namespace only",
    ),
    Change("a database by its kind", database(ref="Orders"), refused="must be a claim's name"),
    Change("a key that no binding has", database(ref="orders", env=[{"name": "X", "key": "dsn"}]), refused="Unsupported value"),
    Change("a variable twice", spec(env=[{"name": "A"}, {"name": "A"}]), refused="Duplicate value"),
    Change("a variable with a hyphen", spec(env=[{"name": "A-B"}]), refused="should match"),
    Change("a hostname with a dot", spec(expose={"tailscale": {"hostname": "shop.example.org"}}), refused="should match"),
    Change("the public internet", spec(expose={"public": True}), refused="unknown field"),
    Change("a migration", spec(migrate={"command": ["/shop", "migrate"]})),
    Change("a migration of nothing", spec(migrate={"command": []}), refused="should have at least 1 items"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.why)
def test_change(change: Change) -> None:
    assert_judged(change, CHANGES, BASE)
