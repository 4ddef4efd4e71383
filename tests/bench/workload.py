"""The requests that every function is measured with: a claim's first pass, and its steady state."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crossplane.function.proto.v1 import run_function_pb2 as fnv1

from functions.kit import structs
from tests.cases import EXAMPLES, load
from tests.requests import documents, request, run, with_defaults
from tools.crossplane import SETTINGS, composition_of, required_of

# The same claim in so many namespaces, in turn, that no function can answer out of a cache of answers.
NAMESPACES: Final = 50


@dataclass(frozen=True)
class Workload:
    """A claim that every contender is measured with.

    Attributes:
        title: For the report.
        kind: The kind of claim in lower case.
        claim: Name of a file in examples/claims/KIND.
        ready: Name of a file in examples/observed/KIND, with everything as it is in steady state.
    """

    title: str
    kind: str
    claim: str
    ready: str

    @property
    def input(self) -> dict[str, Any]:
        """The input of our own step."""
        step: dict[str, Any] = load(composition_of(load(self.claim_file)))["spec"]["pipeline"][0]["input"]
        return step

    @property
    def claim_file(self) -> Path:
        """The claim."""
        return EXAMPLES / "claims" / self.kind / f"{self.claim}.yaml"

    @property
    def ready_file(self) -> Path:
        """What is observed in steady state."""
        return EXAMPLES / "observed" / self.kind / f"{self.ready}.yaml"

    @property
    def beside(self) -> list[dict[str, Any]]:
        """What Crossplane finds in the namespace besides: Secrets, and other claims."""
        return [*documents(self.ready_file.with_suffix(".required.yaml")), *documents(required_of(self.claim_file))]


POSTGRESQL: Final = Workload("PostgreSQL, Exoscale small", "postgresql", "exoscale-small", "exoscale-ready")
VM: Final = Workload("VM, Scaleway in full", "vm", "scaleway-full", "scaleway-full-ready")
APP: Final = Workload("App, this cluster in full", "app", "kubernetes-full", "kubernetes-full-ready")


def _moved(data: Any, number: int) -> Any:
    """Move a claim with all of its state into a namespace of its own; images stay what they are."""
    text = json.dumps(data).replace("team-a", f"team-{number:02}")
    return json.loads(text.replace(f"example.org/team-{number:02}", "example.org/team-a"))


def _as_stored(manifest: dict[str, Any]) -> dict[str, Any]:
    """Add what the API server adds to every object: identity and managed fields, a kilobyte or two."""
    fields: dict[str, Any] = {
        f"f:{key}": {} for key in (*manifest.get("spec", {}), *manifest["metadata"], "ownerReferences", "finalizers")
    }
    managed = [
        {
            "apiVersion": manifest["apiVersion"],
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": fields, "f:spec": {"f:forProvider": fields}, "f:status": fields},
            "manager": manager,
            "operation": "Apply",
            "time": "2026-11-23T09:00:00Z",
        }
        for manager in ("apiextensions.crossplane.io/composed/0123456789abcdef", "provider")
    ]
    stored = {
        "uid": "0b5b1a52-3f0e-4f4e-9d0e-0f5d3a0c1e11",
        "resourceVersion": "123456",
        "generation": 2,
        "creationTimestamp": "2026-11-23T09:00:00Z",
        "managedFields": managed,
    }
    return {**manifest, "metadata": {**manifest["metadata"], **stored}}


def requests(workload: Workload, step_input: Mapping[str, Any], *, steady: bool, ours: bool) -> list[fnv1.RunFunctionRequest]:
    """Build the requests of one pass.

    Args:
        workload: The claim.
        step_input: The function's input.
        steady: Whether everything is observed, or nothing yet.
        ours: Whether the function is given the EnvironmentConfig and what it asks for; the peers need neither.
    """
    claim = with_defaults(load(workload.claim_file))
    observed = [_as_stored(manifest) for manifest in documents(workload.ready_file)] if steady else []
    settings = load(SETTINGS) if ours else None
    built = []
    for number in range(NAMESPACES):
        seen, written = _moved(observed, number), _moved(workload.beside, number)
        message = request(_moved(_as_stored(claim), number), step_input, settings=settings, observed=seen, secrets=written)
        if ours:
            run(message, workload.kind, written)
        built.append(message)
    return built


def record(path: Path, messages: list[fnv1.RunFunctionRequest]) -> None:
    """Write messages for the load generator: each behind its length."""
    encoded = [message.SerializeToString() for message in messages]
    path.write_bytes(b"".join(struct.pack(">I", len(data)) + data for data in encoded))


def composed(response: fnv1.RunFunctionResponse) -> dict[str, dict[str, Any]]:
    """Return what an answer composes; raise where it is a refusal."""
    problems = [result.message for result in response.results if result.severity == fnv1.SEVERITY_FATAL]
    if problems:
        raise RuntimeError(problems[0])
    return {name: dict(structs.plain_struct(entry.resource)) for name, entry in response.desired.resources.items()}
