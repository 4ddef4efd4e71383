"""What the packages and the cluster's manifests name is what the functions compose, no more and no less."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import lupa.lua51 as lupa
import pytest
import yaml

from package.build import KINDS, TITLES
from tests.cases import CASES_WITH_RESOURCES, load
from tests.conformance.test_schemas import kind_of, needs_crds
from tests.crds import FOLDER as CRDS
from tests.goldens import claim_of
from tests.requests import documents, is_composed
from tools.crossplane import ROOT, validate

CLUSTER: Final = ROOT / "package" / "cluster"
CONFIGURATION: Final = ROOT / "package" / "configuration"

# Kubernetes' own kinds; the others' plurals stand in their CRDs.
PLURALS: Final = {
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
}


def composed() -> Iterator[dict[str, Any]]:
    for case in CASES_WITH_RESOURCES:
        yield from (document for document in documents(case.golden) if is_composed(document))


def crds() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the CRDs by apiVersion and kind."""
    assert CRDS is not None
    found = {}
    for path in CRDS.glob("*/*.yaml"):
        for crd in documents(path):
            if crd["kind"] == "CustomResourceDefinition":
                for version in crd["spec"]["versions"]:
                    found[f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]] = crd
    return found


@needs_crds
def test_just_what_is_composed_is_activated() -> None:
    known = crds()
    wrapped = [body["spec"]["forProvider"]["manifest"] for body in composed() if body["kind"] == "Object"]
    names = {
        known[kind_of(body)]["metadata"]["name"]
        for body in [*composed(), *wrapped]
        if kind_of(body) in known and "crossplane" in (known[kind_of(body)]["spec"]["names"].get("categories") or [])
    }
    # Neither is made by a provider out of a claim: a way to one, and Crossplane's own.
    names -= {"providerconfigs.postgresql.sql.m.crossplane.io", "usages.protection.crossplane.io"}
    activated = load(CONFIGURATION / "activation.yaml")["spec"]["activate"]
    assert activated == sorted(names)


@needs_crds
def test_just_what_no_provider_brings_is_granted() -> None:
    known = crds()
    wanted = set()
    for body in composed():
        api_version, kind = kind_of(body)
        group = api_version.rpartition("/")[0]
        crd = known.get((api_version, kind))
        managed = crd is not None and "crossplane" in (crd["spec"]["names"].get("categories") or [])
        if group == "platform.gravitek.io" or (managed and group != "protection.crossplane.io"):
            continue  # Crossplane's RBAC manager grants what XRDs and providers bring
        wanted.add((group, crd["spec"]["names"]["plural"] if crd else PLURALS.get(kind, f"{kind.lower()}s")))
    role = next(document for document in documents(CLUSTER / "rbac.yaml") if "labels" in document["metadata"])
    assert role["metadata"]["labels"] == {"rbac.crossplane.io/aggregate-to-crossplane": "true"}
    granted = {(group, resource) for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]}
    assert granted == wanted
    assert all(rule["verbs"] == ["get", "list", "watch", "create", "update", "patch", "delete"] for rule in role["rules"])


@needs_crds
def test_what_the_cluster_applies_passes_its_schema(tmp_path: Path) -> None:
    assert CRDS is not None
    resources = tmp_path / "resources"
    resources.mkdir()
    checked = [*documents(CLUSTER / "runtime.yaml"), *documents(CONFIGURATION / "activation.yaml")]
    (resources / "all.yaml").write_text(yaml.safe_dump_all(checked))
    done = validate([CRDS], resources, tmp_path / "cache")
    assert f"{len(checked)} success cases, 0 failure cases" in done.stdout, done.stdout + done.stderr


def test_the_configuration_asks_for_every_function() -> None:
    wanted = [entry for entry in load(CONFIGURATION / "crossplane.yaml")["spec"]["dependsOn"] if entry["kind"] == "Function"]
    assert [(entry["package"], entry["version"]) for entry in wanted] == [
        (f"REGISTRY/function-{kind}", "VERSION") for kind in KINDS
    ]
    assert {kind: load(path)["spec"]["names"]["kind"] for kind, path in KINDS.items()} == TITLES


def health(claim: dict[str, Any], kind: str) -> tuple[str, str]:
    """Ask Argo CD's rule, with the Lua that Argo CD runs."""
    rule = load(CLUSTER / "argocd.yaml")["data"][f"resource.customizations.health.platform.gravitek.io_{kind}"]
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(claim, recursive=True)
    answer = lua.execute(rule)
    return answer["status"], answer["message"]


def claim(conditions: Mapping[str, tuple[str, str, str]], generation: int = 1) -> dict[str, Any]:
    told = [
        {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1}
        for kind, (status, reason, message) in conditions.items()
    ]
    return {"metadata": {"generation": generation}, "status": {"conditions": told}}


GOOD: Final = dict.fromkeys(("Synced", "Accepted", "Provisioned", "Bound", "Ready"), ("True", "So", ""))


@pytest.mark.parametrize(
    ("given", "status", "message", "why"),
    [
        ({"metadata": {}}, "Progressing", "nobody has looked at it yet", "no status at all"),
        (claim(GOOD), "Healthy", "", "all is well"),
        (claim(GOOD, 2), "Progressing", "the last change has not been looked at yet", "an old status"),
        (claim(GOOD | {"Accepted": ("False", "NotOffered", "x")}), "Degraded", "x", "a refusal"),
        (claim(GOOD | {"Synced": ("False", "ReconcileError", "y")}), "Degraded", "y", "Crossplane fails"),
        (
            claim(GOOD | {"Provisioned": ("False", "Failing", "z")}),
            "Degraded",
            "z",
            "a migration failed, though the old version serves",
        ),
        (claim(GOOD | {"Provisioned": ("False", "Creating", "w")}), "Progressing", "w", "being made"),
        (claim(GOOD | {"Bound": ("False", "Waiting", "v")}), "Progressing", "v", "not bound"),
        (claim({"Synced": ("True", "So", "")}), "Progressing", "it is being made", "just made"),
    ],
)
def test_health_in_argo_cd(given: dict[str, Any], status: str, message: str, why: str) -> None:
    assert health(given, "App") == (status, message), why


@pytest.mark.parametrize("case", [case for case in CASES_WITH_RESOURCES if case.observed], ids=lambda case: case.name)
def test_argo_cd_is_healthy_when_all_conditions_are_true(case: Any) -> None:
    rendered = claim_of(case)
    good = {condition["status"] for condition in rendered["status"]["conditions"]} == {"True"}
    assert (health(rendered, rendered["kind"])[0] == "Healthy") is good
