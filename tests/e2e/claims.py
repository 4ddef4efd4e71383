"""What a developer does with claims, and what they see."""

import base64
from collections import Counter
from typing import Any, Final

import yaml

from tests.e2e.plane import Cluster
from tests.e2e.programs import FOLDER, Failed, run, until
from tools.crossplane import ROOT

EXAMPLES: Final = ROOT / "examples" / "claims"
COMPOSED_NAME: Final = "crossplane.io/composition-resource-name"

Manifest = dict[str, Any]


def namespace(name: str, **told: str) -> Manifest:
    """Return a namespace, restricted as Apps' are, that tells the world what to do in it."""
    metadata = {
        "name": name,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        "annotations": {f"world/{key}": value for key, value in told.items()},
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def tell(cluster: Cluster, name: str, what: str, told: str | None) -> None:
    """Tell the world something about a namespace, None for nothing more."""
    cluster.kubectl("annotate", "namespace", name, "--overwrite", f"world/{what}-" if told is None else f"world/{what}={told}")


def example(name: str, into: str, **changed: Any) -> Manifest:
    """Read an example claim.

    Args:
        name: KIND/PROVIDER-VARIANT.
        into: The namespace that it is put into.
        **changed: Fields of its spec.
    """
    claim: Manifest = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    claim["metadata"]["namespace"] = into
    claim["spec"] |= changed
    return claim


def required(name: str, into: str) -> list[Manifest]:
    """Read what an example needs beside it: a claim as a developer would write it, and Secrets that no claim makes."""
    path = EXAMPLES / f"{name}.required.yaml"
    found = [document for document in yaml.safe_load_all(path.read_text()) if document] if path.exists() else []
    for document in found:
        document["metadata"]["namespace"] = into
        document.pop("status", None)
    return [document for document in found if document.get("type") != "servicebinding.io/postgresql"]


def of(claim: Manifest) -> tuple[str, str, str]:
    """Return how kubectl names a claim."""
    return (
        f"{claim['kind'].lower()}.platform.gravitek.io",
        claim["metadata"]["name"],
        f"--namespace={claim['metadata']['namespace']}",
    )


def condition(found: Manifest | None, kind: str) -> Manifest:
    """Return a condition, empty where there is none."""
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return next((entry for entry in conditions if entry["type"] == kind), {})


def ready(cluster: Cluster, claim: Manifest, seconds: float = 90) -> Manifest:
    """Wait until a claim is Ready for what it says now; return it."""
    return reached(cluster, claim, seconds, Ready="True", Synced="True")


def reached(cluster: Cluster, claim: Manifest, seconds: float = 90, said: str = "", **wanted: str) -> Manifest:
    """Wait until conditions of a claim as it is now have a status or a reason, and one of them says something; return it."""

    def look() -> Manifest | None:
        found = cluster.get(*of(claim))
        conditions = (found or {}).get("status", {}).get("conditions", [])
        told = [(entry["type"], entry["status"], entry["reason"], entry.get("message", "")) for entry in conditions]
        have = {kind: (status, reason) for kind, status, reason, _ in told}
        seen = condition(found, "Synced").get("observedGeneration", 0)
        if found and seen < found["metadata"]["generation"]:
            raise Failed(f"generation {seen} of {found['metadata']['generation']} was looked at")
        if all(value in have.get(kind, ()) for kind, value in wanted.items()) and said in str(told):
            return found  # type: ignore[no-any-return]
        raise Failed(str(told))

    return until(f"{'/'.join(of(claim))} {wanted}", look, seconds, pause=0.3)


def composed(cluster: Cluster, claim: Manifest) -> dict[str, Manifest]:
    """Return what a claim is composed of, by composition resource name."""
    found = cluster.get(*of(claim)) or {}
    names = []
    for reference in found.get("spec", {}).get("crossplane", {}).get("resourceRefs", []):
        group, _, version = reference["apiVersion"].rpartition("/")
        kind = f"{reference['kind']}.{version}.{group}" if group else reference["kind"]
        names.append(f"{kind}/{reference['name']}")
    got = cluster.get(*names, f"--namespace={claim['metadata']['namespace']}") if names else []
    everything = got if isinstance(got, list) else [got]
    named = [item["metadata"]["annotations"][COMPOSED_NAME] for item in everything]
    assert len(set(named)) == len(named), f"composed twice: {sorted(named)}"
    return dict(zip(named, everything, strict=True))


def named(cluster: Cluster, claim: Manifest) -> set[str]:
    """Name every object that says it is composed for a claim, also one that the claim knows nothing of."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").split()
    wanted = ",".join(kind for kind in kinds if not kind.startswith("events"))
    query = f"--selector=crossplane.io/composite={claim['metadata']['name']}"
    found = cluster.kubectl("get", wanted, query, f"--namespace={claim['metadata']['namespace']}", "--output=name")
    own = f"{of(claim)[0]}/"  # a claim is marked like what it is composed of
    return {line.partition("/")[2] for line in found.split() if not line.startswith(own)}


def servers() -> int:
    """Count PostgreSQL's servers that run, whoever has made them."""
    return len(list((FOLDER / "postgres").glob("*.runs")))


def in_clouds(space: str) -> Counter[str]:
    """Count what the clouds have for a namespace, by kind, whatever the cluster says."""
    folder = FOLDER / "clouds" / space
    return Counter(path.name.partition(":")[0] for path in folder.iterdir()) if folder.exists() else Counter()


def identities(parts: dict[str, Manifest]) -> dict[str, tuple[str, str]]:
    """Return name and uid of composed resources: what must not change when nothing may be replaced."""
    return {name: (part["metadata"]["name"], part["metadata"]["uid"]) for name, part in parts.items()}


def secret(cluster: Cluster, name: str, space: str) -> dict[str, str]:
    """Return a Secret's values."""
    found = cluster.get("secret", name, f"--namespace={space}")
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()} if found else {}


def psql(binding: dict[str, str], statement: str, **options: str) -> str:
    """Run SQL with a binding, as an application would.

    Raises:
        Failed: Where the server refuses it, with what it says.
    """
    environment = {
        "PGHOST": binding["host"],
        "PGPORT": binding["port"],
        "PGDATABASE": binding["database"],
        "PGUSER": binding["username"],
        "PGPASSWORD": binding["password"],
        "PGSSLMODE": binding["sslmode"],
        **{f"PG{key.upper()}": value for key, value in options.items()},
    }
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", statement]
    return run(*command, environment=environment).strip()


def everything_in(cluster: Cluster, space: str) -> set[str]:
    """Name every object in a namespace, but for what every namespace has and for events."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").split()
    wanted = ",".join(kind for kind in kinds if not kind.startswith("events"))
    found = cluster.kubectl("get", wanted, f"--namespace={space}", "--output=name", "--ignore-not-found").split()
    return set(found) - {"configmap/kube-root-ca.crt", "serviceaccount/default"}
