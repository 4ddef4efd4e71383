"""Whatever is asked of a claim in whatever order: no data goes that nobody gave up, pods change in time, and it ends."""

from base64 import b64encode
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.kit.binding import NEEDED
from tests.cases import EXAMPLES, load, merged
from tests.requests import fatal, plain, request, run, with_defaults
from tools.crossplane import ROOT, SETTINGS

PROVIDERS: Final = ("kubernetes", "exoscale")
# The longest way: a database is bound, handed over, migrated, and the pods roll out.
PASSES_TO_SETTLE: Final = 16
JOB_PASSES: Final = 3

IMAGES: Final = [f"registry.example.org/shop:{version}" for version in ("1.0", "1.1", "2.0")]
BAD: Final = IMAGES[-1]  # its migration fails

databases = st.lists(st.sampled_from(["own", "other", "ref"]), unique=True, max_size=3).map(
    lambda names: [
        {"name": name, **({"ref": "orders"} if name == "ref" else {"size": "small", "provider": "ovh"})} for name in names
    ]
)
volumes = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([10, 20]), max_size=2).map(
    lambda sizes: [{"name": name, "sizeGB": size, "mountPath": f"/{name}"} for name, size in sizes.items()]
)
edits = st.one_of(
    st.fixed_dictionaries({"image": st.sampled_from(IMAGES)}),
    st.fixed_dictionaries({"databases": databases}),
    st.fixed_dictionaries({"volumes": volumes}),
    st.fixed_dictionaries({"replicas": st.sampled_from([{"min": 1}, {"min": 2, "max": 4}])}),
    st.fixed_dictionaries({"deletionProtection": st.booleans()}),
    st.fixed_dictionaries({"migrate": st.sampled_from([None, {"command": ["a"]}, {"command": ["b"]}])}),
    st.fixed_dictionaries({"secrets": st.sampled_from([[], [{"name": "TOKEN", "key": "token"}]])}),
    st.fixed_dictionaries({"port": st.sampled_from([None, 8080])}),
    st.fixed_dictionaries({"orders": st.booleans()}),  # the PostgreSQL claim that others made comes and goes
    st.fixed_dictionaries({"monitoring": st.booleans()}),
)


def _binding(name: str) -> dict[str, Any]:
    data = {key: b64encode(b"x").decode() for key in NEEDED}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "team-a"}, "data": data}


def _postgresql(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "platform.gravitek.io/v1alpha1",
        "kind": "PostgreSQL",
        "metadata": {"name": name, "namespace": "team-a"},
        "status": {"provider": "ovh", "binding": {"name": f"{name}-binding"}, "conditions": [_is("Ready")]},
    }


def _is(condition: str) -> dict[str, str]:
    return {"type": condition, "status": "True", "reason": "So"}


