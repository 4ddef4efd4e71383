"""Images of the functions, made with buildah in a store of this build's own."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
HERE: Final = Path(__file__).parent


class CannotBuild(Exception):  # noqa: N818  # a sentence for the user
    """Nothing can be built; the text says why in one line."""


def architecture_here() -> str:
    """Return this machine's architecture."""
    machines = {machine: architecture for architecture, machine in ARCHITECTURES.items()}
    return machines.get(platform.machine(), "amd64")


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
        self._build(name, architecture, HERE / "base.Dockerfile", context, {})
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
        }  # docker knows the last two itself
        self._build(name, architecture, HERE / "Dockerfile", context, arguments)
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
        # Newer versions of buildah read it too, and refuse it beside a timestamp.
        environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
        store = ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run"), "--storage-driver", "vfs"]
        done = subprocess.run(["buildah", *store, *arguments], check=False, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise CannotBuild(f"buildah {arguments[0]}: {' '.join((done.stdout + done.stderr).split())[-600:]}")
