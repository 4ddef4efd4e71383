"""Build every package: `python -m package.build --version v0.1.0`, what `make package` runs. It needs no daemon.

Out come dist/NAME-ARCH.xpkg for each function and architecture, with dist/NAME-ARCH.spdx.json, which says what is in it, and
dist/configuration-platform.xpkg. The same commit gives the same
bytes on the same day: files have the commit's time (or SOURCE_DATE_EPOCH), no owner and an order of their own.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from package import context, rootfs
from package.images import ARCHITECTURES, HERE, CannotBuild, Images
from tools.crossplane import ROOT, cli

KINDS: Final = {path.stem: path for path in sorted((ROOT / "apis").glob("*.yaml"))}
TITLES: Final = {"app": "App", "postgresql": "PostgreSQL", "vm": "VM"}
REGISTRY: Final = "ghcr.io/gravitek-io"
CONFIGURATION: Final = "configuration-platform"
DIST: Final = ROOT / "dist"
# The file there that says what it was built from.
SOURCES: Final = "sources.sha256"

_SYFT: Final = Path(sys.executable).with_name("syft")
_VERSION: Final = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?")
_LONGEST_NAME: Final = 62
_REGISTRY: Final = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+")


def main() -> int:
    """Build, and print what was built with its digest."""
    options = _options()
    try:
        built = build(options.version, options.registry, options.base, DIST)
    except CannotBuild as error:
        print(f"cannot build: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"cannot build: {' '.join(error.cmd)[:200]} ended with {error.returncode}", file=sys.stderr)
        return 1
    for path in built:
        print(f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}  {_digest(path)}")
    return 0


def build(version: str, registry: str, base: str, out: Path) -> list[Path]:
    """Build every package.

    Args:
        version: Such as v0.1.0; the Configuration asks for the functions of exactly this version.
        registry: Where the packages will be published: a registry's host and the path before their names.
        base: A base image with Python at /usr/bin/python3, "" for one out of Debian's packages.
        out: The folder; what an earlier build left there is replaced.

    Returns:
        The packages, and what is in them.

    Raises:
        CannotBuild: Where something is malformed or missing.
        subprocess.CalledProcessError: Where a program does not succeed.
    """
    _check(version, registry, base)
    epoch = _epoch()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    laid_out, images = out / "context", Images(out / "images", epoch)
    context.lay_out(laid_out)
    bases = dict.fromkeys(ARCHITECTURES, base) if base else dict(_bases(images, laid_out, epoch))
    built = []
    for kind in KINDS:
        metadata = out / "metadata" / f"function-{kind}"
        _write(metadata / "crossplane.yaml", filled((HERE / "function.yaml").read_text(), {"KIND": kind, "TITLE": TITLES[kind]}))
        for architecture in ARCHITECTURES:
            runtime = images.function(kind, architecture, bases, laid_out)
            built.append(_package(metadata, out / f"function-{kind}-{architecture}.xpkg", runtime))
            built.append(_bill_of_materials(runtime, f"function-{kind}", version))
            runtime.unlink()
    images.remove()
    shutil.rmtree(laid_out)
    cluster(out / "cluster", registry)
    _write(out / SOURCES, sources())
    return [*built, configuration(out, version, registry)]


def configuration(out: Path, version: str, registry: str) -> Path:
    """Build the Configuration's package: its metadata, the XRDs, the Compositions and what is activated.

    Args:
        out: The folder.
        version: Of the functions that it asks for.
        registry: Where they are published. Crossplane names a function after its path there, and so do the Compositions.

    Returns:
        The package.
    """
    metadata = out / "metadata" / CONFIGURATION
    facts = {"REGISTRY": registry, "VERSION": version}
    for path in sorted((HERE / "configuration").glob("*.yaml")):
        _write(metadata / path.name, filled(path.read_text(), facts))
    for path in sorted([*(ROOT / "apis").glob("*.yaml"), *(ROOT / "compositions").glob("*/*.yaml")]):
        text = re.sub(
            r"(?<=name: )gravitek-io-function-(\w+)", lambda match: installed(f"{registry}/function-{match[1]}"), path.read_text()
        )
        _write(metadata / path.relative_to(ROOT), text)
    return _package(metadata, out / f"{CONFIGURATION}.xpkg")


def cluster(out: Path, registry: str) -> None:
    """Write what a cluster needs besides, for the functions of a registry.

    Args:
        out: The folder.
        registry: Where the functions are published.
    """
    for path in sorted((HERE / "cluster").glob("*.yaml")):
        _write(out / path.name, path.read_text().replace(f"prefix: {REGISTRY}/", f"prefix: {registry}/"))


def sources() -> str:
    """Return a digest of what packages are built from."""
    digest = hashlib.sha256()
    for folder in ("apis", "compositions", "functions", "package"):
        for path in sorted(path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return f"{digest.hexdigest()}\n"


def built_for(out: Path) -> tuple[str, str]:
    """Return the registry and the version that packages were built for, as their Configuration says; "" where there is none."""
    metadata = out / "metadata" / CONFIGURATION / "crossplane.yaml"
    wanted = yaml.safe_load(metadata.read_text())["spec"]["dependsOn"] if metadata.exists() else []
    functions = [(entry["package"].rpartition("/")[0], entry["version"]) for entry in wanted if entry["kind"] == "Function"]
    return min(functions, default=("", ""))


def installed(package: str) -> str:
    """Return the name under which Crossplane installs a package that another one asks for.

    As runtime v2.3's pkg/xpkg/name.go has it (ToDNSLabel), for paths that are not too long.

    Args:
        package: Its registry and path.
    """
    return re.sub(r"[./]", "-", package.partition("/")[2].replace("_", ""))


def filled(text: str, facts: Mapping[str, str]) -> str:
    """Fill in words in capitals."""
    for word, value in facts.items():
        text = re.sub(rf"\b{word}\b", value, text)
    return text


def _bases(images: Images, context: Path, epoch: int) -> Iterator[tuple[str, str]]:
    for architecture in ARCHITECTURES:
        rootfs.build(architecture, epoch, context / f"base-{architecture}.tar")
        yield architecture, images.base(architecture, context)


def _package(metadata: Path, out: Path, runtime: Path | None = None) -> Path:
    # Without a folder of its own the CLI would take the examples of this checkout, and settings that were made somebody's own.
    command = [cli(), "xpkg", "build", f"--package-root={metadata}", f"--package-file={out}", f"--examples-root={metadata}/none"]
    command += [f"--embed-runtime-image-tarball={runtime}"] if runtime else []
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotBuild(f"crossplane xpkg build: {' '.join((done.stdout + done.stderr).split())[-600:]}")
    return out


def _bill_of_materials(image: Path, name: str, version: str) -> Path:
    """Write what an image is made of, as SPDX."""
    out = image.with_suffix(".spdx.json")
    command = [
        str(_SYFT),
        "scan",
        "--quiet",
        f"--source-name={name}",
        f"--source-version={version}",
        f"docker-archive:{image}",
        f"--output=spdx-json={out}",
    ]
    subprocess.run(command, check=True, env={**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"})
    return out


def _check(version: str, registry: str, base: str) -> None:
    if not _VERSION.fullmatch(version):
        raise CannotBuild(f'VERSION is "{version}"; write one such as v0.1.0')
    if not _REGISTRY.fullmatch(registry):
        raise CannotBuild(f'REGISTRY is "{registry}"; write a host and a path, such as {REGISTRY}')
    if len(longest := installed(f"{registry}/function-{max(KINDS, key=len)}")) > _LONGEST_NAME:
        raise CannotBuild(
            f'REGISTRY is "{registry}"; Crossplane would install a function as {longest}, cut at {_LONGEST_NAME} characters; '
            "choose a shorter path"
        )
    if not _SYFT.exists():
        raise CannotBuild("bills of materials are written by syft, which requirements-dev.lock has for x86_64 only; build there")
    needed = ["buildah", "git", *([] if base else ["mmdebstrap"])]
    if missing := [program for program in needed if shutil.which(program) is None]:
        raise CannotBuild(
            f"{' and '.join(missing)} not found; on Debian: apt-get install --no-install-recommends {' '.join(missing)}"
        )


def _epoch() -> int:
    """Return the time of every file: SOURCE_DATE_EPOCH, else the commit's."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not given:
        given = subprocess.run(
            ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()
    if not given.isdigit():
        raise CannotBuild(f'SOURCE_DATE_EPOCH is "{given}"; write seconds since 1970')
    return int(given)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build every package into dist/.")
    parser.add_argument("--version", required=True, help="such as v0.1.0")
    parser.add_argument("--registry", default=REGISTRY, help="where the packages will be published (default: %(default)s)")
    parser.add_argument(
        "--base", default="", help="a base image with Python at /usr/bin/python3; made from Debian's packages unless given"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
