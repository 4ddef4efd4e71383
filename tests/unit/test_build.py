"""What packages are called, and what is refused before anything is built."""

import re
from pathlib import Path

import pytest

from package import build
from package.images import CannotBuild


@pytest.mark.parametrize(
    ("package", "name", "why"),
    [
        ("ghcr.io/gravitek-io/function-vm", "gravitek-io-function-vm", "as the Compositions of this checkout say"),
        ("registry.example.org/team/platform/function-vm", "team-platform-function-vm", "slashes become hyphens"),
        ("ghcr.io/acme.inc/function-vm", "acme-inc-function-vm", "and so do dots"),
        ("harbor.example.org:8443/team_a/function-vm", "teama-function-vm", "underscores go; a port belongs to the host"),
    ],
)
def test_crossplane_installs_a_package_under_a_name_of_its_own(package: str, name: str, why: str) -> None:
    assert build.installed(package) == name, why


@pytest.mark.parametrize(
    ("version", "registry", "sentence"),
    [
        ("1.0", build.REGISTRY, 'VERSION is "1.0"; write one such as v0.1.0'),
        ("v0.1.0", "Example.org", 'REGISTRY is "Example.org"; write a host and a path'),
        ("v0.1.0", f"example.org/{'x' * 60}", "cut at 62 characters; choose a shorter path"),
    ],
)
def test_what_cannot_be_built_is_a_sentence(version: str, registry: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CannotBuild, match=re.escape(sentence)):
        build.build(version, registry, "", tmp_path / "dist")


def test_what_a_cluster_needs_names_the_registry(tmp_path: Path) -> None:
    build.cluster(tmp_path, "registry.example.org/platform")
    written = (tmp_path / "runtime.yaml").read_text()
    assert "prefix: registry.example.org/platform/function-}" in written
    assert build.REGISTRY not in written
    assert {path.name for path in tmp_path.iterdir()} == {"argocd.yaml", "rbac.yaml", "runtime.yaml"}
