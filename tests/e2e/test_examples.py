"""Every example claim, on every provider, gets ready; its bindings are used, as an application would."""

import base64
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.claims import EXAMPLES, composed, example, namespace, psql, ready, required, secret
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


def test_no_password_stands_outside_of_secrets(applied: dict[str, dict[str, Any]], platform: Cluster) -> None:
    """Whatever was made of the claims, in any namespace: no password in a spec, a status, an event or a log."""
    for claim in applied.values():
        ready(platform, claim, seconds=180)
    written = platform.get("secrets", "--all-namespaces", "--field-selector=type=servicebinding.io/postgresql")
    bindings = [base64.b64decode(found["data"]["password"]).decode() for found in written]
    assert len(bindings) > len([name for name in NAMES if name.startswith("postgresql/")])
    kinds = platform.kubectl("api-resources", "--verbs=list", "--output=name").split()
    wanted = ",".join(kind for kind in kinds if kind != "secrets")
    everything = platform.kubectl("get", wanted, "--all-namespaces", "--output=json")
    logs = "".join(path.read_text(errors="replace") for path in FOLDER.rglob("*.log") if "postgres" not in path.parts)
    for password in bindings:
        assert password not in everything
        assert password not in logs


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("app/")])
def test_nothing_lies_open(name: str, applied: dict[str, dict[str, Any]], platform: Cluster) -> None:
    ready(platform, applied[name], seconds=180)
    parts = str(list(composed(platform, applied[name]).values()))
    assert "forProvider" in parts or name.startswith("postgresql/kubernetes")
    assert "0.0.0.0/0" not in parts
    assert "::/0" not in parts
