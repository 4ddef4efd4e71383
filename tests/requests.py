"""Requests built in process, for tests that need thousands of them or look at what render does not show."""

import base64
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from crossplane.function.proto.v1 import run_function_pb2 as fnv1
from google.protobuf.struct_pb2 import Struct

from functions.app.compose import compose as compose_app
from functions.kit import structs
from functions.kit.answer import answer
from functions.kit.composition import Composition
from functions.kit.request import Request
from functions.postgresql.compose import compose as compose_postgresql
from functions.vm.compose import compose as compose_vm
from tests.cases import Case, load, merged
from tools.crossplane import ROOT, composition_of, required_of

COMPOSE: Mapping[str, Callable[[Request], Composition]] = {"app": compose_app, "postgresql": compose_postgresql, "vm": compose_vm}

NAME_ANNOTATION = "crossplane.io/composition-resource-name"


def documents(path: Path | None) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document] if path and path.exists() else []


def resource(data: Mapping[str, Any]) -> fnv1.Resource:
    message = fnv1.Resource()
    structs.write(message.resource, data)
    return message


def edit(struct: Struct, change: Mapping[str, Any]) -> None:
    """Merge a change into a Struct; null removes a key."""
    data = merged(structs.plain_struct(struct), change)
    struct.Clear()
    structs.write(struct, data)


def plain(resource: fnv1.Resource) -> dict[str, Any]:
    return dict(structs.plain_struct(resource.resource))


def is_composed(manifest: Mapping[str, Any]) -> bool:
    """Tell a composed resource from the claim and the events that a render prints beside it."""
    return NAME_ANNOTATION in manifest.get("metadata", {}).get("annotations", {})


def composition_name(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["annotations"][NAME_ANNOTATION])


def with_defaults(claim: Mapping[str, Any]) -> dict[str, Any]:
    """Apply the XRD's defaults to the spec, as the API server would."""
    schema = load(ROOT / "apis" / f"{str(claim['kind']).lower()}.yaml")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return {**claim, "spec": _defaulted(claim["spec"], schema["properties"]["spec"])}


def _defaulted(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_defaulted(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    fields = schema.get("properties", {})
    defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    return {name: _defaulted(below, fields.get(name, {})) for name, below in {**defaults, **value}.items()}


def request(
    claim: Mapping[str, Any],
    step_input: Mapping[str, Any],
    *,
    settings: Mapping[str, Any] | None = None,
    observed: Iterable[Mapping[str, Any]] = (),
    secrets: Iterable[Mapping[str, Any]] = (),
) -> fnv1.RunFunctionRequest:
    """Build a request as Crossplane does, connection details from the Secrets that the observed resources name."""
    message = fnv1.RunFunctionRequest()
    message.meta.tag = "0123456789abcdef"
    structs.write(message.observed.composite.resource, claim)
    structs.write(message.input, step_input)
    if settings is not None:
        message.required_resources["environment"].items.append(resource(settings))
    written = {secret["metadata"]["name"]: secret for secret in secrets}
    for manifest in observed:
        entry = message.observed.resources[composition_name(manifest)]
        structs.write(entry.resource, manifest)
        of = manifest.get("spec", {}).get("writeConnectionSecretToRef", {}).get("name")
        for key, value in written.get(of, {}).get("data", {}).items():
            entry.connection_details[key] = base64.b64decode(value)
    return message


def request_of(case: Case) -> fnv1.RunFunctionRequest:
    """Build the request that a case makes, with what the function asks Crossplane for."""
    step = load(composition_of(case.claim))["spec"]["pipeline"][0]["input"]
    written = documents(required_of(case.observed)) if case.observed else []
    message = request(with_defaults(case.claim), step, settings=case.settings, observed=documents(case.observed), secrets=written)
    run(message, case.kind, [*documents(case.required), *written])
    return message


def run(message: fnv1.RunFunctionRequest, kind: str, objects: Iterable[Mapping[str, Any]] = ()) -> fnv1.RunFunctionResponse:
    """Answer a request, and again with the objects that each answer asks for until it asks for no more, as Crossplane does."""
    found = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    while True:
        response = answer(message, kind, COMPOSE[kind])
        asked = response.requirements.resources
        new = [name for name in asked if name not in message.required_resources]
        if not new:
            return response
        for name in new:
            given = found.get((asked[name].kind, asked[name].match_name))
            message.required_resources[name].items.extend([resource(given)] if given else [])


def fatal(response: fnv1.RunFunctionResponse) -> list[str]:
    return [result.message for result in response.results if result.severity == fnv1.SEVERITY_FATAL]
