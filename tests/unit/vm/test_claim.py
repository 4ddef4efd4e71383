"""What belongs to a secret pair of keys is never repeated, and only whole public keys are taken."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cases import BY_NAME
from tests.requests import edit, fatal, request_of, run

PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0LXNlY3JldA==\n-----END OPENSSH PRIVATE KEY-----\n"


def refusal_of(spec: dict[str, Any]) -> str:
    request = request_of(BY_NAME["vm/scaleway-small"])
    edit(request.observed.composite.resource, {"spec": spec})
    refused = fatal(run(request, "vm"))
    return refused[0] if refused else ""


@pytest.mark.parametrize("algorithm", ["ed25519", "rsa", "ecdsa"])
def test_keys_of_ssh_keygen_are_taken(algorithm: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", algorithm, "-N", "", "-C", "ada@example.org", "-f", str(file)]
    subprocess.run(command, check=True)
    assert refusal_of({"sshKeys": [file.with_suffix(".pub").read_text().strip()]}) == ""
    assert "is a private key" in refusal_of({"sshKeys": [file.read_text()]})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([PRIVATE], "a private key in the list"),
        (PRIVATE, "a private key instead of the list"),
        ([PRIVATE.replace("\n", " ")], "a private key in one line"),
        (["c2VjcmV0LXNlY3JldA=="], "its body alone"),
        ([["c2VjcmV0LXNlY3JldA=="]], "a list in the list"),
    ],
)
def test_what_may_be_secret_is_not_repeated(given: object, why: str) -> None:
    sentence = refusal_of({"sshKeys": given})
    assert sentence.startswith("spec.sshKeys"), why
    assert "c2VjcmV0" not in sentence, why


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "cut off"),
        ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJW5JA2OMfz7BhsNffpU0Kg2AuJIdknZmnhj9sk/AnrI", "another algorithm than it says"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACB", "no longer taken by sshd"),
        ('command="id" ssh-ed25519 AAAA', "options are no part of a key"),
        ("ssh-ed25519 AAAA\nssh-ed25519 BBBB", "two lines"),
    ],
)
def test_what_is_no_public_key(key: str, why: str) -> None:
    assert "spec.sshKeys[0] is no SSH public key" in refusal_of({"sshKeys": [key]}), why
