"""Build every package: `python -m package.build --version v0.1.0`, what `make package` runs. It needs no daemon.

Out come dist/NAME-ARCH.xpkg for each function and architecture, with dist/NAME-ARCH.spdx.json, which says what is in it, and
dist/configuration-platform.xpkg. The same commit gives the same
bytes on the same day: files have the commit's time (or SOURCE_DATE_EPOCH), no owner and an order of their own.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from package import rootfs
from tools.crossplane import ROOT, cli

ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
KINDS: Final = {path.stem: path for path in sorted((ROOT / "apis").glob("*.yaml"))}
TITLES: Final = {"app": "App", "postgresql": "PostgreSQL", "vm": "VM"}
REGISTRY: Final = "xpkg.crossplane.io/gravitek-io"
CONFIGURATION: Final = "configuration-platform"
DIST: Final = ROOT / "dist"

_HERE: Final = Path(__file__).parent
_SYFT: Final = Path(sys.executable).with_name("syft")
_VERSION: Final = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?")
_REGISTRY: Final = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+")


class CannotBuild(Exception):  # noqa: N818  # a sentence for the user
    """Nothing can be built; the text says why in one line."""


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
    context, images = out / "context", Images(out / "images", epoch)
    lay_out(context)
    for architecture, machine in ARCHITECTURES.items():
        _dependencies(context / f"lib-{architecture}", machine)
    _settle(context)
    bases = dict.fromkeys(ARCHITECTURES, base) if base else dict(_bases(images, context, epoch))
    built = []
    for kind in KINDS:
        metadata = out / "metadata" / f"function-{kind}"
        _write(metadata / "crossplane.yaml", filled((_HERE / "function.yaml").read_text(), {"KIND": kind, "TITLE": TITLES[kind]}))
        for architecture in ARCHITECTURES:
            runtime = images.function(kind, architecture, bases, context)
            built.append(_package(metadata, out / f"function-{kind}-{architecture}.xpkg", runtime))
            built.append(_bill_of_materials(runtime))
            runtime.unlink()
    images.remove()
    shutil.rmtree(context)
    return [*built, configuration(out, version, registry)]


def lay_out(context: Path) -> None:
    """Lay out what the Dockerfile copies, but for the Python packages.

    Args:
        context: The folder.
    """
    for path in (ROOT / "functions").rglob("*.py"):
        _write(context / path.relative_to(ROOT), path.read_text())
    _write(context / "compile.py", (_HERE / "compile.py").read_text())


def configuration(out: Path, version: str, registry: str) -> Path:
    """Build the Configuration's package: its metadata, the XRDs, the Compositions and what is activated.

    Args:
        out: The folder.
        version: Of the functions that it asks for.
        registry: Where they are published. Crossplane names a function after its path there, and so do the Compositions.

    Returns:
        The package.
    """
    metadata, name = out / "metadata" / CONFIGURATION, registry.partition("/")[2].replace("/", "-")
    facts = {"REGISTRY": registry, "VERSION": version}
    for path in sorted((_HERE / "configuration").glob("*.yaml")):
        _write(metadata / path.name, filled(path.read_text(), facts))
    for path in sorted([*(ROOT / "apis").glob("*.yaml"), *(ROOT / "compositions").glob("*/*.yaml")]):
        text = path.read_text().replace("name: gravitek-io-function-", f"name: {name}-function-")
        _write(metadata / path.relative_to(ROOT), text)
    return _package(metadata, out / f"{CONFIGURATION}.xpkg")


def filled(text: str, facts: Mapping[str, str]) -> str:
    """Fill in words in capitals."""
    for word, value in facts.items():
        text = re.sub(rf"\b{word}\b", value, text)
    return text


class Images:
    """Images in a store of this build's own, made with buildah.

    Attributes:
        folder: The store.
    """

    def __init__(self, folder: Path, epoch: int) -> None:
        self.folder = folder
        self._epoch = epoch

    def base(self, architecture: str, context: Path) -> str:
        """Build the base image out of the context's archive; return its name."""
        name = f"localhost/gravitek/base:{architecture}"
        self._build(name, architecture, _HERE / "base.Dockerfile", context, {})
        return name

    def function(self, kind: str, architecture: str, bases: Mapping[str, str], context: Path) -> Path:
        """Build a function's image; return it as an archive such as `docker save` writes."""
        name, here = f"localhost/gravitek/function-{kind}:{architecture}", architecture_here()
        arguments = {
            "KIND": kind,
            "BASE": bases[architecture],
            "BUILD_BASE": bases[here],
            "BUILDARCH": here,
            "BUILDPLATFORM": f"linux/{here}",
        }
        self._build(name, architecture, _HERE / "Dockerfile", context, arguments)
        archive = self.folder.parent / f"function-{kind}-{architecture}.tar"
        self._buildah("push", "--quiet", name, f"docker-archive:{archive}")
        return archive

    def remove(self) -> None:
        """Remove the store."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _build(self, name: str, architecture: str, dockerfile: Path, context: Path, arguments: Mapping[str, str]) -> None:
        command = [
            "bud",
            "--quiet",
            "--layers",
            f"--timestamp={self._epoch}",
            "--isolation=chroot",
            f"--platform=linux/{architecture}",
        ]
        command += [f"--build-arg={key}={value}" for key, value in arguments.items()]
        self._buildah(*command, "--tag", name, "--file", str(dockerfile), str(context))

    def _buildah(self, *arguments: str) -> None:
        store = ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run"), "--storage-driver", "vfs"]
        done = subprocess.run(["buildah", *store, *arguments], check=False, capture_output=True, text=True)
        if done.returncode:
            raise CannotBuild(f"buildah {arguments[0]}: {' '.join((done.stdout + done.stderr).split())[-600:]}")


def _bases(images: Images, context: Path, epoch: int) -> Iterator[tuple[str, str]]:
    for architecture in ARCHITECTURES:
        rootfs.build(architecture, epoch, context / f"base-{architecture}.tar")
        yield architecture, images.base(architecture, context)


def _dependencies(folder: Path, machine: str) -> None:
    """Install the locked Python packages for another machine, without running anything of theirs."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"]
    command += ["--target", str(folder), "--python-version", rootfs.PYTHON, "--python-platform", f"{machine}-manylinux_2_28"]
    subprocess.run([*command, "--requirements", str(ROOT / "requirements.lock")], check=True)
    for path in [folder / ".lock", *folder.glob("*.dist-info/RECORD"), *folder.glob("*.dist-info/REQUESTED"), folder / "bin"]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _settle(context: Path) -> None:
    """Give files the same modes whatever the builder's umask is."""
    for path in context.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)


def _package(metadata: Path, out: Path, runtime: Path | None = None) -> Path:
    command = [cli(), "xpkg", "build", f"--package-root={metadata}", f"--package-file={out}"]
    command += [f"--embed-runtime-image-tarball={runtime}"] if runtime else []
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotBuild(f"crossplane xpkg build: {' '.join((done.stdout + done.stderr).split())[-600:]}")
    return out


def _bill_of_materials(image: Path) -> Path:
    """Write what an image is made of, as SPDX."""
    out = image.with_suffix(".spdx.json")
    command = [
        str(_SYFT),
        "scan",
        "--quiet",
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


def architecture_here() -> str:
    """Return this machine's architecture."""
    machines = {machine: architecture for architecture, machine in ARCHITECTURES.items()}
    return machines.get(platform.machine(), "amd64")


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
