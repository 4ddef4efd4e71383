"""Publish what `make package` built: `python -m package.publish --version v0.1.0 --registry HOST/PATH`, what `make publish` runs.

A published version is never overwritten: whoever has pinned it would get something else.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from package.build import ARCHITECTURES, CONFIGURATION, DIST, KINDS
from tools.crossplane import BINARIES, cli


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


def publish(version: str, registry: str, out: Path) -> Iterator[str]:
    """Push every package, the Configuration last: what it asks for is there by then.

    Args:
        version: The version.
        registry: A registry's host and the path before the packages' names.
        out: Where they were built.

    Yields:
        Each package's reference with its digest.

    Raises:
        CannotPublish: Where something else was built, is published already, or is refused by the registry.
    """
    _check_built(version, registry, out)
    packages = {
        f"function-{kind}": [out / f"function-{kind}-{architecture}.xpkg" for architecture in ARCHITECTURES] for kind in KINDS
    }
    packages[CONFIGURATION] = [out / f"{CONFIGURATION}.xpkg"]
    references = {name: f"{registry}/{name}:{version}" for name in packages}
    for reference in references.values():
        if _digest(reference):
            raise CannotPublish(f"{reference} is published already, and a published version never changes; raise VERSION")
    for name, files in packages.items():
        _run(cli(), "xpkg", "push", f"--package-files={','.join(map(str, files))}", references[name])
        digest = _digest(references[name])
        _sign(f"{registry}/{name}@{digest}")
        yield f"{references[name]}@{digest}"


def _check_built(version: str, registry: str, out: Path) -> None:
    """Refuse to publish what asks for functions of another version or from elsewhere."""
    metadata, build = out / "metadata" / CONFIGURATION / "crossplane.yaml", f"make package VERSION={version} REGISTRY={registry}"
    if not metadata.exists():
        raise CannotPublish(f"there is nothing in {out.name}/; build it: {build}")
    wanted = yaml.safe_load(metadata.read_text())["spec"]["dependsOn"]
    functions = {(entry["package"], entry["version"]) for entry in wanted if entry["kind"] == "Function"}
    if functions != {(f"{registry}/function-{kind}", version) for kind in KINDS}:
        package, built = min(functions)
        raise CannotPublish(f"{out.name}/ was built for {package.rpartition('/')[0]} {built}; build it: {build}")


def _digest(reference: str) -> str:
    """Return a reference's digest, "" where the registry does not have it."""
    done = subprocess.run([str(BINARIES / "crane"), "digest", reference], check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout.strip()
    if re.search("MANIFEST_UNKNOWN|NAME_UNKNOWN|status code 404", done.stderr):
        return ""
    raise CannotPublish(f"the registry does not say whether it has {reference}: {' '.join(done.stderr.split())[-400:]}")


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
