"""The requests that every function is measured with: the Exoscale small claim, first pass and steady state."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from crossplane.function.proto.v1 import run_function_pb2 as fnv1

from functions.kit import structs
from tests.cases import EXAMPLES
from tests.requests import documents, request, resource, with_defaults
from tools.crossplane import ROOT, SETTINGS

# The same claim in so many namespaces, in turn, that no function can answer out of a cache of answers.
NAMESPACES: Final = 50

CLAIM: Final = EXAMPLES / "claims" / "postgresql" / "exoscale-small.yaml"
READY: Final = EXAMPLES / "observed" / "postgresql" / "exoscale-ready.yaml"
OURS: Final = yaml.safe_load((ROOT / "compositions" / "postgresql" / "exoscale.yaml").read_text())["spec"]["pipeline"][0]["input"]


def _moved(data: Any, number: int) -> Any:
    return json.loads(json.dumps(data).replace("team-a", f"team-{number:02}"))


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


def requests(step_input: Mapping[str, Any], *, steady: bool, ours: bool) -> list[fnv1.RunFunctionRequest]:
    """Build the requests of one pass.

    Args:
        step_input: The function's input.
        steady: Whether everything is observed, or nothing yet.
        ours: Whether the function is given the EnvironmentConfig and the administrator's Secret; the peers need neither.
    """
    claim, secrets = with_defaults(yaml.safe_load(CLAIM.read_text())), documents(READY.with_suffix(".secrets.yaml"))
    observed = [_as_stored(manifest) for manifest in documents(READY)] if steady else []
    settings = yaml.safe_load(SETTINGS.read_text()) if ours else None
    built = []
    for number in range(NAMESPACES):
        seen, written = _moved(observed, number), _moved(secrets, number)
        message = request(_moved(_as_stored(claim), number), step_input, settings=settings, observed=seen, secrets=written)
        if steady and ours:
            admin = next(secret for secret in written if secret["metadata"]["name"].endswith("-pg-admin"))
            message.required_resources["admin"].items.append(resource(admin))
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
