"""The packages are what Crossplane, its CLI and a platform team expect. The traps are those of the package format."""

import gzip
import hashlib
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from package import build
from package.images import ARCHITECTURES
from package.publish import CannotPublish, digest, publish
from tests.package.conftest import VERSION, Published, config_of, layers, xpkg
from tools.crossplane import ROOT

FUNCTIONS: Final = [f"function-{kind}" for kind in build.KINDS]
PACKAGES: Final = [*FUNCTIONS, build.CONFIGURATION]
LARGEST: Final = 30_000_000
# What core's linter lets into a package beside its metadata.
ALLOWED: Final = {
    "Function": set(),
    "Configuration": {"CompositeResourceDefinition", "Composition", "ManagedResourceActivationPolicy"},
}


def images_of(published: Published, name: str) -> dict[str, dict[str, Any]]:
    """Return the manifests of a package's images by platform."""
    reference = published.references[name]
    index = published.manifest(reference)
    if "manifests" not in index:
        return {"": index}
    repository = reference.partition("@")[0].rpartition(":")[0]
    return {
        f"{entry['platform']['os']}/{entry['platform']['architecture']}": published.manifest(f"{repository}@{entry['digest']}")
        for entry in index["manifests"]
    }


def blob(published: Published, name: str, digest: str) -> bytes:
    repository = published.references[name].partition("@")[0].rpartition(":")[0]
    return subprocess.run(
        [str(ROOT / ".tools" / "crane"), "blob", f"{repository}@{digest}"], check=True, capture_output=True
    ).stdout


def package_stream(published: Published, name: str, manifest: dict[str, Any]) -> tuple[list[tarfile.TarInfo], bytes]:
    """Return the entries of the annotated layer, and its package.yaml."""
    annotated = [layer for layer in manifest["layers"] if layer.get("annotations", {}).get("io.crossplane.xpkg") == "base"]
    assert len(annotated) == 1, "the core takes the first, the CLI refuses two"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(published, name, annotated[0]["digest"])))) as layer:
        file = layer.extractfile("package.yaml")
        assert file is not None
        return layer.getmembers(), file.read()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_trap_crossplane_takes_amd64_out_of_an_index(published: Published, name: str) -> None:
    assert set(images_of(published, name)) == {"linux/amd64", "linux/arm64"}


@pytest.mark.parametrize("name", PACKAGES)
def test_trap_one_layer_is_annotated_and_has_one_file(published: Published, name: str) -> None:
    for manifest in images_of(published, name).values():
        entries, _ = package_stream(published, name, manifest)
        assert [(entry.name, entry.mode, entry.mtime, entry.uid) for entry in entries] == [("package.yaml", 0o644, 0, 0)]


@pytest.mark.parametrize("name", PACKAGES)
def test_trap_the_config_names_the_layer_by_a_label(published: Published, name: str) -> None:
    for manifest in images_of(published, name).values():
        digest = next(layer["digest"] for layer in manifest["layers"] if "annotations" in layer)
        labels = json.loads(blob(published, name, manifest["config"]["digest"]))["config"]["Labels"]
        assert labels[f"io.crossplane.xpkg:{digest}"] == "base"


@pytest.mark.parametrize("name", PACKAGES)
def test_trap_the_stream_begins_and_ends_with_a_separator(published: Published, name: str) -> None:
    for manifest in images_of(published, name).values():
        _, stream = package_stream(published, name, manifest)
        assert stream.startswith(b"---\n")
        assert stream.endswith(b"---\n")


@pytest.mark.parametrize("name", PACKAGES)
def test_trap_the_first_document_is_the_only_metadata(published: Published, name: str) -> None:
    for manifest in images_of(published, name).values():
        _, stream = package_stream(published, name, manifest)
        first, *rest = [document for document in yaml.safe_load_all(stream) if document]
        assert first["apiVersion"] == "meta.pkg.crossplane.io/v1"
        assert re.fullmatch(r">=v\d+\.\d+\.\d+-0", first["spec"]["crossplane"]["version"])
        assert {document["kind"] for document in rest} == ALLOWED[first["kind"]]


