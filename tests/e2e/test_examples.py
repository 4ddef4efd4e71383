"""Every example claim, on every provider, gets ready; its bindings are used, as an application would."""

import base64
import re
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.claims import EXAMPLES, composed, condition, example, namespace, psql, ready, required, secret
from tests.e2e.plane import Cluster
from tests.e2e.programs import FOLDER, Failed, run

NAMES: Final = sorted(
    f"{path.parent.name}/{path.stem}" for path in EXAMPLES.glob("*/*.yaml") if not path.name.endswith(".required.yaml")
)


@pytest.fixture(scope="module")
def applied(platform: Cluster, apps: Cluster) -> dict[str, dict[str, Any]]:
    """Apply every example at once, each in a namespace of its own."""
    spaces = {name: name.replace("/", "-") for name in NAMES}
    for cluster in (platform, apps):
        cluster.apply(*map(namespace, spaces.values()))
    claims = {name: example(name, space) for name, space in spaces.items()}
    platform.apply(*claims.values(), *(beside for name, space in spaces.items() for beside in required(name, space)))
    return claims


@pytest.mark.parametrize("name", NAMES)
def test_an_example_gets_ready(name: str, applied: dict[str, dict[str, Any]], platform: Cluster) -> None:
    found = ready(platform, applied[name], seconds=180)
    told = {condition["type"]: condition["status"] for condition in found["status"]["conditions"]}
    assert set(told.values()) == {"True"}, found["status"]["conditions"]
    kind = name.partition("/")[0]
    where = {"postgresql": ["endpoint", "host"], "vm": ["addresses"], "app": ["replicas", "ready"]}[kind]
    value: Any = found["status"]
    for key in where:
        value = value[key]
    assert value


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("postgresql/")])
def test_a_binding_is_used(name: str, applied: dict[str, dict[str, Any]], platform: Cluster, tmp_path: Path) -> None:
    claim = applied[name]
    found = ready(platform, claim, seconds=180)
    for database in found["status"]["databases"]:
        binding = secret(platform, database["binding"], claim["metadata"]["namespace"])
        psql(binding, "CREATE TABLE things (name text); INSERT INTO things VALUES ('first')")
        assert psql(binding, "SELECT name FROM things") == "first"
        assert run("psql", binding["uri"], "-tAc", "SELECT 1") == "1\n"
        if "ca.crt" in binding:
            (tmp_path / "ca.crt").write_text(binding["ca.crt"])
            assert psql(binding, "SELECT 1", sslmode="verify-ca", sslrootcert=str(tmp_path / "ca.crt")) == "1"
        if reader := database.get("readerBinding"):
            reads = secret(platform, reader, claim["metadata"]["namespace"])
            assert psql(reads, "SELECT name FROM things") == "first"
            with pytest.raises(Failed, match="permission denied"):
                psql(reads, "DELETE FROM things")


def secrets_of(platform: Cluster, applied: dict[str, dict[str, Any]]) -> set[str]:
    """Return every password and URI of every Secret beside a claim, as it is and as Secrets write it."""
    spaces = {claim["metadata"]["namespace"] for claim in applied.values()}
    found = set()
    for written in platform.get("secrets", "--all-namespaces"):
        for key, value in written.get("data", {}).items():
            text = base64.b64decode(value).decode()
            if written["metadata"]["namespace"] in spaces and re.search("pass|ur[il]$", key, re.IGNORECASE) and len(text) > 8:
                found |= {text, value}
    return found


def leaks(secrets: set[str], texts: dict[str, str]) -> set[str]:
    """Name the texts that hold a secret."""
    return {where for where, text in texts.items() for secret in secrets if secret in text}


def everything_but_secrets(cluster: Cluster) -> str:
    kinds = cluster.kubectl("api-resources", "--verbs=list", "--output=name").split()
    return cluster.kubectl("get", ",".join(kind for kind in kinds if kind != "secrets"), "--all-namespaces", "--output=json")


def test_no_password_stands_outside_of_secrets(applied: dict[str, dict[str, Any]], platform: Cluster, apps: Cluster) -> None:
    """Whatever was made of the claims, in any namespace: no password, no administrator's either, in a spec, an event or a log."""
    for claim in applied.values():
        ready(platform, claim, seconds=180)
    found = secrets_of(platform, applied)
    assert len(found) > 4 * len([name for name in NAMES if name.startswith("postgresql/")]), "an owner's and an administrator's"
    texts = {"the platform": everything_but_secrets(platform), "the Apps' cluster": everything_but_secrets(apps)}
    texts |= {path.name: path.read_text(errors="replace") for path in FOLDER.rglob("*.log") if "postgres" not in path.parts}
    assert leaks(found, texts) == set()
    planted = f'{{"data": {{"password": "{max(found)}"}}}}'
    assert leaks(found, {"planted": planted}) == {"planted"}, "or the test would prove nothing"


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("app/")])
def test_nothing_lies_open(name: str, applied: dict[str, dict[str, Any]], platform: Cluster) -> None:
    """Nobody is let in by a rule, nor by a cloud's default where a rule is missing: these are as open as the real ones."""
    ready(platform, applied[name], seconds=180)
    parts = composed(platform, applied[name])
    assert "0.0.0.0/0" not in str(parts)
    assert "::/0" not in str(parts)
    told = [
        (part["kind"], part["metadata"]["creationTimestamp"], part.get("status", {}).get("atProvider", {}))
        for part in parts.values()
    ]
    for kind, _, answer in told:
        if kind == "SecurityGroup" and name.startswith("vm/scaleway"):
            assert answer["inboundDefaultPolicy"] == "drop"
        if kind == "ProjectDatabase":
            assert answer["ipRestrictions"]
    if name.startswith("postgresql/scaleway"):
        (rules,) = (part for part in parts.values() if part["kind"] == "ACL")
        assert rules["status"]["atProvider"]["aclRules"], "the cloud would let everybody in"
        closed = condition(rules, "Ready")["lastTransitionTime"]
        assert all(made >= closed for kind, made, _ in told if kind == "Role"), "a role was made while everybody was let in"


def test_objects_are_watched_and_functions_run_as_they_should(platform: Cluster) -> None:
    """What runtime.yaml says came through the package manager to the Deployments."""
    specs = [found["spec"] for found in platform.get("deployments", "--namespace=crossplane-system")]
    pods = {
        labels[kind]: spec
        for spec in specs
        for labels in [spec["template"]["metadata"]["labels"]]
        for kind in ("pkg.crossplane.io/function", "pkg.crossplane.io/provider")
        if kind in labels
    }
    (objects,) = (spec["template"]["spec"] for name, spec in pods.items() if name.endswith("provider-kubernetes"))
    assert "--enable-watches" in objects["containers"][0]["args"]
    assert objects["serviceAccountName"] == "provider-kubernetes"
    functions = [found for name, found in pods.items() if "function-" in name]
    assert len(functions) == 3
    for found in functions:
        assert found["replicas"] == 2
        assert found["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
