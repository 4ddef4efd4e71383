"""Deletion: refused while a claim is protected; then nothing stays behind, in the cluster or in a cloud."""

from typing import Any, Final

import pytest

from tests.e2e.claims import everything_in, example, in_clouds, namespace, of, ready, required, servers
from tests.e2e.plane import Cluster
from tests.e2e.programs import Failed, until

_UNPROTECTED: Final = {"spec": {"deletionProtection": False}}


@pytest.mark.parametrize(
    "name",
    [
        "postgresql/exoscale-small",
        "postgresql/ovh-full",
        "postgresql/scaleway-small",
        "postgresql/kubernetes-full",
        "vm/exoscale-full",
        "vm/ovh-full",
        "vm/scaleway-full",
        "app/kubernetes-volume",
        "app/scaleway-volume",
    ],
)
def test_deletion_is_refused_then_allowed_and_leaves_nothing(name: str, platform: Cluster, apps: Cluster) -> None:
    space = f"deletion-{name.replace('/', '-')}"
    for cluster in (platform, apps):
        cluster.apply(namespace(space))
    claim, beside = example(name, space), required(name, space)
    given = {f"{found['kind'].lower()}/{found['metadata']['name']}" for found in beside}
    running = servers()
    platform.apply(*beside, claim)
    ready(platform, claim)
    assert servers() == running + name.startswith("postgresql/")
    assert in_clouds(space) or not name.startswith("vm/")
    with pytest.raises(Failed, match="set it to false, wait until this Usage is gone, then delete"):
        platform.kubectl("delete", *of(claim), "--wait=false")
    assert "deletionTimestamp" not in platform.get(*of(claim))["metadata"]

    platform.patch(claim, _UNPROTECTED)
    until("its Usage to go", lambda: not platform.get("usages.protection.crossplane.io", f"--namespace={space}"), 90)
    platform.kubectl("delete", *of(claim), "--wait=false")
    until("the claim to go", lambda: platform.get(*of(claim)) is None, 90)
    until("everything to go", lambda: not _left(platform, space) - given, 90, pause=1)
    until("everything to go where Apps run", lambda: not _left(apps, space), 90, pause=1)
    assert not in_clouds(space)
    assert servers() == running
    assert not [found for found in _cluster_scoped(platform) if space in found]


def _left(cluster: Cluster, space: str) -> set[str]:
    return {found for found in everything_in(cluster, space) if not found.startswith("lease")}


def _cluster_scoped(platform: Cluster) -> list[Any]:
    return platform.kubectl("get", "postgresqls.exoscale.crossplane.io", "--output=name").split()
