"""What a change takes off a live claim goes, in the cluster and in the cloud, and nothing else does."""

import copy
from typing import Any, Final

import pytest

from tests.e2e.claims import composed, example, identities, in_clouds, namespace, of, ready, required
from tests.e2e.plane import Cluster
from tests.e2e.programs import until

APP: Final[dict[str, Any]] = {
    "image": "registry.example.org/team-a/shop:1.4.2",
    "migrate": {"command": ["/shop", "migrate"]},
    "metrics": {"port": 9090},
    "expose": {"tailscale": {"hostname": "shop"}},
    "secrets": [{"name": "TOKEN", "key": "token"}, {"name": "SESSION", "key": "session"}],
    "volumes": [{"name": "pages", "sizeGB": 10, "mountPath": "/pages"}],
    "deletionProtection": False,
}


@pytest.mark.parametrize("provider", ["kubernetes", "exoscale"])
def test_what_leaves_an_app_goes_and_nothing_else(provider: str, platform: Cluster, apps: Cluster) -> None:
    space, where = f"removal-app-{provider}", platform if provider == "kubernetes" else apps
    for cluster in (platform, apps):
        cluster.apply(namespace(space))
    claim = example(f"app/{provider}-small", space, **APP)
    platform.apply(claim)
    before = composed(platform, ready(platform, claim))
    (migration,) = (key for key in before if key.startswith("migrate."))
    (made,) = where.get("jobs", f"--namespace={space}")
    less = {
        "image": "registry.example.org/team-a/shop:1.5.0",
        "metrics": None,
        "expose": None,
        "secrets": APP["secrets"][:1],
        "volumes": None,
    }
    platform.patch(claim, {"spec": less})
    until("the new image", lambda: ready(platform, claim)["status"]["image"].endswith(":1.5.0"), 90)
    gone = {migration, "ingress", "scrape", "volume.pages"}
    until("what leaves to go", lambda: not gone & composed(platform, claim).keys(), 90)
    after = composed(platform, claim)
    assert set(before) - set(after) == gone
    assert {key: identities(after)[key] for key in before.keys() & after.keys()} == {
        key: identities(before)[key] for key in before.keys() & after.keys()
    }
    kinds = "jobs,ingresses.networking.k8s.io,vmservicescrapes,persistentvolumeclaims"
    until("the other cluster to follow", lambda: len(where.get(kinds, f"--namespace={space}")) == 1)  # the new Job
    uids = {pod["metadata"]["ownerReferences"][0]["uid"] for pod in where.get("pods", f"--namespace={space}")}
    assert made["metadata"]["uid"] not in uids, "the migration's pods stay behind"
    until("the secret to go that no pod reads", lambda: _fetched(where, space) == ["TOKEN"])


def _fetched(where: Cluster, space: str) -> list[str]:
    (found,) = where.get("externalsecrets", f"--namespace={space}")
    return [entry["secretKey"] for entry in found["spec"]["data"]]


@pytest.mark.parametrize("name", ["vm/exoscale-full", "vm/scaleway-full"])
def test_a_disk_and_a_rule_leave_a_machine_and_then_the_machine_is_replaced(name: str, platform: Cluster) -> None:
    space = f"removal-{name.replace('/', '-')}"
    platform.apply(namespace(space))
    claim = example(name, space)
    platform.apply(*required(name, space), claim)
    found = ready(platform, claim)
    before = composed(platform, found)
    less = copy.deepcopy(claim["spec"])
    less["dataDisks"].pop()
    less["ingress"].pop()
    platform.patch(claim, {"spec": {"deletionProtection": False, "dataDisks": less["dataDisks"], "ingress": less["ingress"]}})
    until("the disk to go", lambda: "disk.logs" not in composed(platform, claim), 90)
    after = composed(platform, ready(platform, claim))
    kept = {key for key in before if key in after}
    assert all(key == "protection" or key.startswith(("disk.logs", "rule.")) for key in set(before) - kept)
    assert {key: identities(after)[key] for key in kept} == {key: identities(before)[key] for key in kept}
    until("the cloud to follow", lambda: in_clouds(space)["Volume" if "scaleway" in name else "BlockStorageVolume"] == 1)

    machine = "Server" if "scaleway" in name else "Instance"
    old = next(part for part in after.values() if part["kind"] == machine)["metadata"]["uid"]
    now = platform.get(*of(claim))
    platform.patch(claim, {"spec": {"image": "debian-13", "recreate": now["metadata"]["generation"]}})
    until("another machine", lambda: _uids(platform, claim, machine) not in ([], [old], [old, old]), 90)
    found = until("the new image", lambda: _with_image(ready(platform, claim, 120), "debian-13"), 120)
    assert len(_uids(platform, claim, machine)) == 1
    assert old not in _uids(platform, claim, machine)
    assert in_clouds(space)[machine] == 1
    assert [disk["name"] for disk in found["status"]["dataDisks"]] == ["data"]


def _uids(platform: Cluster, claim: dict[str, Any], kind: str) -> list[str]:
    return [part["metadata"]["uid"] for part in composed(platform, claim).values() if part["kind"] == kind]


def _with_image(found: dict[str, Any], image: str) -> dict[str, Any] | None:
    return found if found["status"]["image"] == image else None
