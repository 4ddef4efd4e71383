"""Secrets are read without stumbling."""

import pytest

from functions.kit import secrets
from functions.kit.observed import ObservedResource
from tests.requests import resource


@pytest.mark.parametrize(
    ("data", "read", "why"),
    [
        ({"key": "aHVudGVyMg=="}, "hunter2", "what Kubernetes stores"),
        ({}, "", "not there"),
        ({"key": "\x80"}, "", "not ASCII, as a hostile object may have it"),
        ({"key": "hunter2"}, "", "not base64"),
        ({"key": "/w=="}, "", "no UTF-8 behind it"),
        ({"key": 5}, "", "no text"),
        ("text", "", "no object"),
    ],
)
def test_value(data: object, read: str, why: str) -> None:
    assert secrets.value(ObservedResource(resource({"data": data}).resource), "key") == read, why


def test_a_kept_secret_is_the_same_but_for_what_the_api_server_adds() -> None:
    seen = ObservedResource(resource({"metadata": {"uid": "1", "resourceVersion": "2"}, "data": {"a": "YQ=="}}).resource)
    assert secrets.kept(seen, "name", {"l": "v"}, "type") == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "name", "labels": {"l": "v"}},
        "type": "type",
        "data": {"a": "YQ=="},
    }
