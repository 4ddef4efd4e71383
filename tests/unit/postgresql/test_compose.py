"""What the function does where render shows too little: what is missing, what comes back, what others composed."""

from typing import Any

import pytest
from crossplane.function.proto.v1 import run_function_pb2 as fnv1

from tests.cases import BY_NAME, EXAMPLES, Case, load, merged
from tests.requests import documents, edit, fatal, plain, request_of, resource, run

PROVIDERS = ("exoscale", "ovh", "scaleway", "kubernetes")


def ready(provider: str) -> fnv1.RunFunctionRequest:
    return request_of(BY_NAME[f"postgresql/{provider}-ready"])


def secrets(provider: str) -> list[dict[str, Any]]:
    return documents(EXAMPLES / "observed" / "postgresql" / f"{provider}-ready.secrets.yaml")


def desired(response: fnv1.RunFunctionResponse) -> dict[str, dict[str, Any]]:
    return {name: plain(entry) for name, entry in response.desired.resources.items()}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nothing_changes_while_connection_details_are_missing(provider: str) -> None:
    whole = run(ready(provider), "postgresql", secrets(provider))
    request = ready(provider)
    for entry in request.observed.resources.values():
        entry.ClearField("connection_details")
    without = run(request, "postgresql")
    assert not fatal(without)
    assert desired(without) == desired(whole)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nothing_is_dropped_while_the_cloud_tells_nothing(provider: str) -> None:
    request = ready(provider)
    for entry in request.observed.resources.values():
        edit(entry.resource, {"status": None})
    response = run(request, "postgresql")
    assert not fatal(response)
    assert set(response.desired.resources) == set(request.observed.resources)
    assert response.desired.composite.ready == fnv1.READY_FALSE


def test_what_other_steps_of_the_pipeline_composed_is_left_alone() -> None:
    request = ready("exoscale")
    request.observed.resources["theirs"].CopyFrom(resource({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}))
    response = run(request, "postgresql", secrets("exoscale"))
    assert not fatal(response)
    assert "theirs" not in response.desired.resources


def test_what_a_later_version_composed_is_not_deleted_by_this_one() -> None:
    request = ready("ovh")
    request.observed.resources["replica"].CopyFrom(request.observed.resources["server"])
    response = run(request, "postgresql")
    assert fatal(response)[0].startswith(
        '"replica" (ProjectDatabase orders-pg) of this claim would be deleted; nothing was changed; '
    )


@pytest.mark.parametrize(
    ("provider", "path", "why"),
    [
        ("exoscale", ("status", "atProvider", "manifest", "status", "atProvider", "terminationProtection"), "vshn's own flag"),
        ("ovh", ("status", "atProvider", "deletionProtection"), "OVH's own flag"),
    ],
)
def test_protection_ends_when_the_cloud_has_let_go(provider: str, path: tuple[str, ...], why: str) -> None:
    request = ready(provider)
    edit(request.observed.composite.resource, {"spec": {"deletionProtection": False}})
    first = run(request, "postgresql", secrets(provider)).desired.resources
    assert "protection" in first, why
    assert plain(first["server"])["spec"]["managementPolicies"] == ["*"]
    change: Any = False
    for key in reversed(path):
        change = {key: change}
    edit(request.observed.resources["server"].resource, change)
    assert "protection" not in run(request, "postgresql").desired.resources, why


@pytest.mark.parametrize("provider", ["exoscale", "ovh", "scaleway"])  # a Cluster of CloudNativePG has no such policy
def test_a_protected_server_is_kept_by_its_cloud_whoever_deletes_the_resource(provider: str) -> None:
    spec = desired(run(ready(provider), "postgresql", secrets(provider)))["server"]["spec"]
    assert spec["managementPolicies"] == ["Create", "Observe", "Update", "LateInitialize"]


def test_a_reader_who_is_no_longer_wanted_is_locked_out_and_stays() -> None:
    case = BY_NAME["postgresql/second-database-with-readers"]
    request = request_of(case)
    for name, entry in run(request, "postgresql", secrets("exoscale")).desired.resources.items():
        if name not in request.observed.resources:
            request.observed.resources[name].CopyFrom(entry)
    edit(request.observed.composite.resource, {"spec": {"databases": [{"name": "orders"}, {"name": "audit_log"}]}})
    response = run(request, "postgresql")
    assert not fatal(response)
    assert desired(response)["reader.audit_log"]["spec"]["forProvider"]["privileges"] == {"login": False}
    assert "reader-binding.audit_log" not in response.desired.resources


def test_the_name_of_a_live_server_outlives_the_settings() -> None:
    case = BY_NAME["postgresql/exoscale-ready"]
    settings = merged(load(EXAMPLES / "settings.yaml"), {"data": {"postgresql.exoscale": {"cluster": "renamed"}}})
    again = run(request_of(Case(case.name, case.claim, case.observed, settings)), "postgresql", secrets("exoscale"))
    assert desired(again)["server"]["spec"]["forProvider"]["manifest"]["metadata"]["name"].startswith("prod-team-a-orders-")


@pytest.mark.parametrize(
    ("text", "value", "why"),
    [("200", 200, "a number"), ("0.5", 0.5, "a fraction"), ("true", True, "a truth"), ("Europe/Zurich", "Europe/Zurich", "text")],
)
def test_exoscale_gets_typed_parameters(text: str, value: object, why: str) -> None:
    case = BY_NAME["postgresql/exoscale-small"]
    claim = merged(case.claim, {"spec": {"settings": {"parameter": text}}})
    server = desired(run(request_of(Case(case.name, claim)), "postgresql"))["server"]
    assert server["spec"]["forProvider"]["manifest"]["spec"]["forProvider"]["pgSettings"]["parameter"] == value, why