@pytest.mark.parametrize("kind", build.KINDS)
def test_trap_no_other_file_is_called_package_yaml(dist: Path, kind: str) -> None:
    """Without the annotation the core takes the first one of any folder."""
    for architecture in ARCHITECTURES:
        names = [Path(name).name for layer in layers(dist / f"function-{kind}-{architecture}.xpkg") for name in layer.getnames()]
        assert names.count("package.yaml") == 1


@pytest.mark.parametrize("name", PACKAGES)
def test_trap_the_examples_of_this_checkout_stay_here(published: Published, name: str) -> None:
    """They hold Secrets, if invented ones, and settings that a platform team may have made its own."""
    for manifest in images_of(published, name).values():
        assert "upbound" not in [layer.get("annotations", {}).get("io.crossplane.xpkg") for layer in manifest["layers"]]


def test_trap_a_configuration_is_for_no_platform(published: Published) -> None:
    (manifest,) = images_of(published, build.CONFIGURATION).values()
    config = json.loads(blob(published, build.CONFIGURATION, manifest["config"]["digest"]))
    assert (config["os"], config["architecture"]) == ("", "")


@pytest.mark.parametrize("kind", build.KINDS)
def test_trap_crossplanes_user_can_read_every_file(dist: Path, kind: str) -> None:
    for architecture in ARCHITECTURES:
        package = dist / f"function-{kind}-{architecture}.xpkg"
        for layer in layers(package):
            for entry in layer.getmembers():
                wanted = 0o005 if entry.isdir() else 0o004
                assert entry.issym() or entry.mode & wanted == wanted, entry.name
                assert not entry.mode & 0o6000, f"{entry.name} is setuid"
        config = config_of(package)
        assert (config["os"], config["architecture"]) == ("linux", architecture)
        assert config["config"]["User"] == "65532:65532"
        assert "9443" in str(config["config"]["ExposedPorts"])


