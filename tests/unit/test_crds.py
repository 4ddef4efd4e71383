"""The CRDs of operators are downloaded as they are; their real addresses are not reached from a test."""

from pathlib import Path

import pytest

from tests.conformance.test_schemas import needs_crds
from tests.crds import FOLDER
from tools import crds


def test_what_is_downloaded_stands_in_the_operators_folder(tmp_path: Path) -> None:
    source = tmp_path / "clusters.yaml"
    source.write_text("kind: CustomResourceDefinition\n")
    crds.of_operators(tmp_path / "out", {"cloudnative-pg": (source.as_uri(),)})
    assert (tmp_path / "out" / "cloudnative-pg" / "clusters.yaml").read_text() == source.read_text()


def test_what_cannot_be_downloaded_is_named(tmp_path: Path) -> None:
    missing = (tmp_path / "missing.yaml").as_uri()
    with pytest.raises(crds.CannotFetch, match=f"^{missing}: "):
        crds.of_operators(tmp_path / "out", {"cloudnative-pg": (missing,)})


@needs_crds
def test_every_operator_has_the_files_that_are_asked_for() -> None:
    assert FOLDER is not None
    for name, urls in crds.OPERATORS.items():
        there = {path.name for path in (FOLDER / name).glob("*.yaml")}
        single = {url.rpartition("/")[2] for url in urls if "/overlay/" not in url}  # that one holds several
        assert there >= single
