"""Apps: their pods keep the strictest Pod Security Standard, are the same in every cluster, and change only as asked."""

import json
import subprocess
from itertools import pairwise
from typing import Any, Final

import pytest
import yaml

from functions.kit.guard import PROVIDER_LABEL
from tests.cases import BY_NAME, CASES_WITH_RESOURCES, Case
from tests.goldens import composed
from tests.requests import documents
from tools.crossplane import BINARIES

APPS: Final = [case for case in CASES_WITH_RESOURCES if case.kind == "app"]
CLOUDS: Final = ("exoscale", "ovh", "scaleway")


def objects(case: Case) -> dict[str, dict[str, Any]]:
    """Return what runs in the App's cluster, by composition resource name: taken out of Objects, without the claim's own."""
    found = {}
    for key, body in composed(case).items():
        found[key] = body["spec"]["forProvider"]["manifest"] if body["kind"] == "Object" else body
    return found


def pods(case: Case) -> list[dict[str, Any]]:
    return [body["spec"]["template"] for body in objects(case).values() if body["kind"] in {"Deployment", "Job"}]


def judge(level: str, templates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask Kubernetes' own library what its admission of pods says."""
    done = subprocess.run(
        [str(BINARIES / "psscheck"), level],
        input=yaml.safe_dump_all(templates),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_pod_keeps_the_standard_restricted() -> None:
    templates = {f"{case.name} {number}": pod for case in APPS for number, pod in enumerate(pods(case))}
    assert len(templates) > len(APPS) // 2
    verdicts = judge("restricted", list(templates.values()))
    assert [(name, verdict["reasons"]) for name, verdict in zip(templates, verdicts, strict=True) if not verdict["allowed"]] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "securityContext", "runAsNonRoot"), False),
        (("spec", "securityContext", "seccompProfile"), None),
        (("spec", "hostNetwork"), True),
        (("spec", "containers", 0, "securityContext", "allowPrivilegeEscalation"), True),
        (("spec", "containers", 0, "securityContext", "capabilities"), {"add": ["NET_ADMIN"], "drop": ["ALL"]}),
        (("spec", "volumes"), [{"name": "host", "hostPath": {"path": "/"}}]),
    ],
    ids=str,
)
def test_the_standard_refuses_what_it_should(path: tuple[Any, ...], value: Any) -> None:
    """Or the test above would prove nothing."""
    pod = json.loads(json.dumps(pods(BY_NAME["app/kubernetes-small"])[0]))
    at = pod
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert [verdict["allowed"] for verdict in judge("restricted", [pod])] == [False]


@pytest.mark.parametrize("case", APPS, ids=lambda case: case.name)
def test_no_pod_has_more_than_it_needs(case: Case) -> None:
    """What the standard leaves open: the root file system, tokens, and limits."""
    for pod in pods(case):
        spec, container = pod["spec"], pod["spec"]["containers"][0]
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert container["resources"]["limits"] == {"memory": container["resources"]["requests"]["memory"]}
        assert not [variable for variable in container.get("env", []) if "password" in str(variable.get("value", ""))]


@pytest.mark.parametrize("case", APPS, ids=lambda case: case.name)
def test_no_app_is_on_the_internet(case: Case) -> None:
    bodies = objects(case).values()
    assert {body["spec"]["type"] for body in bodies if body["kind"] == "Service"} <= {"ClusterIP"}
    assert {body["spec"]["ingressClassName"] for body in bodies if body["kind"] == "Ingress"} <= {"tailscale"}
    assert "funnel" not in case.golden.read_text()
    policies = [body["spec"] for body in bodies if body["kind"] == "NetworkPolicy"]
    assert [policy["policyTypes"] for policy in policies] == [["Ingress"]]
    assert all(rule["from"] and rule["ports"] for policy in policies for rule in policy.get("ingress", []))


@pytest.mark.parametrize("case", APPS, ids=lambda case: case.name)
def test_a_scaled_app_has_no_replicas_of_its_own(case: Case) -> None:
    bodies = objects(case)
    if "deployment" in bodies:
        assert ("replicas" in bodies["deployment"]["spec"]) is ("autoscaler" not in bodies)
        assert ("autoscaler" in bodies) is ("budget" in bodies)