@pytest.mark.parametrize("kind", build.KINDS)
def test_there_is_python_in_the_image_and_no_shell(dist: Path, kind: str) -> None:
    for architecture in ARCHITECTURES:
        names = {name for layer in layers(dist / f"function-{kind}-{architecture}.xpkg") for name in layer.getnames()}
        programs = {Path(name).name for name in names if re.fullmatch(r"(usr/)?s?bin/.+", name)}
        assert programs == {"python3", "python3.13"}
        assert not [name for name in names if re.search(r"/(busybox|bash|dash|apt|dpkg|perl)$", name) and name != "var/lib/dpkg"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_image_is_small_and_its_larger_part_is_shared(published: Published, name: str) -> None:
    for platform, manifest in images_of(published, name).items():
        sizes = {layer["digest"]: layer["size"] for layer in manifest["layers"]}
        assert sum(sizes.values()) <= LARGEST, f"{platform}: {sum(sizes.values())} bytes compressed"
        others = [images_of(published, other)[platform]["layers"] for other in FUNCTIONS if other != name]
        shared = set.intersection(*({layer["digest"] for layer in layers_} for layers_ in others)) & set(sizes)
        assert sum(sizes[digest] for digest in shared) > 0.99 * sum(sizes.values())


@pytest.mark.parametrize("name", PACKAGES)
def test_the_cli_extracts_every_package(published: Published, name: str, tmp_path: Path) -> None:
    out = tmp_path / "package.gz"
    done = xpkg("extract", published.references[name].partition("@")[0], "--output", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"meta.pkg.crossplane.io" in gzip.decompress(out.read_bytes())


def functions_only(published: Published, version: str, folder: Path) -> Path:
    """Publish a Configuration that asks for our functions alone, for the providers' registries are not reached from here.

    Returns:
        A file that asks for it, as a cluster would.
    """
    build.configuration(folder / "whole", version, published.registry)
    metadata = yaml.safe_load((folder / "whole" / "metadata" / build.CONFIGURATION / "crossplane.yaml").read_text())
    metadata["spec"]["dependsOn"] = [entry for entry in metadata["spec"]["dependsOn"] if entry["kind"] == "Function"]
    root, package = folder / "root", folder / "functions-only.xpkg"
    root.mkdir()
    (root / "crossplane.yaml").write_text(yaml.safe_dump(metadata))
    for path in (ROOT / "apis").glob("*.yaml"):
        (root / path.name).write_text(path.read_text())
    reference = f"{published.registry}/functions-only:{version}"
    assert xpkg("build", f"--package-root={root}", f"--package-file={package}").returncode == 0
    assert xpkg("push", f"--package-files={package}", reference).returncode == 0
    asked = {
        "apiVersion": "pkg.crossplane.io/v1",
        "kind": "Configuration",
        "metadata": {"name": "x"},
        "spec": {"package": reference},
    }
    installed = folder / "installed.yaml"
    installed.write_text(yaml.safe_dump(asked))
    return installed


def test_the_cli_reads_every_api_out_of_the_configuration_and_finds_its_functions(published: Published, tmp_path: Path) -> None:
    found, installed = tmp_path / "crds", functions_only(published, VERSION, tmp_path)
    done = xpkg("get-crds", str(installed), "--output-dir", str(found), "--cache-dir", str(tmp_path / "cache"))
    assert done.returncode == 0, done.stdout + done.stderr
    names = {
        document["spec"]["names"]["kind"] for path in found.rglob("*.yaml") for document in yaml.safe_load_all(path.read_text())
    }
    assert names == {"App", "PostgreSQL", "VM"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_cli_reads_every_function(published: Published, name: str, tmp_path: Path) -> None:
    """A function has no CRDs, for its input's kinds are checked by itself; the CLI finds its package all the same."""
    asked = {"apiVersion": "pkg.crossplane.io/v1", "kind": "Function", "metadata": {"name": "x"}}
    asked["spec"] = {"package": published.references[name].partition("@")[0]}
    installed = tmp_path / "installed.yaml"
    installed.write_text(yaml.safe_dump(asked))
    done = xpkg("get-crds", str(installed), "--output-dir", str(tmp_path / "crds"), "--cache-dir", str(tmp_path / "cache"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "function-" in done.stdout + str(list((tmp_path / "cache").rglob("*")))


def test_a_configuration_whose_functions_are_not_there_is_not_resolved(published: Published, tmp_path: Path) -> None:
    """Or the test above would prove nothing."""
    installed = functions_only(published, "v9.9.9", tmp_path)
    done = xpkg("get-crds", str(installed), "--output-dir", str(tmp_path / "crds"), "--cache-dir", str(tmp_path / "cache"))
    assert done.returncode != 0
    # Whichever of the functions is looked for first.
    assert re.search(r"/function-\w+/manifests/v9\.9\.9: MANIFEST_UNKNOWN", done.stderr), done.stdout + done.stderr


def test_the_compositions_name_the_functions_as_crossplane_will(published: Published) -> None:
    """A function that is installed as a dependency is named after its path on the registry."""
    manifest = next(iter(images_of(published, build.CONFIGURATION).values()))
    _, stream = package_stream(published, build.CONFIGURATION, manifest)
    documents = list(filter(None, yaml.safe_load_all(stream)))
    packages = [entry["package"] for entry in documents[0]["spec"]["dependsOn"] if entry["kind"] == "Function"]
    names = {package.partition("/")[2].replace("/", "-") for package in packages}
    steps = [step for document in documents if document["kind"] == "Composition" for step in document["spec"]["pipeline"]]
    assert {step["functionRef"]["name"] for step in steps} == names


def others(dist: Path, registry: str, out: Path) -> None:
    """Lay out the packages for a registry, with functions that are not what their names say."""
    kinds = list(build.KINDS)
    for kind, other in zip(kinds, kinds[1:] + kinds[:1], strict=True):
        for architecture in ARCHITECTURES:
            (out / f"function-{kind}-{architecture}.xpkg").symlink_to(dist / f"function-{other}-{architecture}.xpkg")
    build.configuration(out, VERSION, registry)


def test_a_published_version_is_not_overwritten(published: Published, dist: Path, tmp_path: Path) -> None:
    others(dist, published.registry, tmp_path)
    with pytest.raises(
        CannotPublish, match="published already with other contents, and a published version never changes; raise"
    ):
        list(publish(VERSION, published.registry, tmp_path, sign=False))
    for reference in published.references.values():
        tagged, _, known = reference.partition("@")
        assert digest(tagged) == known


def test_a_publication_that_stopped_halfway_is_taken_up_again(published: Published, dist: Path, tmp_path: Path) -> None:
    registry = f"{published.registry}/halfway"
    for path in dist.glob("function-*.xpkg"):
        (tmp_path / path.name).symlink_to(path)
    build.configuration(tmp_path, VERSION, registry)
    first = next(publish(VERSION, registry, tmp_path, sign=False))  # and no further
    assert not digest(f"{registry}/{build.CONFIGURATION}:{VERSION}"), "the Configuration comes last"
    again = list(publish(VERSION, registry, tmp_path, sign=False))
    assert again[0] == first
    assert len(again) == len(PACKAGES)
    assert list(publish(VERSION, registry, tmp_path, sign=False)) == again


@pytest.mark.parametrize("key", ["", "signing.key"])
def test_what_is_published_is_signed_by_its_digest(
    published: Published, dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """With a stand-in for cosign, which is asked for with what it is given; the real one is tried where releases are made."""
    registry, out = f"{published.registry}/signed", tmp_path / "dist"
    out.mkdir()
    for path in dist.glob("function-*.xpkg"):
        (out / path.name).symlink_to(path)
    build.configuration(out, VERSION, registry)
    program = tmp_path / "cosign"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("COSIGN_KEY", key)
    references = list(publish(VERSION, registry, out))
    options = f"--yes --key={key}" if key else "--yes"
    wanted = [f"sign {options} {re.sub(':[^:@]+@', '@', reference)}" for reference in references]
    assert (tmp_path / "asked").read_text().splitlines() == wanted
    program.write_text("#!/bin/sh\necho no identity >&2\nexit 1\n")
    with pytest.raises(CannotPublish, match="cosign sign: no identity"):
        list(publish(VERSION, registry, out))


def test_nothing_is_published_that_was_built_for_elsewhere(published: Published, tmp_path: Path) -> None:
    build.configuration(tmp_path, VERSION, "elsewhere.example.org/team")
    with pytest.raises(CannotPublish, match=r"was built for elsewhere\.example\.org/team v0\.1\.0; build it: make package"):
        list(publish(VERSION, published.registry, tmp_path))


def test_nothing_is_published_where_nothing_was_built(tmp_path: Path) -> None:
    with pytest.raises(
        CannotPublish, match=r"there is nothing in .*; build it: make package VERSION=v0.1.0 REGISTRY=example\.org/x"
    ):
        list(publish(VERSION, "example.org/x", tmp_path))


@pytest.mark.parametrize("kind", build.KINDS)
def test_the_bill_of_materials_names_what_is_in_the_image(dist: Path, kind: str) -> None:
    for architecture in ARCHITECTURES:
        bill = json.loads((dist / f"function-{kind}-{architecture}.spdx.json").read_text())
        assert bill["spdxVersion"] == "SPDX-2.3"
        assert bill["name"] == f"function-{kind}"
        assert {"grpcio", "pydantic", "pyyaml", "libc6", "libstdc++6", "python3.13-minimal"} <= {
            p["name"] for p in bill["packages"]
        }
        assert not {"mawk", "dpkg", "bash", "openssl"} & {p["name"] for p in bill["packages"]}


def test_the_same_commit_gives_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    """Out of another folder, with another umask and time zone."""
    copy = tmp_path / "elsewhere"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    for name in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    (copy / ".tools").symlink_to(ROOT / ".tools")
    epoch = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    python = ROOT / ".venv" / "bin" / "python"
    registry, version = build.built_for(dist)
    command = f"{python} -m package.build --version {version} --registry {registry}"
    script = f"umask 077; export TZ=Asia/Tokyo SOURCE_DATE_EPOCH={epoch}; {command}"
    done = subprocess.run(["sh", "-c", script], cwd=copy, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = ({path.name: _digest(path) for path in folder.glob("*.xpkg")} for folder in (dist, copy / "dist"))
    assert first == second


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
