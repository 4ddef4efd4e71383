"""From a request to a response, whatever the kind."""

import base64

import pytest
from crossplane.function.proto.v1 import run_function_pb2 as fnv1

from functions.kit import conditions, refusal
from functions.kit.answer import answer
from functions.kit.composition import Composition, Requirement, Resource
from functions.kit.conditions import Condition
from functions.kit.refusal import Refusal
from functions.kit.request import Request
from tests.cases import BY_NAME
from tests.requests import plain, request_of, resource


def start() -> fnv1.RunFunctionRequest:
    return request_of(BY_NAME["postgresql/exoscale-small"])


def test_a_refusal_is_fatal_and_accepted_is_false() -> None:
    def refuse(_: Request) -> Composition:
        raise Refusal(refusal.NOT_OFFERED, "spec.size is no size")

    response = answer(start(), "postgresql", refuse)
    assert [(r.severity, r.message, r.reason) for r in response.results] == [
        (fnv1.SEVERITY_FATAL, "spec.size is no size", "NotOffered")
    ]
    assert [(c.type, c.status, c.reason, c.message) for c in response.conditions] == [
        ("Accepted", fnv1.STATUS_CONDITION_FALSE, "NotOffered", "spec.size is no size")
    ]
    assert response.meta.ttl.seconds == 60, "a corrected EnvironmentConfig must be noticed"


def test_what_earlier_steps_want_is_passed_on() -> None:
    request = start()
    request.desired.resources["theirs"].CopyFrom(resource({"kind": "ConfigMap"}))
    request.context["key"] = "value"
    for compose in (lambda _: Composition([], {}, []), _broken):
        response = answer(request, "postgresql", compose)
        assert response.desired.resources["theirs"].resource["kind"] == "ConfigMap"
        assert response.context["key"] == "value"


def _broken(_: Request) -> Composition:
    raise ZeroDivisionError


def test_a_composition_is_encoded_whole() -> None:
    composition = Composition(
        resources=[Resource("a", {"kind": "A", "n": 1}, ready=True), Resource("b", {"kind": "B"})],
        status={"plan": "p"},
        conditions=[Condition(conditions.BOUND, status=True, reason=conditions.COMPLETE)],
        requirements=[Requirement("admin", "v1", "Secret", "orders-pg-admin", "team-a")],
        warnings=["mind the gap"],
        ready=True,
    )
    response = answer(start(), "postgresql", lambda _: composition)
    assert response.desired.resources["a"].ready == fnv1.READY_TRUE
    assert response.desired.resources["b"].ready == fnv1.READY_FALSE
    assert plain(response.desired.composite) == {"status": {"plan": "p"}}
    assert response.desired.composite.ready == fnv1.READY_TRUE
    selector = response.requirements.resources["admin"]
    assert (selector.kind, selector.match_name, selector.namespace) == ("Secret", "orders-pg-admin", "team-a")
    assert [(r.severity, r.message) for r in response.results] == [(fnv1.SEVERITY_WARNING, "mind the gap")]


def test_a_secret_is_blotted_out_before_a_message_is_cut() -> None:
    request, password = start(), "correct-horse-battery-staple"
    request.observed.resources["server"].connection_details["password"] = password.encode()
    said = Condition(conditions.PROVISIONED, status=False, reason=conditions.CREATING, message="x" * 985 + password)
    message = answer(request, "postgresql", lambda _: Composition([], {}, [said])).conditions[0].message
    assert message == "x" * 985 + "***"


def test_what_stands_beside_a_secret_is_no_secret() -> None:
    request = start()
    request.observed.resources["owner.orders"].connection_details["username"] = b"orders_owner"
    said = Condition(conditions.PROVISIONED, status=False, reason=conditions.CREATING, message="role orders_owner is missing")
    assert answer(request, "postgresql", lambda _: Composition([], {}, [said])).conditions[0].message == said.message


@pytest.mark.parametrize("where", ["connection details", "an observed Secret", "a required Secret"])
def test_a_secret_that_a_cloud_repeats_is_blotted_out(where: str) -> None:
    request, password = start(), "correct-horse"
    secret = resource(
        {"apiVersion": "v1", "kind": "Secret", "data": {"POSTGRESQL_PASSWORD": base64.b64encode(password.encode()).decode()}}
    )
    if where == "connection details":
        request.observed.resources["server"].connection_details["password"] = password.encode()
    elif where == "an observed Secret":
        request.observed.resources["admin"].CopyFrom(secret)
    else:
        request.required_resources["admin"].items.append(secret)
    said = Condition(conditions.PROVISIONED, status=False, reason=conditions.CREATING, message=f'login failed with "{password}"')
    response = answer(request, "postgresql", lambda _: Composition([], {}, [said]))
    assert response.conditions[0].message == 'login failed with "***"'
