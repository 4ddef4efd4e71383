"""What the function does where render shows too little: what is missing, what comes back, what others composed."""

from base64 import b64decode
from typing import Any

import pytest
from crossplane.function.proto.v1 import run_function_pb2 as fnv1

from tests.cases import BY_NAME, EXAMPLES, Case, load, merged
from tests.requests import documents, edit, fatal, plain, request_of, resource, run

PROVIDERS = ("exoscale", "ovh", "scaleway", "kubernetes")


def ready(provider: str) -> fnv1.RunFunctionRequest:
    return request_of(BY_NAME[f"postgresql/{provider}-ready"])


def secrets(provider: str) -> list[dict[str, Any]]:
    return documents(EXAMPLES / "observed" / "postgresql" / f"{provider}-ready.required.yaml")


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
    assert without.desired.composite.ready == fnv1.READY_TRUE or provider in {"exoscale", "kubernetes"}, (
        "those read the Secret itself"
    )


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


def conditions(response: fnv1.RunFunctionResponse) -> dict[str, str]:
    return {condition.type: f"{condition.reason}: {condition.message}" for condition in response.conditions}


@pytest.mark.parametrize("provider", ["ovh", "scaleway", "kubernetes"])
def test_a_lost_server_is_not_made_anew(provider: str) -> None:
    request = ready(provider)
    del request.observed.resources["server"]
    assert "would make a new, empty one" in fatal(run(request, "postgresql"))[0]


def test_a_lost_server_on_exoscale_is_found_again_by_its_name() -> None:
    request = ready("exoscale")
    before = plain(request.observed.resources["server"])["spec"]["forProvider"]["manifest"]["metadata"]["name"]
    del request.observed.resources["server"]
    response = run(request, "postgresql", secrets("exoscale"))
    assert not fatal(response)
    assert desired(response)["server"]["spec"]["forProvider"]["manifest"]["metadata"]["name"] == before


@pytest.mark.parametrize("kind", ["Synced", "LastAsyncOperation"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_change_that_the_cloud_refuses_is_told_and_the_database_stays_ready(provider: str, kind: str) -> None:
    request = ready(provider)
    server = plain(request.observed.resources["server"])
    server["status"]["conditions"].append(
        {"type": kind, "status": "False", "reason": "ReconcileError", "message": "quota is used up"}
    )
    server["status"]["conditions"] = [c for c in server["status"]["conditions"] if (c["type"], c["status"]) != (kind, "True")]
    edit(request.observed.resources["server"].resource, {"status": None})
    edit(request.observed.resources["server"].resource, server)
    response = run(request, "postgresql", secrets(provider))
    assert conditions(response)["Provisioned"].startswith("Failing: a change of ")
    assert "quota is used up" in conditions(response)["Provisioned"]
    assert response.desired.composite.ready == fnv1.READY_TRUE


@pytest.mark.parametrize(
    ("provider", "change", "path", "why"),
    [
        ("ovh", {"project": "f" * 32}, ("forProvider", "serviceName"), "another project has no such server"),
        ("ovh", {"providerConfig": "other"}, ("providerConfigRef", "name"), "another account neither"),
        ("scaleway", {"project": "other"}, ("forProvider", "projectId"), "another project has no such server"),
        ("scaleway", {"sizes": {"small": {"volumeType": "sbs_15k"}}}, ("forProvider", "volumeType"), "a volume's type is fixed"),
        ("scaleway", {"providerConfig": "other"}, ("providerConfigRef", "name"), "another account neither"),
        (
            "exoscale",
            {"kubernetesProviderConfig": "other"},
            ("providerConfigRef", "name"),
            "another cluster would order a second server",
        ),
        (
            "exoscale",
            {"providerConfig": "other"},
            ("forProvider", "manifest", "spec", "providerConfigRef", "name"),
            "another organisation would get a second server",
        ),
    ],
)
def test_where_a_live_server_is_outlives_the_settings(
    provider: str, change: dict[str, Any], path: tuple[str, ...], why: str
) -> None:
    case = BY_NAME[f"postgresql/{provider}-ready"]
    settings = merged(load(EXAMPLES / "settings.yaml"), {"data": {f"postgresql.{provider}": change}})
    again = desired(run(request_of(Case(case.name, case.claim, case.observed, settings)), "postgresql", secrets(provider)))
    live: Any = plain(ready(provider).observed.resources["server"])["spec"]
    wanted: Any = again["server"]["spec"]
    for key in path:
        live, wanted = live[key], wanted[key]
    assert wanted == live, why


def test_an_upgrade_that_fails_can_be_taken_back() -> None:
    request = ready("ovh")
    edit(request.observed.resources["server"].resource, {"spec": {"forProvider": {"version": "18"}}})
    response = run(request, "postgresql", secrets("ovh"))
    assert not fatal(response)
    assert desired(response)["server"]["spec"]["forProvider"]["version"] == "17"


def test_a_password_that_is_lost_is_told() -> None:
    request = ready("exoscale")
    del request.observed.resources["binding.orders"]
    request.observed.resources["owner.orders"].ClearField("connection_details")
    said = conditions(run(request, "postgresql", secrets("exoscale")))["Bound"]
    assert (
        said
        == "Waiting: the role of the Secret orders-orders exists, but its password is lost: see docs/operating.md, Lost passwords"
    )


def test_a_secret_that_does_not_appear_is_told() -> None:
    request = ready("exoscale")
    del request.observed.resources["binding.orders"]
    response = run(request, "postgresql", secrets("exoscale"))
    assert (
        conditions(response)["Bound"]
        == "Waiting: the Secret orders-orders is not written yet; if this stays, another object has its name"
    )
    assert response.desired.composite.ready == fnv1.READY_FALSE


def test_the_binding_follows_a_server_that_moves() -> None:
    request = ready("scaleway")
    edit(
        request.observed.resources["server"].resource,
        {"status": {"atProvider": {"loadBalancer": [{"ip": "198.51.100.99", "port": 1234}]}}},
    )
    data = desired(run(request, "postgresql"))["binding.orders"]["data"]
    assert b64decode(data["host"]) == b"198.51.100.99"
    assert b":1234/" in b64decode(data["uri"])


def test_a_state_of_ovh_is_told() -> None:
    request = ready("ovh")
    edit(request.observed.resources["server"].resource, {"status": {"atProvider": {"status": "ERROR"}}})
    assert (
        conditions(run(request, "postgresql"))["Provisioned"]
        == "Creating: waiting for ProjectDatabase orders-pg: ovh reports ERROR"
    )


def test_protection_that_is_not_in_force_is_told() -> None:
    request = ready("ovh")
    edit(request.observed.resources["protection"].resource, {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    response = run(request, "postgresql")
    assert conditions(response)["Provisioned"].startswith("Creating: waiting for Usage orders-postgresql-protection")
