"""What the API server says of the XRDs, and of the examples."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cases import claims, load
from tests.requests import with_defaults
from tools.crossplane import BINARIES, ROOT, judge

KINDS = sorted(path.stem for path in (ROOT / "apis").glob("*.yaml"))


@pytest.mark.parametrize("xrd", sorted((ROOT / "apis").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_api_server_takes_the_xrd(xrd: Path) -> None:
    """CEL rules compile and stay within the API server's cost budget, and Crossplane drops nothing of the schema in silence."""
    done = subprocess.run([str(BINARIES / "apicheck"), str(xrd)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_examples_are_taken_and_may_be_applied_again(kind: str) -> None:
    examples = {str(path): load(path) for path in claims(kind)}
    assert examples
    cases = [{"name": name, "new": claim} for name, claim in examples.items()]
    cases += [{"name": f"{name} again", "old": with_defaults(claim), "new": claim} for name, claim in examples.items()]
    assert [verdict for verdict in judge(kind, cases) if not verdict["accepted"]] == []


def _fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    below = schema.get("items", schema)
    for name, field in below.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from _fields(field, f"{path}.{name}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described_and_bounded(kind: str) -> None:
    """Descriptions become the form that developers fill in; bounds keep the API server's budget for CEL rules."""
    schema = load(ROOT / "apis" / f"{kind}.yaml")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = list(_fields(schema["properties"]["spec"], "spec"))
    assert len(fields) > 10
    assert not [path for path, field in fields if not field.get("description")]
    assert not [path for path, field in fields if field["type"] == "array" and "maxItems" not in field]
    texts = [
        (path, entry) for path, field in fields for entry in (field, field.get("items", {})) if entry.get("type") == "string"
    ]
    assert not [path for path, entry in texts if not {"maxLength", "enum"} & set(entry)]
