"""Whatever is asked of a claim in whatever order: no machine or disk goes that nobody gave up, and it comes to an end."""

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cases import EXAMPLES, load, merged
from tests.requests import composition_name, documents, fatal, plain, request, resource, run, with_defaults
from tools.crossplane import ROOT, SETTINGS

PROVIDERS: Final = ("exoscale", "ovh", "scaleway")
SECRET: Final = documents(EXAMPLES / "claims" / "vm" / "exoscale-full.required.yaml")[0]
# The longest way: a replacement that waits for the cloud's own guard, with disks to attach and a type to change.
PASSES_TO_SETTLE: Final = 12

disk_lists = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from([10, 20]), max_size=3).map(
    lambda sizes: [{"name": name, "sizeGB": size} for name, size in sizes.items()]
)
rules = st.lists(st.sampled_from(["22", "443", "8000-8100"]), unique=True, max_size=2).map(
    lambda ports: [{"protocol": "tcp", "ports": port, "from": ["203.0.113.0/24"]} for port in ports]
)
edits = st.one_of(
    st.fixed_dictionaries({"dataDisks": disk_lists}),
    st.fixed_dictionaries({"dataDisks": disk_lists, "deletionProtection": st.booleans()}),
    st.fixed_dictionaries({"ingress": rules}),
    st.fixed_dictionaries({"size": st.sampled_from(["small", "large"])}),
    st.fixed_dictionaries(
        {"image": st.sampled_from(["debian-12", "debian-13"]), "recreate": st.sampled_from([None, "now", "now"])}
    ),
    st.fixed_dictionaries({"public": st.booleans(), "recreate": st.sampled_from([None, "now", 1, 1000])}),
    st.fixed_dictionaries({"tailscale": st.fixed_dictionaries({"enabled": st.booleans()}), "recreate": st.just("now")}),
    st.fixed_dictionaries({"deletionProtection": st.booleans()}),
    # Not the claim's: the platform's settings, and the Secret.
    st.fixed_dictionaries({"settings": st.booleans()}),
    st.fixed_dictionaries({"secret": st.booleans()}),
)