def alike(body: dict[str, Any]) -> Any:
    """Leave out what the cluster decides: namespace and owner, the provider's label, and storage classes."""
    metadata = {key: value for key, value in body["metadata"].items() if key in {"name", "labels", "annotations"}}
    ours = {"crossplane.io/composition-resource-name"}
    metadata["annotations"] = {key: value for key, value in metadata.get("annotations", {}).items() if key not in ours}
    text = json.dumps({**body, "metadata": metadata}, sort_keys=True)
    for provider in ("kubernetes", *CLOUDS):
        text = text.replace(f'"{PROVIDER_LABEL}": "{provider}"', f'"{PROVIDER_LABEL}": "PROVIDER"')
    found = json.loads(text)
    found["metadata"]["labels"].pop("crossplane.io/composite", None)
    if body["kind"] == "PersistentVolumeClaim":
        found["spec"].pop("storageClassName")
    return found


@pytest.mark.parametrize(
    "step", ["small", "medium", "large", "ready", "full", "full-migrating", "full-ready", "volume", "volume-ready"]
)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_same_objects_in_every_cluster(cloud: str, step: str) -> None:
    here, there = objects(BY_NAME[f"app/kubernetes-{step}"]), objects(BY_NAME[f"app/{cloud}-{step}"])
    # Bindings are handed over to another cluster, and the claim's own databases may be anywhere.
    handed_over = {key for key in there if key.startswith(("push.", "binding."))}
    assert set(here) == set(there) - handed_over
    for key in here.keys() - {key for key in here if key.startswith("database.")}:
        mine, theirs = alike(here[key]), alike(there[key])
        if key == "rules":  # a cloud's own database tells its volume to that cloud only
            for body in (mine, theirs):
                body["spec"]["groups"][0]["rules"] = [
                    rule for rule in body["spec"]["groups"][0]["rules"] if rule["alert"] != "DatabaseNearlyFull"
                ]
        assert mine == theirs, key


def differences(before: Any, after: Any, path: str = "") -> set[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        keys = before.keys() | after.keys()
        return {found for key in keys for found in differences(before.get(key), after.get(key), f"{path}.{key}")}
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return {
            found
            for number, pair in enumerate(zip(before, after, strict=True))
            for found in differences(*pair, f"{path}[{number}]")
        }
    return set() if before == after else {path}


ROLLOUT: Final = (
    "full-ready",
    "rollout-0-asked",
    "rollout-1-migrating",
    "rollout-2-migrated",
    "rollout-3-rolling",
    "rollout-4-done",
)


def test_a_rollout_changes_only_what_the_claim_changed() -> None:
    names = [f"app/kubernetes-{step}" if step == "full-ready" else f"app/{step}" for step in ROLLOUT]
    passes = [objects(BY_NAME[name]) for name in names]
    old, new = (next(key for key in passes[number] if key.startswith("migrate.")) for number in (0, -1))
    assert old != new
    changed = [{key: differences(a.get(key), b.get(key)) for key in a.keys() | b.keys()} for a, b in pairwise(passes)]
    told = [{key: paths for key, paths in change.items() if paths} for change in changed]
    image = {
        "deployment": {
            ".spec.template.spec.containers[0].image",
            ".spec.template.metadata.labels.app.kubernetes.io/version",
        }
    }
    assert told == [{old: {""}, new: {""}}, {}, image, {}, {}]


def test_a_failed_migration_changes_no_pod() -> None:
    before, after = objects(BY_NAME["app/kubernetes-full-ready"]), objects(BY_NAME["app/rollout-failed-migration"])
    assert before["deployment"] == after["deployment"]


def test_a_binding_never_stands_in_a_spec() -> None:
    for case in APPS:
        for secret in [
            body for path in (case.required, case.observed) if path for body in documents(path) if body["kind"] == "Secret"
        ]:
            assert secret["data"]["password"] not in case.golden.read_text()
        assert not [body for body in objects(case).values() if body["kind"] == "Secret"]


def empty_lists(body: Any, path: str = "") -> list[str]:
    if isinstance(body, dict):
        return [found for key, value in body.items() for found in empty_lists(value, f"{path}.{key}")]
    if isinstance(body, list):
        return [found for entry in body for found in empty_lists(entry, f"{path}[]")] if body else [path]
    return []


KUBERNETES_OWN: Final = {"v1", "apps", "autoscaling", "batch", "networking.k8s.io", "policy"}


@pytest.mark.parametrize("case", CASES_WITH_RESOURCES, ids=lambda case: case.name)
def test_kubernetes_own_kinds_have_no_empty_list(case: Case) -> None:
    """The API server stores none, so that each pass would be a change, which starts the next pass, for ever."""
    own = {key: body for key, body in objects(case).items() if body["apiVersion"].partition("/")[0] in KUBERNETES_OWN}
    assert {key: found for key, body in own.items() if (found := empty_lists(body))} == {}
