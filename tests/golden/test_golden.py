"""What the real `crossplane render` prints for every example and every case, byte for byte.

`make golden` writes the expected outputs anew; read the diff before you commit it.
"""

import difflib
from pathlib import Path

import pytest
import yaml

from tests.cases import GOLDEN, Case, all_cases
from tests.conftest import Functions
from tools.crossplane import ROOT, render

CASES = all_cases()


def rendered(case: Case, functions: Functions, folder: Path) -> str:
    """Render a case; a refusal becomes a comment with what the user reads."""
    claim = folder / "claim.yaml"
    claim.write_text(yaml.safe_dump(case.claim))
    settings = None
    if case.settings is not None:
        settings = folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(case.settings))
    done = render(
        claim, functions.address(case.kind), settings=settings, observed=case.observed, required=case.required, results=True
    )
    if done.returncode:
        return f"# refused, exit code {done.returncode}\n" + "".join(f"# {line.rstrip()}\n" for line in done.stderr.splitlines())
    documents = done.stdout.removeprefix("---\n").split("\n---\n")
    # Crossplane's own events come in random order and say nothing that conditions do not.
    events = [text for text in documents if "\nkind: Result\n" in text]
    warnings = sorted(text for text in events if "severity: Normal" not in text)
    return "---\n" + "\n---\n".join(text.rstrip("\n") for text in (*(d for d in documents if d not in events), *warnings)) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_renders_as_before(case: Case, functions: Functions, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    actual = rendered(case, functions, tmp_path)
    if pytestconfig.getoption("--update"):
        case.golden.parent.mkdir(parents=True, exist_ok=True)
        case.golden.write_text(actual)
        return
    name = str(case.golden.relative_to(ROOT))
    if not case.golden.exists():
        pytest.fail(f"{name} is missing; write it with: make golden")
    expected = case.golden.read_text()
    if actual != expected:
        diff = difflib.unified_diff(expected.splitlines(), actual.splitlines(), name, "rendered now", lineterm="")
        pytest.fail("\n".join([*diff, "", "to accept this: make golden"]), pytrace=False)


def test_no_golden_is_left_over(pytestconfig: pytest.Config) -> None:
    unused = set((GOLDEN / "outputs").glob("*/*")) - {case.golden for case in CASES}
    if pytestconfig.getoption("--update"):
        for path in unused:
            path.unlink()
        return
    assert not unused, "no case renders these; remove them with: make golden"
