"""Whatever is sent, the answer is whole: no crash, no traceback, nothing dropped, no secret told."""

import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest
from crossplane.function.proto.v1 import run_function_pb2 as fnv1
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from functions.kit import structs
from functions.kit.answer import answer
from functions.kit.guard import PROVIDER_LABEL
from tests.cases import CASES_WITH_RESOURCES, Case
from tests.requests import COMPOSE, fatal, request_of, resource

# A kind, spread over the providers' first and last passes.
EXAMPLES_A_KIND: Final = 10_000
SECRET: Final = "hunter2-correct-horse"

STARTS: Final = [
    case
    for case in CASES_WITH_RESOURCES
    if case.name.partition("/")[2]
    in {
        f"{p}-{s}"
        for p in ("exoscale", "ovh", "scaleway", "kubernetes")
        for s in ("small", "ready", "full-ready", "volume-ready")
    }
]

# What may go when a claim no longer has it; "foreign" is not ours.
MAY_GO: Final = {
    "app": (
        *("migrate.", "push.", "binding.", "service", "ingress", "budget", "autoscaler", "secrets", "scrape", "rules"),
        *("dashboard", "protection", "foreign"),
    ),
    "postgresql": ("extension.", "backup", "metrics", "reader-binding.", "protection", "foreign"),
    "vm": ("rule.", "ssh-key.", "protection", "foreign"),
}

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "True", "False", "small", "17", "1e9", "-1", "\x00", "٣", "🦆", "a" * 100_000, "../..", "{{ x }}", "%s", SECRET]
    ),
)
numbers = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=True, allow_infinity=True))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"end": True}
    for _ in range(depth):
        value = {"deeper": value}
    return value


deep = st.integers(1, 25).map(_nested)  # protobuf itself refuses more


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in entries:
        yield (*path, key)
        yield from _paths(below, (*path, key))


def _change(value: Any, path: tuple[str | int, ...], new: Any, *, drop: bool) -> None:
    for key in path[:-1]:
        value = value[key]
    if drop:
        del value[path[-1]]
    else:
        value[path[-1]] = new


def _mutated(start: fnv1.RunFunctionRequest, data: st.DataObject) -> fnv1.RunFunctionRequest:
    """Change some places of a good request: wrong types, missing parts, huge strings, deep nesting, odd bytes."""
    request = fnv1.RunFunctionRequest()
    request.CopyFrom(start)
    parts = {"claim": request.observed.composite.resource, "input": request.input}
    parts |= {name: request.observed.resources[name].resource for name in start.observed.resources}
    parts |= {f"required {name}": found.items[0].resource for name, found in request.required_resources.items() if found.items}
    for _ in range(data.draw(st.integers(1, 4))):
        struct = parts[data.draw(st.sampled_from(sorted(parts)))]
        plain = structs.plain_struct(struct)
        places = sorted(_paths(plain), key=repr)
        if places:
            new = data.draw(st.one_of(values, deep))
            _change(plain, data.draw(st.sampled_from(places)), new, drop=data.draw(st.booleans()))
        struct.Clear()
        structs.write(struct, plain)
    for entry in request.observed.resources.values():
        if data.draw(st.booleans()) and entry.connection_details:
            entry.connection_details["password"] = data.draw(st.sampled_from([b"", b"\xff\xfe", SECRET.encode()]))
    if data.draw(st.booleans()):
        request.observed.resources["foreign"].CopyFrom(
            resource({"kind": data.draw(texts), "status": {"conditions": data.draw(values)}})
        )
    return _received(request)


def _received(request: fnv1.RunFunctionRequest) -> fnv1.RunFunctionRequest:
    """Pass a request over the wire, where what is nested too deeply never arrives (tests/unit/test_serve.py)."""
    try:
        return fnv1.RunFunctionRequest.FromString(request.SerializeToString())
    except DecodeError:
        reject()


@pytest.mark.parametrize("case", STARTS, ids=lambda case: case.name)
def test_hostile_input(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    start = request_of(case)
    of_kind = [other for other in STARTS if other.kind == case.kind]
    caplog.set_level(logging.INFO)

    @settings(
        max_examples=-(-EXAMPLES_A_KIND // len(of_kind)), deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def hostile(data: st.DataObject) -> None:
        request = _mutated(start, data)
        for entry in request.observed.resources.values():
            if "Ready" in str(entry.resource):
                entry.connection_details["attribute.password"] = SECRET.encode()
        response = answer(request, case.kind, COMPOSE[case.kind])
        said = [result.message for result in response.results] + [condition.message for condition in response.conditions]
        refused = fatal(response)
        assert not [text for text in refused if "internal error" in text], (
            refused,
            [r.__dict__["traceback"][-3:] for r in caplog.records],
        )
        assert not [text for text in said if "Traceback" in text or len(text) > 2000]
        if not refused:
            _assert_nothing_dropped(request, response, MAY_GO[case.kind])
            _assert_secret_only_in_secrets(request, response, said)
        caplog.clear()

    hostile()


def _assert_nothing_dropped(
    request: fnv1.RunFunctionRequest, response: fnv1.RunFunctionResponse, may_go: tuple[str, ...]
) -> None:
    ours = {
        name
        for name, entry in request.observed.resources.items()
        if structs.value_at(entry.resource, ("metadata", "labels", PROVIDER_LABEL)) and not name.startswith(may_go)
    }
    assert ours <= set(response.desired.resources)


def _assert_secret_only_in_secrets(request: fnv1.RunFunctionRequest, response: fnv1.RunFunctionResponse, said: list[str]) -> None:
    # A place that the generator wrote the secret to in clear is no leak of ours.
    if SECRET in str(request.observed.composite) or SECRET in str(request.input) or SECRET in str(request.required_resources):
        return
    assert not [text for text in said if SECRET in text]
    for name, entry in response.desired.resources.items():
        if structs.value_at(entry.resource, ("kind",)) and entry.resource.fields["kind"].string_value != "Secret":
            before = str(request.observed.resources[name]) if name in request.observed.resources else ""
            assert SECRET not in str(entry.resource) or SECRET in before


def test_an_unexpected_error_is_a_sentence_and_a_log_line_without_values(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> Any:
        raise KeyError(SECRET)

    request = request_of(STARTS[0])
    response = answer(request, "postgresql", broken)
    sentence = (
        "internal error of function-postgresql (KeyError, request 0123456789abcdef); nothing was changed; "
        "please report it with the function's log line of that request"
    )
    assert fatal(response) == [sentence]
    condition = response.conditions[0]
    assert (condition.type, condition.status, condition.reason) == ("Accepted", fnv1.STATUS_CONDITION_FALSE, "InternalError")
    record = caplog.records[-1]
    assert record.__dict__["tag"] == "0123456789abcdef"
    assert any("test_hostile.py" in place for place in record.__dict__["traceback"])
    assert SECRET not in str(record.__dict__) + caplog.text
