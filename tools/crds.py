"""Fetch the CRDs that the tests validate against: `python -m tools.crds [MIRROR]`, what `make crds` runs.

They belong to the providers and operators, so they are laid out in the git-ignored folder .cache/crds: a folder for each.
"""

import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tools.crossplane import ROOT, cli

FOLDER: Final = ROOT / ".cache" / "crds"

_CONFIGURATION: Final = ROOT / "package" / "configuration" / "crossplane.yaml"
_RAW: Final = "https://raw.githubusercontent.com"
_CNPG: Final = f"{_RAW}/cloudnative-pg/cloudnative-pg/v1.30.0/config/crd/bases"
_ESO: Final = f"{_RAW}/external-secrets/external-secrets/v2.9.0/config/crds/bases"

# What claims are made of beside the providers' kinds; the versions are those of docs/operating.md.
OPERATORS: Final[Mapping[str, tuple[str, ...]]] = {
    "cloudnative-pg": (f"{_CNPG}/postgresql.cnpg.io_clusters.yaml", f"{_CNPG}/postgresql.cnpg.io_scheduledbackups.yaml"),
    "external-secrets": (
        f"{_ESO}/external-secrets.io_externalsecrets.yaml",
        f"{_ESO}/external-secrets.io_pushsecrets.yaml",
        f"{_ESO}/generators.external-secrets.io_passwords.yaml",
    ),
    "victoriametrics": (f"{_RAW}/VictoriaMetrics/operator/v0.74.1/config/crd/overlay/crd.descriptionless.yaml",),
}

# Two packages have this name.
_FOLDERS: Final = {"vshn/provider-exoscale": "provider-exoscale-vshn"}


class CannotFetch(Exception):  # noqa: N818  # a sentence for the user
    """Some CRDs cannot be had; the text says which and why."""


class Provider(NamedTuple):
    """A provider's package that the Configuration asks for.

    Attributes:
        host: Of its registry.
        name: Its path there.
        version: The least that is asked for, which is the one that is tested.
        folder: Of its CRDs.
    """

    host: str
    name: str
    version: str
    folder: str


def providers() -> Iterator[Provider]:
    """Read off the Configuration's metadata which providers' packages it asks for."""
    for entry in yaml.safe_load(_CONFIGURATION.read_text())["spec"]["dependsOn"]:
        if entry["kind"] == "Provider":
            host, _, name = entry["package"].partition("/")
            least = entry["version"].split()[0].removeprefix(">=")
            yield Provider(host, name, least, _FOLDERS.get(name, name.partition("/")[2]))


def of_providers(out: Path, mirror: str = "") -> None:
    """Extract the CRDs of the providers' packages.

    Args:
        out: The folder that gets a folder for each.
        mirror: A registry that has them, in place of those that the Configuration names.

    Raises:
        CannotFetch: Naming the package that cannot be had.
    """
    with tempfile.TemporaryDirectory() as folder:
        for provider in providers():
            package = f"{mirror or provider.host}/{provider.name}:{provider.version}"
            asked = Path(folder) / "provider.yaml"
            asked.write_text(yaml.safe_dump(_installed(package)))
            command = [cli(), "xpkg", "get-crds", str(asked), "--flat", "--no-cache", f"--output-dir={out / provider.folder}"]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise CannotFetch(f"{package}: {' '.join((done.stdout + done.stderr).split())[-300:]}")


def of_operators(out: Path, sources: Mapping[str, Iterable[str]] = OPERATORS) -> None:
    """Download the CRDs of operators.

    Args:
        out: The folder that gets a folder for each.
        sources: URLs of YAML files by the name of the folder.

    Raises:
        CannotFetch: Naming the URL that cannot be had.
    """
    for name, urls in sources.items():
        (out / name).mkdir(parents=True, exist_ok=True)
        for url in urls:
            try:
                with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # the URLs stand above
                    (out / name / url.rpartition("/")[2]).write_bytes(answer.read())
            except OSError as error:
                raise CannotFetch(f"{url}: {error}") from None


def _installed(package: str) -> dict[str, Any]:
    """Return what asks for a package as a cluster would; the CLI reads package references out of nothing else."""
    return {"apiVersion": "pkg.crossplane.io/v1", "kind": "Provider", "metadata": {"name": "x"}, "spec": {"package": package}}


def main() -> int:
    """Fetch everything, or nothing; say how many files there are."""
    fetched = FOLDER.with_suffix(".new")
    shutil.rmtree(fetched, ignore_errors=True)
    try:
        of_providers(fetched, sys.argv[1] if len(sys.argv) > 1 else "")
        of_operators(fetched)
    except CannotFetch as error:
        print(f"cannot fetch {error}", file=sys.stderr)
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    fetched.rename(FOLDER)
    print(f"{len(list(FOLDER.glob('*/*.yaml')))} files in {FOLDER.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
