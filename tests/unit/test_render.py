"""`make render` answers a malformed claim with a sentence, never with a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.crossplane import ROOT, SETTINGS

VM = "apiVersion: platform.gravitek.io/v1alpha1\nkind: VM\nmetadata: {name: web}\n"


@pytest.mark.parametrize(
    ("text", "sentence", "why"),
    [
        (None, "No such file", "no file"),
        ("a: [\n", "cannot render: while parsing", "no YAML"),
        ("- a\n", "holds no claim of a known kind (app, postgresql, vm)", "a list"),
        ("kind: Cow\n", "holds no claim of a known kind (app, postgresql, vm)", "another kind"),
        (f"{VM}---\n{VM}", "holds 2 objects; write one claim to a file", "two claims"),
        (f"{VM}spec: {{}}\nspec: {{}}\n", 'key "spec" already set in map', "a key twice, which kubectl refuses"),
        (f"{VM}spec: 3\n", "spec in body must be of type object", "a spec that is no object"),
        (f"{VM}spec: {{crossplane: []}}\n", "spec.crossplane in body must be of type object", "a choice that is no object"),
        (f"{VM}spec: {{}}\n", "spec.size: Required value", "what the API server refuses"),
        (
            f"{VM}spec: {{size: small, image: debian-12, crossplane: {{compositionRef: {{name: vm-aws}}}}}}\n",
            "compositionRef must be vm-PROVIDER",
            "a provider",
        ),
        (
            f"{VM}spec: {{size: small, image: debian-12, region: fr-par}}\n",
            'refused: spec.region is "fr-par"; exoscale offers ',
            "what the function refuses, without Crossplane's words",
        ),
    ],
)
def test_malformed_claim(text: str | None, sentence: str, why: str, tmp_path: Path) -> None:
    claim = tmp_path / "claim.yaml"
    if text is not None:
        claim.write_text(text)
    command = [sys.executable, "-m", "tools.render", str(claim), str(SETTINGS), ""]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0, why
    assert sentence in done.stderr, why
    assert "Traceback" not in done.stderr, why


def test_a_warning_is_told_beside_what_is_rendered(tmp_path: Path) -> None:
    claim = tmp_path / "claim.yaml"
    spec = "{image: shop:1, size: small, args: ['=', --password=hunter2]}"  # PyYAML reads no bare = as text
    claim.write_text(
        f"apiVersion: platform.gravitek.io/v1alpha1\nkind: App\nmetadata: {{name: shop, namespace: a}}\nspec: {spec}\n"
    )
    command = [sys.executable, "-m", "tools.render", str(claim), str(SETTINGS), ""]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "spec.args[1] looks like a secret" in done.stderr
    assert "kind: Deployment" in done.stdout
