"""Run the real `crossplane render` and `crossplane resource validate` against functions of this checkout."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
BINARIES: Final = ROOT / ".tools"
CORE: Final = BINARIES / "crossplane-core"
CORE_PACKAGE: Final = "xpkg.crossplane.io/crossplane/crossplane:v2.3.4"
SETTINGS: Final = ROOT / "examples" / "settings.yaml"

_START_SECONDS: Final = 20


class NotRenderable(Exception):  # noqa: N818  # a sentence for the user
    """The claim cannot be given to `crossplane render`; the text says why."""


def cli() -> str:
    """Return the crossplane CLI: the one built here, else the one on PATH that tools/build found to fit."""
    built = BINARIES / "crossplane"
    return str(built) if built.exists() else "crossplane"


def free_address() -> str:
    """Return an address on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def serving(kind: str) -> Iterator[str]:
    """Run a function while the context lasts.

    Args:
        kind: Its kind of claim in lower case.

    Yields:
        Its address.
    """
    address = free_address()
    command = [sys.executable, "-m", f"functions.{kind}", "--address", address, "--insecure"]
    with subprocess.Popen(command, cwd=ROOT, stderr=None if "DEBUG" in os.environ else subprocess.DEVNULL) as process:
        try:
            _wait_for(address, process)
            yield address
        finally:
            process.terminate()


def _wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise NotRenderable(f"the function did not start at {address}; try it by hand: make functions")


def kind_of(claim: Path) -> str:
    """Return a claim's kind in lower case.

    Raises:
        NotRenderable: Where the file does not hold one claim of this suite.
    """
    documents = _documents(claim)
    if len(documents) > 1:
        raise NotRenderable(f"{claim} holds {len(documents)} objects; write one claim to a file")
    data = yaml.safe_load(documents[0]) if documents else None
    kind = str(data.get("kind", "")).lower() if isinstance(data, dict) else ""
    if not (ROOT / "apis" / f"{kind}.yaml").is_file():
        known = ", ".join(sorted(path.stem for path in (ROOT / "apis").glob("*.yaml")))
        raise NotRenderable(f"{claim} holds no claim of a known kind ({known})")
    return kind


def _at(data: object, *path: str) -> object:
    """Return the value under a path of keys, None where there is none."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def composition_of(claim: dict[str, Any]) -> Path:
    """Find the Composition that Crossplane would select for a claim.

    Raises:
        NotRenderable: Where there is none.
    """
    kind = str(claim.get("kind", "")).lower()
    selected = _at(claim, "spec", "crossplane", "compositionSelector", "matchLabels", "provider")
    referred = _at(claim, "spec", "crossplane", "compositionRef", "name")
    default = yaml.safe_load((ROOT / "apis" / f"{kind}.yaml").read_text())["spec"]["defaultCompositionRef"]["name"]
    name = f"{kind}-{selected}" if selected else referred or default
    path = ROOT / "compositions" / kind / f"{str(name).removeprefix(kind + '-')}.yaml"
    if not path.exists():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.yaml")))
        raise NotRenderable(f"there is no Composition {name}; providers of {kind} are {known}")
    return path


def judge(kind: str, cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask what the API server says of claims that are created, or changed from old ones.

    Args:
        kind: The kind of claim in lower case.
        cases: {name, new} or {name, old, new}.

    Returns:
        {name, accepted, errors} of each.

    Raises:
        NotRenderable: Where they are no claims at all.
    """
    return _asked(kind, yaml.safe_dump_all(cases))


def refusals(kind: str, claim: Path) -> list[str]:
    """Return why the API server would refuse to create the claim of a file; it reads the file as kubectl does.

    Raises:
        NotRenderable: Where the file is no YAML to kubectl, such as with a key that is written twice.
    """
    case = "name: claim\nnew:\n" + indent(_documents(claim)[0], "  ")
    # One of them may only say that rules wait until the others are mended.
    return [error for error in _asked(kind, case)[0]["errors"] if not error.startswith("<nil>")]


def _asked(kind: str, cases: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.yaml"
        path.write_text(cases)
        command = [str(BINARIES / "apicheck"), str(ROOT / "apis" / f"{kind}.yaml"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise NotRenderable((done.stdout + done.stderr).strip().removeprefix(f"apicheck: {path}: "))
    return [json.loads(line) for line in done.stdout.splitlines()]


def _documents(path: Path) -> list[str]:
    """Return the YAML documents of a file that hold something."""
    documents = re.split(r"(?m)^---(?: .*)?$", path.read_text())
    return [document for document in documents if yaml.safe_load(document) is not None]


def required_of(path: Path) -> Path | None:
    """Return the file with what else a claim or an observed state needs, such as Secrets: X.required.yaml beside X.yaml."""
    required = path.with_suffix(".required.yaml")
    return required if required.exists() else None


def render(
    claim: Path,
    address: str,
    *,
    settings: Path | None = SETTINGS,
    observed: Path | None = None,
    required: Path | None = None,
    results: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run `crossplane render`.

    Args:
        claim: A file with a claim.
        address: Where its function listens.
        settings: A file with the EnvironmentConfig, None for a cluster without one.
        observed: A file with composed resources as observed; X.required.yaml beside X.yaml has what Crossplane finds besides.
        required: A file with the objects that the claim names, such as Secrets.
        results: Whether events are printed too.

    Returns:
        What it printed, and how it ended.
    """
    data = yaml.safe_load(_documents(claim)[0])
    command = [cli(), "render", str(claim), str(composition_of(data)), str(ROOT / "examples" / "functions.yaml")]
    command += [f"--crossplane-binary={CORE}", f"--xrd={ROOT / 'apis' / data['kind'].lower()}.yaml"]
    command += ["-a", f"render.crossplane.io/runtime-development-target={address}"]
    command += [f"--observed-resources={observed}"] if observed else []
    files = [settings, required, required_of(observed) if observed else None]
    command += [f"--required-resources={path}" for path in files if path]
    command += ["--include-function-results"] if results else []
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def validate(schemas: list[Path], resources: Path, cache: Path) -> "subprocess.CompletedProcess[str]":
    """Run `crossplane resource validate` offline.

    Args:
        schemas: Files and folders with CRDs and XRDs.
        resources: A folder with what to validate.
        cache: A folder of its own, to be filled with the core's CRDs.

    Returns:
        What it printed, and how it ended.
    """
    package = cache / CORE_PACKAGE.replace(":", "@") / "package.yaml"
    if not package.exists():
        package.parent.mkdir(parents=True, exist_ok=True)
        crds = sorted((core_module() / "cluster" / "crds").glob("*.yaml"))
        package.write_text("---\n".join(crd.read_text() for crd in crds))
    command = [cli(), "resource", "validate", ",".join(map(str, schemas)), str(resources)]
    command += ["--cache-dir", str(cache), "--crossplane-image", CORE_PACKAGE]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def core_module() -> Path:
    """Return the folder of the pinned core's source, which carries its CRDs."""
    go = shutil.which("go") or "go"
    listed = subprocess.run(
        [go, "list", "-m", "-f", "{{.Dir}}", "github.com/crossplane/crossplane/v2"],
        cwd=ROOT / "tools",
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(listed.stdout.strip())
