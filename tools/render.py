"""Render one claim: `python -m tools.render CLAIM SETTINGS [OBSERVED]`, what `make render` runs."""

import sys
from pathlib import Path

import yaml

from tools.crossplane import NotRenderable, judge, kind_of, render, required_of, serving

# Crossplane's own words, before a function's.
_FATAL = "returned a fatal result: "


def main() -> int:
    """Ask the API server's library, start the claim's function, render, stop it; print what `crossplane render` prints."""
    claim, settings = map(Path, sys.argv[1:3])
    observed = Path(sys.argv[3]) if sys.argv[3:4] not in ([], [""]) else None
    try:
        kind = kind_of(claim)
        if errors := judge(kind, [{"name": "claim", "new": yaml.safe_load(claim.read_text())}])[0]["errors"]:
            # The last of them only says that rules wait for the others.
            told = [error for error in errors if not error.startswith("<nil>")]
            print("refused by the API server:", *told, sep="\n  ", file=sys.stderr)
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
    results = (found for found in yaml.safe_load_all(rendered) if found and found["kind"] == "Result")
    return [found["message"] for found in results if found["severity"] == "Warning"]


if __name__ == "__main__":
    sys.exit(main())
