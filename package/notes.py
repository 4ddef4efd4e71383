"""Print a version's notes out of CHANGELOG.md: `python -m package.notes v0.1.0`, what `make notes` runs."""

import re
import sys

from tools.crossplane import ROOT


def notes(changes: str, version: str) -> str:
    """Return what stands under a version, "" where there is nothing.

    Args:
        changes: The change log.
        version: Such as v0.1.0.
    """
    found = re.search(rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", changes, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def main() -> int:
    """Print the notes of the version that is given; fail where there are none."""
    version = sys.argv[1]
    told = notes((ROOT / "CHANGELOG.md").read_text(), version)
    if not told:
        print(f'CHANGELOG.md has nothing under "## {version}"; write there what a platform team should know', file=sys.stderr)
        return 1
    print(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
