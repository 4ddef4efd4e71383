"""`make render` answers a malformed claim with a sentence, never with a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.crossplane import ROOT

VM = "apiVersion: platform.gravitek.io/v1alpha1\nkind: VM\nmetadata: {name: web}\n"


@pytest.mark.parametrize(
    ("text", "sentence", "why"),
    [
        (None, "No such file", "no file"),
        ("a: [\n", "cannot render: while parsing", "no YAML"),
        ("- a\n", "holds no claim of a known kind (app, postgresql, vm)", "a list"),
        ("kind: Cow\n", "holds no claim of a known kind (app, postgresql, vm)", "another kind"),
        (f"{VM}spec: 3\n", "size", "a spec that is no object"),
        (f"{VM}spec: {{crossplane: []}}\n", "size", "a choice that is no object"),
        (
            f"{VM}spec: {{crossplane: {{compositionRef: {{name: vm-aws}}}}}}\n",
            "providers of vm are exoscale, ovh, scaleway",
            "a provider",
        ),
    ],
)
def test_malformed_claim(text: str | None, sentence: str, why: str, tmp_path: Path) -> None:
    claim = tmp_path / "claim.yaml"
    if text is not None:
        claim.write_text(text)
    command = [sys.executable, "-m", "tools.render", str(claim)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0, why
    assert sentence in done.stderr, why
    assert "Traceback" not in done.stderr, why
