"""Every rendered resource is valid by its provider's CRD, CEL rules included, and namespaced."""

from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from tests.cases import CASES_WITH_RESOURCES, Case, claims, load
from tests.crds import FOLDER as CRDS
from tests.requests import documents, is_composed
from tools.crossplane import ROOT, validate

needs_crds = pytest.mark.usefixtures("crds")

# Kubernetes' own kinds have no CRD, but published schemas: 1.35's, which has every field that is used here.
KUBERNETES: Final = "1.35"
BUILT_IN: Final = {
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("batch/v1", "Job"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
}


def manifests(golden: Path) -> list[dict[str, Any]]:
    """Return what a golden composes, and what is wrapped in an Object unwrapped beside it."""
    composed = [manifest for manifest in documents(golden) if is_composed(manifest)]
    wrapped = [manifest["spec"]["forProvider"]["manifest"] for manifest in composed if manifest["kind"] == "Object"]
    return [*composed, *wrapped]


def kind_of(manifest: dict[str, Any]) -> tuple[str, str]:
    return manifest["apiVersion"], manifest["kind"]


@needs_crds
def test_every_resource_passes_crossplane_resource_validate(tmp_path: Path) -> None:
    assert CRDS is not None
    resources, expected = tmp_path / "resources", 0
    resources.mkdir()
    for case in CASES_WITH_RESOURCES:
        checked = [manifest for manifest in manifests(case.golden) if kind_of(manifest) not in BUILT_IN]
        expected += len(checked)
        (resources / f"{case.name.replace('/', '-')}.yaml").write_text(yaml.safe_dump_all(checked))
    done = validate([CRDS, ROOT / "apis"], resources, tmp_path / "cache")
    assert f"Total {expected} resources: 0 missing schemas, {expected} success cases, 0 failure cases" in done.stdout, (
        "\n".join(line for line in done.stdout.splitlines() if not line.startswith("[✓]")) + done.stderr
    )


@pytest.mark.parametrize("case", CASES_WITH_RESOURCES, ids=lambda case: case.name)
def test_every_object_of_kubernetes_passes_its_schema(case: Case) -> None:
    for manifest in manifests(case.golden):
        if kind_of(manifest) in BUILT_IN:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_every_kind_of_kubernetes_is_looked_at() -> None:
    composed = {kind_of(manifest) for case in CASES_WITH_RESOURCES for manifest in manifests(case.golden)}
    assert composed >= BUILT_IN


@needs_crds
def test_every_composed_kind_is_namespaced() -> None:
    assert CRDS is not None
    crds = [document for path in CRDS.glob("*/*.yaml") for document in documents(path)]
    scopes = {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): crd["spec"]["scope"]
        for crd in crds
        if crd["kind"] == "CustomResourceDefinition"
        for version in crd["spec"]["versions"]
    }
    xrds = [load(path)["spec"] for path in (ROOT / "apis").glob("*.yaml")]
    scopes |= {(f"{xrd['group']}/v1alpha1", xrd["names"]["kind"]): xrd["scope"] for xrd in xrds}
    composed = {kind_of(m) for case in CASES_WITH_RESOURCES for m in documents(case.golden) if is_composed(m)}
    assert composed - BUILT_IN
    assert {kind: scopes.get(kind) for kind in composed - BUILT_IN} == dict.fromkeys(composed - BUILT_IN, "Namespaced")


def test_every_example_claim_and_status_pass_the_xrd(tmp_path: Path) -> None:
    resources = tmp_path / "resources"
    resources.mkdir()
    for path in claims():
        (resources / f"{path.parent.name}-{path.name}").write_text(path.read_text())
    for case in CASES_WITH_RESOURCES:
        rendered = next(document for document in documents(case.golden) if document["kind"] == case.claim["kind"])
        whole = {**case.claim, "status": {**rendered["status"]}}
        (resources / f"status-{case.name.replace('/', '-')}.yaml").write_text(yaml.safe_dump(whole))
    done = validate([ROOT / "apis"], resources, tmp_path / "cache")
    assert ", 0 failure cases" in done.stdout, done.stdout + done.stderr
    assert "0 missing schemas" in done.stdout, done.stdout + done.stderr


def test_compositions_pass_crossplanes_own_crd(tmp_path: Path) -> None:
    done = validate([ROOT / "apis"], ROOT / "compositions", tmp_path / "cache")
    problems = [line for line in done.stdout.splitlines() if line.startswith("[") and not line.startswith("[✓]")]
    # A step's input has a schema of its own: the function's settings, which every golden reads.
    assert [line for line in problems if ".functions.gravitek.io/" not in line] == []
    assert ", 0 failure cases" in done.stdout, done.stdout + done.stderr
    names = {load(path)["metadata"]["name"]: path for path in (ROOT / "compositions").glob("*/*.yaml")}
    assert {name: f"{path.parent.name}-{path.stem}" for name, path in names.items()} == {name: name for name in names}
