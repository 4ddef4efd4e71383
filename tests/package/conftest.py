"""What `make package` left in dist/, on a registry of loopback, and as a file system that a function is started in."""

import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from package import build, publish
from package.images import architecture_here
from tests import images
from tests.certificates import Authority
from tools.crossplane import cli

VERSION: Final = "v0.1.0"


@dataclass(frozen=True)
class Published:
    """What was pushed.

    Attributes:
        registry: A registry of loopback, with a path.
        references: Each package's reference with its digest, by its name.
    """

    registry: str
    references: dict[str, str]

    def crane(self, *arguments: str) -> str:
        return subprocess.run([publish.CRANE, *arguments], check=True, capture_output=True, text=True).stdout

    def manifest(self, reference: str) -> Any:
        return json.loads(self.crane("manifest", reference))


@pytest.fixture(scope="session")
def dist() -> Path:
    """Return the folder with the packages.

    They are not built here, for that takes minutes: CI builds them, and so does `make package`.
    """
    if not list(build.DIST.glob("*.xpkg")):
        pytest.fail("there are no packages in dist/; build them: make package")
    return build.DIST


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """Run a registry on loopback."""
    with publish.loopback() as host:
        yield f"{host}/gravitek-io"


@pytest.fixture(scope="session")
def published(dist: Path, registry: str, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Publish the packages of dist/ there, with a Configuration that asks for the functions there."""
    out = tmp_path_factory.mktemp("dist")
    for path in dist.glob("function-*.xpkg"):
        (out / path.name).symlink_to(path)
    build.configuration(out, VERSION, registry)
    references = list(publish.publish(VERSION, registry, out, sign=False))
    return Published(registry, {reference.rpartition("/")[2].partition(":")[0]: reference for reference in references})


@dataclass(frozen=True)
class Image:
    """A function's image for this machine, unpacked.

    Attributes:
        root: Its file system.
        config: How it is run, as the image says.
    """

    root: Path
    config: dict[str, Any]


@pytest.fixture(scope="session", name="images")
def unpacked(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """Unpack the images for this machine, by kind."""
    found = {}
    for kind in build.KINDS:
        package, root = dist / f"function-{kind}-{architecture_here()}.xpkg", tmp_path_factory.mktemp(f"root-{kind}")
        for layer in layers(package):
            layer.extractall(root, filter="tar")  # of our own build
        root.chmod(0o755)
        found[kind] = Image(root, config_of(package)["config"])
    return found


def config_of(package: Path) -> dict[str, Any]:
    """Return the config of a package's image."""
    with tarfile.open(package) as archive:
        name = _json(archive, "manifest.json")[0]["Config"]
        config: dict[str, Any] = _json(archive, name)
        return config


def _json(archive: tarfile.TarFile, name: str) -> Any:
    file = archive.extractfile(name)
    assert file is not None
    return json.load(file)


def layers(package: Path) -> Iterator[tarfile.TarFile]:
    """Open the layers of a package's image, from the base on."""
    with tarfile.open(package) as archive:
        for name in _json(archive, "manifest.json")[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                yield layer


def xpkg(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([cli(), "xpkg", *arguments], check=False, capture_output=True, text=True)


@dataclass(frozen=True)
class Certificates:
    """A folder as Crossplane mounts it (tls.crt, tls.key, ca.crt), and a client's."""

    server: Path
    client: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make a certificate authority, a server's certificate and a client's."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    made = Certificates(authority.issue("server"), authority.issue("client"))
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # Crossplane's user reads them
    return made


def chrooted(image: Image, user: int, tls: Path, address: str) -> "subprocess.Popen[bytes]":
    """Start a function as Crossplane would."""
    command = images.command(image.root, image.config["Entrypoint"], user, tls, address)
    return subprocess.Popen(command, env=images.environment(image.config["Env"]), stderr=subprocess.PIPE)