def _as_it_becomes(body: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Do what the cluster does with an object between two passes: what changes, operators have seen only in the next one."""
    kind, status = body["kind"], {}
    was: dict[str, Any] = before or {"metadata": {}, "status": {}}
    generation = was["metadata"].get("generation", 0) + (was.get("spec") != body.get("spec") or before is None)
    if kind != "Deployment":  # whose replicas are not in every manifest
        body = merged(body, {"metadata": {"generation": generation}})
    seen = bool(before) and generation == was["metadata"].get("generation")
    if kind == "Object":
        inside = body["spec"]["forProvider"]["manifest"]
        manifest = _as_it_becomes(inside, before["status"]["atProvider"]["manifest"] if before else None)
        return {**body, "status": {"conditions": [_is("Ready"), _is("Synced")], "atProvider": {"manifest": manifest}}}
    if kind == "Deployment":
        replicas = body["spec"].get("replicas", 2)
        same = before is not None and was["spec"]["template"] == body["spec"]["template"]
        generation = was["metadata"].get("generation", 0) + (not same)
        body = merged(body, {"spec": {"replicas": replicas}, "metadata": {"generation": generation}})
        counts = {"updatedReplicas": replicas if same else 0, "availableReplicas": replicas}
        status = {"conditions": [_is("Available")], "observedGeneration": generation, **counts}
    elif kind == "Job":
        image = body["spec"]["template"]["spec"]["containers"][0]["image"]
        assert before is None or before["spec"]["template"] == body["spec"]["template"], "a Job cannot change"
        runs = was["status"].get("passes", 0) + 1
        status = {"passes": runs} | ({"active": 1, "ready": 1} if runs < JOB_PASSES else {})
        if runs >= JOB_PASSES:
            status["conditions"] = [_is("Failed" if image == BAD else "Complete")]
    elif kind == "PersistentVolumeClaim":
        status = {"phase": "Bound"}
    elif kind == "PostgreSQL":
        return {**body, "status": _postgresql(body["metadata"]["name"])["status"]} if before else body
    elif kind in {"ExternalSecret", "PushSecret"}:
        status = {"conditions": [_is("Ready")], "syncedResourceVersion": f"{generation}-x"} if seen else was["status"]
    elif kind == "Usage":
        status = {"conditions": [_is("Ready")]} if before else {}
    return {**body, "status": status}


class _Cluster:
    """A claim in a cluster that answers."""

    def __init__(self, provider: str) -> None:
        claim = load(EXAMPLES / "claims" / "app" / f"{provider}-small.yaml")
        self.claim = with_defaults(merged(claim, {"spec": {"image": IMAGES[0]}}))
        self.step = load(ROOT / "compositions" / "app" / f"{provider}.yaml")["spec"]["pipeline"][0]["input"]
        self.settings = load(SETTINGS)
        self.provider = provider
        self.observed: dict[str, dict[str, Any]] = {}
        self.orders = True

    def edit(self, change: dict[str, Any]) -> None:
        if "orders" in change:
            self.orders = change["orders"]
        elif "monitoring" in change:
            self.settings = merged(self.settings, {"data": {f"app.{self.provider}": change}})
        else:
            self.claim = with_defaults(merged(self.claim, {"spec": change}))

    def reconcile(self) -> str:
        """Run one pass; return "refused", "ready" or "waiting"."""
        before = self.observed
        there = [*([_postgresql("orders"), _binding("orders-binding")] if self.orders else [])]
        there += [_binding(f"{body['metadata']['name']}-binding") for body in before.values() if body["kind"] == "PostgreSQL"]
        message = request(self.claim, self.step, settings=self.settings, observed=before.values())
        response = run(message, "app", there)
        if fatal(response):
            return "refused"
        self.observed = {}
        for key, entry in response.desired.resources.items():
            body = plain(entry)
            body["metadata"].setdefault("annotations", {})["crossplane.io/composition-resource-name"] = key
            self.observed[key] = _as_it_becomes(body, before.get(key))
        self._check(before, {secret["metadata"]["name"] for secret in there if secret["kind"] == "Secret"})
        self.claim = {**self.claim, "status": plain(response.desired.composite)["status"]}
        return "ready" if response.desired.composite.ready == 1 else "waiting"

    def _check(self, before: dict[str, dict[str, Any]], bindings: set[str]) -> None:
        spec, after = self.claim["spec"], self.observed
        for key in before.keys() - after.keys():
            field, _, name = key.partition(".")
            assert field != "deployment", "the pods went"
            assert field != "migrate" or "ready" not in _status(before[key]), "a migration was ended at work"
            if field in {"volume", "database"}:
                assert not spec["deletionProtection"], f"{key} was protected"
                assert name not in [entry["name"] for entry in spec.get(f"{field}s", []) if "ref" not in entry], (
                    f"{key} is still wanted"
                )
            if field == "database":
                assert before[key]["spec"]["deletionProtection"] is False, f"{key} would refuse to go"
            if field == "volume" and before[key]["kind"] == "Object":
                assert before[key]["spec"]["managementPolicies"] == ["*"], f"{key} would stay behind"
        for key in before.keys() & after.keys():
            assert before[key]["metadata"]["name"] == after[key]["metadata"]["name"]
        at_work = [key for key, body in after.items() if key.startswith("migrate.") and "ready" in _status(body)]
        assert len(at_work) < 2, f"two migrations run: {at_work}"
        if now := _template(after):
            _check_pods(now, after)
        was, now = (_template(side) for side in (before, after))
        if now != was and now is not None:
            assert now["spec"]["containers"][0]["image"] == spec["image"]
            mounted = [volume["secret"]["secretName"] for volume in now["spec"]["volumes"] if "secret" in volume]
            assert set(mounted) <= bindings, "a pod would wait for a binding"
            _check_pods(now, {key: body for key, body in before.items() if _is_synced(body)})
            if spec.get("migrate"):
                done = [body for key, body in before.items() if key.startswith("migrate.") and "Complete" in str(body["status"])]
                images = [_manifest(body)["spec"]["template"]["spec"]["containers"][0]["image"] for body in done]
                assert spec["image"] in images, "the new image came before its migration"


def _check_pods(template: dict[str, Any], objects: dict[str, dict[str, Any]]) -> None:
    """Check that everything that pods read is fetched."""
    fetched = {
        (_manifest(body)["spec"]["target"]["name"], entry.get("secretKey", ""))
        for body in objects.values()
        if _manifest(body)["kind"] == "ExternalSecret"
        for entry in _manifest(body)["spec"].get("data", [{}])
    }
    for variable in template["spec"]["containers"][0].get("env", []):
        if ref := variable.get("valueFrom", {}).get("secretKeyRef"):
            assert (ref["name"], ref["key"]) in fetched, f"a pod would wait for {ref}"
    if any(body["kind"] == "Object" for body in objects.values()):
        mounted = {volume["secret"]["secretName"] for volume in template["spec"]["volumes"] if "secret" in volume}
        assert mounted <= {name for name, _ in fetched}, "a pod would wait for a binding in the other cluster"


def _status(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["status"]["atProvider"]["manifest"]["status"] if body["kind"] == "Object" else body["status"]
    return found


def _is_synced(body: dict[str, Any]) -> bool:
    live = body["status"]["atProvider"]["manifest"] if body["kind"] == "Object" else body
    version = str(live["status"].get("syncedResourceVersion", ""))
    return live["kind"] != "ExternalSecret" or version.startswith(f"{live['metadata']['generation']}-")


def _manifest(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["spec"]["forProvider"]["manifest"] if body["kind"] == "Object" else body
    return found


def _template(objects: dict[str, dict[str, Any]]) -> Any:
    return _manifest(objects["deployment"])["spec"]["template"] if "deployment" in objects else None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_any_life(provider: str) -> None:
    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(edits, st.integers(0, 4)), max_size=8))
    def life(events: list[tuple[dict[str, Any], int]]) -> None:
        cluster = _Cluster(provider)
        assert [cluster.reconcile() for _ in range(3)][-1] == "ready"
        for change, passes in events:
            cluster.edit(change)
            for _ in range(passes):
                cluster.reconcile()
        cluster.edit({"orders": True})
        ends = [cluster.reconcile() for _ in range(PASSES_TO_SETTLE)]
        assert len(set(ends[-3:])) == 1, ends
        # A live App stays ready even where its new image's migration fails.
        assert ends[-1] in {"ready", "refused"}, ends

    life()


def test_the_cluster_of_this_test_rolls_out_and_gives_up() -> None:
    """Or the lives above would prove nothing."""
    cluster = _Cluster("exoscale")
    cluster.edit(
        {"databases": [{"name": "own", "size": "small"}, {"name": "ref", "ref": "orders"}], "migrate": {"command": ["a"]}}
    )
    cluster.edit({"volumes": [{"name": "a", "sizeGB": 10, "mountPath": "/a"}]})
    assert [cluster.reconcile() for _ in range(PASSES_TO_SETTLE)][-1] == "ready"
    cluster.edit(
        {"image": IMAGES[1], "deletionProtection": False, "volumes": [], "databases": [{"name": "ref", "ref": "orders"}]}
    )
    for _ in range(PASSES_TO_SETTLE):
        cluster.reconcile()
    assert not [key for key in cluster.observed if key in {"database.own", "volume.a", "protection"}]
    assert len([key for key in cluster.observed if key.startswith(("push.", "binding."))]) == 2, "one binding is left"
    assert _template(cluster.observed)["spec"]["containers"][0]["image"] == IMAGES[1]
    cluster.edit({"image": BAD})
    for _ in range(PASSES_TO_SETTLE):
        cluster.reconcile()
    assert _template(cluster.observed)["spec"]["containers"][0]["image"] == IMAGES[1]
