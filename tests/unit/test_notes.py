"""A release takes its notes from the change log."""

import pytest

from package.notes import notes
from tools.crossplane import ROOT

CHANGES = "# Changes\n\n## v1.10.0\n\n- ten\n\n## v1.1.0\n\n- one\n- two\n"


@pytest.mark.parametrize(
    ("version", "told", "why"),
    [
        ("v1.10.0", "- ten", "the first"),
        ("v1.1.0", "- one\n- two", "the last, whose name begins like another's"),
        ("v1.1", "", "no version of that name"),
        ("v2.0.0", "", "nothing is written yet"),
    ],
)
def test_notes(version: str, told: str, why: str) -> None:
    assert notes(CHANGES, version) == told, why


def test_the_change_log_has_notes() -> None:
    assert notes((ROOT / "CHANGELOG.md").read_text(), "v0.1.0")
