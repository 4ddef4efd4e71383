"""What the documents say is true of the code."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from functions.kit import conditions, refusal
from tests.cases import load
from tools.crossplane import ROOT, validate

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


def test_the_table_of_sizes_names_every_plan() -> None:
    told = (ROOT / "docs" / "postgresql.md").read_text()
    for path in (ROOT / "compositions" / "postgresql").glob("*.yaml"):
        for size in load(path)["spec"]["pipeline"][0]["input"]["sizes"].values():
            names = [value for key, value in size.items() if key in {"plan", "flavor", "nodeType"}]
            assert not [name for name in names if f"`{name}" not in told], path


def test_every_setting_of_the_compositions_and_more_is_explained() -> None:
    from functions.postgresql.compose import PROVIDERS  # noqa: PLC0415  # the rest of this file needs no kind

    told = (ROOT / "examples" / "settings.yaml").read_text()
    fields = {field.alias for provider in PROVIDERS.values() for field in provider.SETTINGS.model_fields.values()}
    assert not [name for name in sorted(filter(None, fields)) if name not in told]
