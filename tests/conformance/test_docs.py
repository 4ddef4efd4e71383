"""What the documents say is true of the code."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from functions.kit import conditions, refusal
from tests.cases import load
from tools.crossplane import ROOT, validate

KINDS: Final = sorted(path.stem for path in (ROOT / "apis").glob("*.yaml"))
DOCUMENTS: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def snippets(document: Path) -> list[dict[str, Any]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    return [data for block in blocks for data in yaml.safe_load_all(block) if data]


def test_every_claim_in_a_document_passes_the_xrd(tmp_path: Path) -> None:
    claims = [snippet for document in DOCUMENTS for snippet in snippets(document)]
    assert claims, "the README begins with a claim"
    resources = tmp_path / "resources"
    resources.mkdir()
    (resources / "claims.yaml").write_text(yaml.safe_dump_all(claims))
    done = validate([ROOT / "apis"], resources, tmp_path / "cache")
    assert f"{len(claims)} success cases, 0 failure cases" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    assert not [link for link in links if "://" not in link and not (document.parent / link).exists()]


@pytest.mark.parametrize("module", [refusal, conditions], ids=lambda module: module.__name__)
def test_every_reason_and_condition_is_explained(module: Any) -> None:
    told = (ROOT / "docs" / "status.md").read_text()
    words = [value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)]
    assert words
    assert not [word for word in words if f"`{word}`" not in told]


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_sizes_names_every_plan(kind: str) -> None:
    told = (ROOT / "docs" / f"{kind}.md").read_text()
    for path in (ROOT / "compositions" / kind).glob("*.yaml"):
        for size in load(path)["spec"]["pipeline"][0]["input"]["sizes"].values():
            names = [value for key, value in size.items() if key in {"plan", "flavor", "nodeType", "type"}]
            assert not [name for name in names if f"`{name}" not in told], path


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_the_compositions_and_more_is_explained(kind: str) -> None:
    told = (ROOT / "examples" / "settings.yaml").read_text()
    providers = import_module(f"functions.{kind}.compose").PROVIDERS
    fields = {field.alias for provider in providers.values() for field in provider.SETTINGS.model_fields.values()}
    assert not [name for name in sorted(filter(None, fields)) if name not in told]


def test_every_kind_of_claim_is_served_by_make_functions() -> None:
    kinds = re.search(r"^KINDS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert kinds is not None
    assert kinds[1].split() == KINDS
    ports = dict(re.findall(r"^PORT_(\w+) := (\d+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    functions = list(yaml.safe_load_all((ROOT / "examples" / "functions.yaml").read_text()))
    targets = [function["metadata"]["annotations"]["render.crossplane.io/runtime-development-target"] for function in functions]
    assert targets == [f"127.0.0.1:{ports[kind]}" for kind in KINDS]
