"""A new version of a function takes over what the last release composed, and renames, removes or moves nothing.

The goldens of the last release are what is live: those of the newest tag v*, or of RELEASE=ref. Before the first release
(RELEASE is empty, or there is no tag) the committed ones serve.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.cases import CASES_WITH_RESOURCES, EXAMPLES, Case
from tests.requests import composition_name, documents, fatal, plain, request, run, with_defaults
from tools.crossplane import ROOT, composition_of

# What no cloud changes on something that is live: shared facts of the providers' resources.
FIXED: Final[dict[str, list[str]]] = {
    "Object": [
        "forProvider.manifest.metadata.name",
        "forProvider.manifest.kind",
        "forProvider.manifest.spec.forProvider.zone",
        "forProvider.manifest.spec.selector",
        "forProvider.manifest.spec.accessModes",
        "forProvider.manifest.spec.storageClassName",
        "providerConfigRef",
        "forProvider.manifest.spec.writeConnectionSecretToRef",
    ],
    "ProjectDatabase": ["forProvider.serviceName", "forProvider.engine", "forProvider.nodes"],
    "ProjectDatabasePostgresqlUser": ["forProvider.serviceName", "forProvider.name"],
    "Instance": [  # of rdb on Scaleway, and the machine on Exoscale
        "forProvider.region",
        "forProvider.userName",
        "forProvider.engine",
        "forProvider.volumeType",
        "forProvider.name",
        "forProvider.zone",
        "forProvider.templateId",
        "forProvider.private",
        "forProvider.sshKeysRefs",
        "forProvider.userData",
    ],
    "ProjectInstance": ["forProvider"],
    "ProjectVolume": ["forProvider.serviceName", "forProvider.regionName", "forProvider.type", "forProvider.instanceId"],
    "Server": ["forProvider.zone", "forProvider.image", "forProvider.userData", "forProvider.ipIdRef"],
    "SecurityGroup": ["forProvider.name"],
    "SecurityGroupRules": ["forProvider"],
    "SSHKey": ["forProvider"],
    "BlockStorageVolume": ["forProvider.zone"],
    "Volume": ["forProvider.zone", "forProvider.iops"],
    "IP": ["forProvider"],
    "PrivateNIC": ["forProvider"],
    "ACL": ["forProvider.region", "forProvider.instanceIdRef"],
    "ExternalSecret": ["target.name", "refreshPolicy"],
    "Cluster": ["bootstrap", "storage.storageClass"],
    "ScheduledBackup": ["cluster"],
    "Deployment": ["selector"],
    "Job": ["template"],
    "PersistentVolumeClaim": ["accessModes", "storageClassName"],
    "PushSecret": ["data", "selector"],
    "PostgreSQL": ["crossplane.compositionSelector"],
    "Role": ["writeConnectionSecretToRef"],
    "Database": ["forProvider.owner"],
    "Extension": ["forProvider.database", "forProvider.extension"],
    "Grant": ["forProvider.role", "forProvider.memberOf"],
}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607  # git is found on PATH
    return done.stdout if done.returncode == 0 else ""


RELEASE: Final = os.environ.get("RELEASE", _git("describe", "--tags", "--abbrev=0", "--match", "v*").strip())
# Where the Compositions are from: this checkout, and for claims that keep theirs (compositionUpdatePolicy: Manual) the release.
COMPOSITIONS: Final = ("", RELEASE) if RELEASE else ("",)


def text(path: Path, release: str) -> str:
    """Return a file as a release has it, "" where it has none; as this checkout has it where the release is ""."""
    return _git("show", f"{release}:{path.relative_to(ROOT)}") if release else path.read_text()


def released(case: Case) -> list[dict[str, Any]]:
    """Return what the last release composed for a case, nothing where it did not know the case."""
    found = yaml.safe_load_all(text(case.golden, RELEASE))
    return [document for document in found if document and document["kind"] != "Result"]


def step_input(case: Case, release: str) -> Any:
    """Return what the Composition of a case gives the function: a release's, or this checkout's."""
    return yaml.safe_load(text(composition_of(case.claim), release))["spec"]["pipeline"][0]["input"]


def at(manifest: dict[str, Any], path: str) -> object:
    """Return the value under a path in a manifest's spec, None where there is none."""
    value: Any = manifest.get("spec")
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def test_there_is_a_release_to_compare_with() -> None:
    """Or the goldens would be compared with themselves, and with a clone that has no tags nobody would know."""
    if RELEASE:
        assert _git("rev-parse", f"{RELEASE}^{{commit}}"), f"RELEASE is {RELEASE}, which git does not know; fetch it"
    elif "CI" in os.environ:
        versions = re.findall(r"^## (v\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert len(versions) <= 1, f"CHANGELOG.md has {', '.join(versions)}, but there is no tag v*: fetch the tags"


@pytest.mark.parametrize("compositions", COMPOSITIONS, ids=lambda release: f"input of {release or 'this checkout'}")
@pytest.mark.parametrize("case", CASES_WITH_RESOURCES, ids=lambda case: case.name)
def test_what_is_live_stays(case: Case, compositions: str) -> None:
    documents_ = released(case)
    if not documents_:
        pytest.skip(f"{RELEASE} did not know this case")
    live = {composition_name(document): document for document in documents_ if document["kind"] != case.claim["kind"]}
    status = next(document["status"] for document in documents_ if document["kind"] == case.claim["kind"])
    claim = with_defaults({**case.claim, "status": {key: value for key, value in status.items() if key != "conditions"}})
    message = request(claim, step_input(case, compositions), settings=case.settings, observed=live.values())
    response = run(message, case.kind)
    assert fatal(response) == []
    wanted = {name: plain(entry) for name, entry in response.desired.resources.items()}
    if not claim["spec"]["deletionProtection"]:
        live.pop("protection", None)  # it goes when the cloud says that its own guard is off, and here the cloud says nothing
        given_up = {"disk.": "dataDisks", "volume.": "volumes", "database.": "databases"}  # and what is no longer protected goes
        for beginning, field in given_up.items():
            kept = (
                {f"{beginning}{entry['name']}" for entry in claim["spec"].get(field, []) if "ref" not in entry}
                if case.kind != "postgresql"
                else live
            )
            live = {name: body for name, body in live.items() if not name.startswith(beginning) or name in kept}
    # A migration of another image stays only while it is at work, and here nobody says that it is.
    live = {name: body for name, body in live.items() if body["kind"] != "Job" or str(claim["spec"]["image"]) in str(body)}
    assert set(live) <= set(wanted)
    for name, before in live.items():
        after = wanted[name]
        assert (after["apiVersion"], after["kind"]) == (before["apiVersion"], before["kind"])
        assert after["metadata"]["name"] == before["metadata"]["name"]
        external = "crossplane.io/external-name"
        assert after["metadata"].get("annotations", {}).get(external) == before["metadata"].get("annotations", {}).get(external)
        for path in FIXED.get(before["kind"], []):
            assert at(after, path) == at(before, path), f"{name}: {path} cannot change on a live {before['kind']}"


def test_fixed_fields_are_looked_at() -> None:
    """A path that no golden has would check nothing."""
    composed = [document for case in CASES_WITH_RESOURCES for document in documents(case.golden)]
    for kind, paths in FIXED.items():
        for path in paths:
            if path != "storage.storageClass":  # only where the settings name one
                assert any(at(document, path) is not None for document in composed if document["kind"] == kind), (kind, path)


def test_every_case_of_an_observed_state_is_compared() -> None:
    assert {case.observed.stem for case in CASES_WITH_RESOURCES if case.observed} >= {
        path.stem for path in (EXAMPLES / "observed").glob("*/*-ready.yaml")
    }
