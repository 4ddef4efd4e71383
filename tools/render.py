"""Render one claim: `python -m tools.render CLAIM SETTINGS OBSERVED`, what `make render` runs; the last two may be ""."""

import re
import sys
from pathlib import Path

import yaml

from tools.crossplane import NotRenderable, kind_of, refusals, render, required_of, serving

# Crossplane's own words, before a function's.
_FATAL = "returned a fatal result: "


def main() -> int:
    """Ask the API server's library, start the claim's function, render, stop it; print what `crossplane render` prints."""
    claim = Path(sys.argv[1])
    settings, observed = (Path(argument) if argument else None for argument in sys.argv[2:4])
    try:
        kind = kind_of(claim)
        if errors := refusals(kind, claim):
            print("refused by the API server:", *errors, sep="\n  ", file=sys.stderr)
            return 1
        with serving(kind) as address:
            done = render(claim, address, settings=settings, observed=observed, required=required_of(claim), results=True)
    except (NotRenderable, OSError, yaml.YAMLError) as error:
        print(f"cannot render: {error}", file=sys.stderr)
        return 2
    sys.stdout.write(done.stdout)
    _, fatal, sentence = done.stderr.rpartition(_FATAL)
    sys.stderr.write(f"refused: {sentence}" if fatal else done.stderr)
    for warning in _warnings(done.stdout):
        print(f"warning: {warning}", file=sys.stderr)
    return done.returncode


def _warnings(rendered: str) -> list[str]:
    documents = (document for document in re.split(r"(?m)^---$", rendered) if "\nkind: Result\n" in document)
    return [found["message"] for found in map(yaml.safe_load, documents) if found["severity"] == "Warning"]


if __name__ == "__main__":
    sys.exit(main())
