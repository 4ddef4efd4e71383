"""No golden opens a door or shows a secret where it does not belong."""

import base64
from typing import Any

import pytest

from tests.cases import CASES_WITH_RESOURCES, Case
from tests.requests import documents


@pytest.mark.parametrize("case", CASES_WITH_RESOURCES, ids=lambda case: case.name)
def test_nothing_is_open_to_the_world(case: Case) -> None:
    assert "0.0.0.0/0" not in case.golden.read_text()


def _secrets(case: Case) -> set[str]:
    written = documents(case.observed.with_suffix(".required.yaml")) if case.observed else []
    return {base64.b64decode(value).decode() for secret in written for key, value in secret["data"].items() if "assword" in key}


def _texts(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [text for value in data.values() for text in _texts(value)]
    if isinstance(data, list):
        return [text for value in data for text in _texts(value)]
    return [str(data)]


@pytest.mark.parametrize("case", [case for case in CASES_WITH_RESOURCES if case.observed], ids=lambda case: case.name)
def test_passwords_stand_in_secrets_alone(case: Case) -> None:
    secrets = _secrets(case)
    elsewhere = [text for document in documents(case.golden) if document["kind"] != "Secret" for text in _texts(document)]
    assert not [text for text in elsewhere for secret in secrets if secret in text]


def test_every_resource_that_has_a_password_writes_it_to_a_secret() -> None:
    kinds = {"Role", "ProjectDatabasePostgresqlUser", "Instance"}
    composed = [document for case in CASES_WITH_RESOURCES if case.kind == "postgresql" for document in documents(case.golden)]
    documents_ = [document for document in composed if document["kind"] in kinds]
    assert {document["kind"] for document in documents_} == kinds
    assert all(document["spec"]["writeConnectionSecretToRef"]["name"] for document in documents_)
