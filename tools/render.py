"""Render one claim: `python -m tools.render CLAIM [OBSERVED]`, what `make render` runs."""

import sys
from pathlib import Path

import yaml

from tools.crossplane import NotRenderable, kind_of, render, required_of, serving


def main() -> int:
    """Start the claim's function, render, stop it; print what `crossplane render` prints."""
    claim = Path(sys.argv[1])
    observed = Path(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else None  # noqa: PLR2004  # the second argument
    try:
        with serving(kind_of(claim)) as address:
            done = render(claim, address, observed=observed, required=required_of(claim), results=True)
    except (NotRenderable, OSError, yaml.YAMLError) as error:
        print(f"cannot render: {error}", file=sys.stderr)
        return 2
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