def _status_in_the_cloud(provider: str, key: str, body: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Do at once what a cloud does in minutes."""
    parameters = body["spec"].get("forProvider", {})
    told: dict[str, Any] = {"id": f"id-{body['metadata']['name']}"}
    if key.startswith("server"):
        disks = [f"id-web-vm-disk-{name.removeprefix('disk.')}" for name in names if name.startswith("disk.")]
        told |= {
            "exoscale": {
                "state": "running",
                "destroyProtected": parameters.get("destroyProtected"),
                "blockStorageVolumeIds": parameters.get("blockStorageVolumeIds"),
            },
            "ovh": {"status": "ACTIVE", "attachedVolumes": [{"id": disk} for disk in disks]},
            "scaleway": {
                "state": "started",
                "protected": parameters.get("protected"),
                "type": parameters.get("type"),
                "additionalVolumeIds": parameters.get("additionalVolumeIds"),
            },
        }[provider]
    return {"atProvider": told, "conditions": [{"type": "Ready", "status": "True"}]}


class _Cluster:
    """As much of Crossplane and a cloud as a claim's life needs."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        claim = load(EXAMPLES / "claims" / "vm" / f"{provider}-small.yaml")
        spec = {"tailscale": {"authKeySecretRef": {"name": "tailnet", "key": "auth-key"}}}
        self.claim = merged(with_defaults(claim), {"metadata": {"generation": 1}, "spec": spec, "status": {}})
        self.settings = load(SETTINGS)
        self.step = load(ROOT / "compositions" / "vm" / f"{provider}.yaml")["spec"]["pipeline"][0]["input"]
        self.observed: dict[str, dict[str, Any]] = {}
        self.secret = True

    def edit(self, change: dict[str, Any]) -> None:
        if "secret" in change:
            self.secret = change["secret"]
        elif "settings" in change:
            images = {"templateIds": {"ch-gva-2": {"debian-12": "99999999-0000-0000-0000-000000000000"}}}
            self.settings = merged(load(SETTINGS), {"data": {"vm.exoscale": images}} if change["settings"] else {})
        else:
            now = self.claim["metadata"]["generation"]
            numbers = {"recreate": now} if change.get("recreate") == "now" else {}
            self.claim = merged(self.claim, {"metadata": {"generation": now + 1}, "spec": {**change, **numbers}})

    def reconcile(self) -> str:
        """Run one pass; return "refused", "ready" or "waiting"."""
        before = self.observed
        message = request(self.claim, self.step, settings=self.settings, observed=self._manifests())
        response = run(message, "vm", [SECRET] if self.secret else [])
        if fatal(response):
            return "refused"
        self.observed = {}
        for key, entry in response.desired.resources.items():
            body = plain(entry)
            body["metadata"].setdefault("annotations", {})["crossplane.io/composition-resource-name"] = key
            names = [name for name in response.desired.resources if name in before]
            self.observed[key] = {**body, "status": _status_in_the_cloud(self.provider, key, body, names)}
        _check_what_went(before, self.observed, self.claim)
        self.claim = {**self.claim, "status": plain(response.desired.composite)["status"]}
        return "ready" if response.desired.composite.ready == 1 else "waiting"

    def _manifests(self) -> list[dict[str, Any]]:
        manifests = list(self.observed.values())
        assert all(composition_name(manifest) in self.observed for manifest in manifests)
        return manifests


def _check_what_went(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], claim: dict[str, Any]) -> None:
    spec = claim["spec"]
    for key in before.keys() - after.keys():
        if key.startswith(("disk.", "server")):
            assert before[key]["spec"]["managementPolicies"] == ["*"], f"{key} would stay behind in the cloud"
        if key.startswith("disk."):
            assert not spec["deletionProtection"], f"{key} was protected"
            assert key.removeprefix("disk.") not in [disk["name"] for disk in spec.get("dataDisks", [])], f"{key} is still wanted"
        if key.startswith("server"):
            number = spec["recreate"]
            assert f"server.{number}" in after, f"{key} went and nothing came"
            assert claim["status"].get("observedGeneration", 0) <= number <= claim["metadata"]["generation"]
        if key == "firewall":
            pytest.fail("the firewall went")
    for key in before.keys() & after.keys():
        assert before[key]["metadata"]["name"] == after[key]["metadata"]["name"]
        if key.startswith("server"):
            made = ("templateId", "image", "userData", "bootFrom", "flavor", "network", "private", "sshKeysRefs", "sshKeyCreate")
            old, new = (side[key]["spec"]["forProvider"] for side in (before, after))
            assert {field: old.get(field) for field in made} == {field: new.get(field) for field in made}, "a live machine stays"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_any_life(provider: str) -> None:
    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(edits, st.integers(0, 3)), max_size=8))
    def life(events: list[tuple[dict[str, Any], int]]) -> None:
        cluster = _Cluster(provider)
        assert [cluster.reconcile() for _ in range(3)][-1] == "ready"
        for change, passes in events:
            cluster.edit(change)
            for _ in range(passes):
                cluster.reconcile()
        cluster.secret = True
        ends = [cluster.reconcile() for _ in range(PASSES_TO_SETTLE)]
        assert ends[-1] in {"ready", "refused"}, ends
        assert len(set(ends[-3:])) == 1, ends

    life()


def test_the_cluster_of_this_test_replaces_machines() -> None:
    """Or the lives above would prove nothing."""
    cluster = _Cluster("scaleway")
    for _ in range(3):
        cluster.reconcile()
    cluster.edit({"image": "debian-13", "recreate": "now", "dataDisks": [{"name": "a", "sizeGB": 10}]})
    for _ in range(PASSES_TO_SETTLE):
        cluster.reconcile()
    assert set(cluster.observed) == {"disk.a", "firewall", "nic.1", "protection", "server.1"}
    assert resource(cluster.observed["disk.a"])
