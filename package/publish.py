"""Publish what `make package` built: `python -m package.publish --version v0.1.0 --registry HOST/PATH`, what `make publish` runs.

A published version is never overwritten: whoever has pinned it would get something else.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from package.build import CONFIGURATION, DIST, KINDS, built_for
from package.images import ARCHITECTURES
from tools.crossplane import BINARIES, cli

CRANE: Final = str(BINARIES / "crane")

# How registries say that they have no such thing: distribution, Harbor, and those that say nothing.
_NOT_THERE: Final = re.compile(r"\b(MANIFEST_UNKNOWN|NAME_UNKNOWN|NOT_FOUND)\b|status code 404")


class CannotPublish(Exception):  # noqa: N818  # a sentence for the user
    """Nothing more is published; the text says why in one line."""


def main() -> int:
    """Publish, and print every package with its digest."""
    parser = argparse.ArgumentParser(description="Publish the packages of dist/.")
    parser.add_argument("--version", required=True, help="the version that was built, such as v0.1.0")
    parser.add_argument("--registry", required=True, help="the registry and path that it was built for")
    options = parser.parse_args()
    try:
        for reference in publish(options.version, options.registry, DIST):
            print(reference)
    except CannotPublish as error:
        print(f"cannot publish: {error}", file=sys.stderr)
        return 1
    return 0


def publish(version: str, registry: str, out: Path, *, sign: bool = True) -> Iterator[str]:
    """Push every package, the Configuration last: what it asks for is there by then.

    What an earlier try pushed of the same packages stays, so a try that stopped halfway can be taken up again.

    Args:
        version: The version.
        registry: A registry's host and the path before the packages' names.
        out: Where they were built.
        sign: Whether they are signed, where cosign is installed.

    Yields:
        Each package's reference with its digest.

    Raises:
        CannotPublish: Where something else was built, the version is published with other contents, or the registry refuses.
    """
    if built_for(out) != (registry, version):
        was = " ".join(built_for(out))
        told = f"{out.name}/ was built for {was}" if was.strip() else f"there is nothing in {out.name}/"
        raise CannotPublish(f"{told}; build it: make package VERSION={version} REGISTRY={registry}")
    packages = {
        f"function-{kind}": [out / f"function-{kind}-{architecture}.xpkg" for architecture in ARCHITECTURES] for kind in KINDS
    }
    packages[CONFIGURATION] = [out / f"{CONFIGURATION}.xpkg"]
    references = {name: f"{registry}/{name}:{version}" for name in packages}
    digests = _digests(packages)
    there = {name: digest(reference) for name, reference in references.items()}
    for name, reference in references.items():
        if there[name] not in {"", digests[name]}:
            raise CannotPublish(
                f"{reference} is published already with other contents, and a published version never changes; raise VERSION"
            )
    for name, files in packages.items():
        if not there[name]:
            _push(files, references[name])
        if digest(references[name]) != digests[name]:
            raise CannotPublish(f"{references[name]} is not what was pushed; somebody else publishes the same version")
        if sign:
            _sign(f"{registry}/{name}@{digests[name]}")
        yield f"{references[name]}@{digests[name]}"


@contextmanager
def loopback() -> Iterator[str]:
    """Run a registry on loopback while the context lasts.

    Yields:
        Its host and port.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [CRANE, "registry", "serve", "--address", "127.0.0.1:0"]
        with log.open("w") as out, subprocess.Popen(command, stderr=out) as process:
            try:
                while (match := re.search(r"serving on port (\d+)", log.read_text())) is None:
                    if process.poll() is not None:
                        raise CannotPublish(f"crane registry serve: {log.read_text()[-300:]}")
                    time.sleep(0.05)
                yield f"127.0.0.1:{match[1]}"
            finally:
                process.terminate()


def digest(reference: str) -> str:
    """Return a reference's digest, "" where the registry does not have it.

    Raises:
        CannotPublish: Where the registry does not say.
    """
    done = subprocess.run([CRANE, "digest", reference], check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout.strip()
    if _NOT_THERE.search(done.stderr):
        return ""
    raise CannotPublish(f"the registry does not say whether it has {reference}: {' '.join(done.stderr.split())[-400:]}")


def _digests(packages: Mapping[str, Sequence[Path]]) -> dict[str, str]:
    """Tell what digests packages will have: pushing them anywhere gives the same."""
    with loopback() as host:
        for name, files in packages.items():
            _push(files, f"{host}/{name}:v0")
        return {name: digest(f"{host}/{name}:v0") for name in packages}


def _push(files: Sequence[Path], reference: str) -> None:
    _run(cli(), "xpkg", "push", f"--package-files={','.join(map(str, files))}", reference)


def _sign(reference: str) -> None:
    """Sign what was pushed, where cosign is installed; with COSIGN_KEY by that key, else by the identity of whoever runs this."""
    if shutil.which("cosign") is None:
        print(f"not signed, for cosign is not installed: {reference}", file=sys.stderr)
        return
    key = os.environ.get("COSIGN_KEY", "")
    _run("cosign", "sign", "--yes", *([f"--key={key}"] if key else []), reference)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotPublish(f"{Path(command[0]).name} {command[1]}: {' '.join((done.stdout + done.stderr).split())[-600:]}")


if __name__ == "__main__":
    sys.exit(main())
