"""Lay out what the Dockerfile copies: `python -m package.context`, what `make context` runs.

The folder dist/context then has the functions, and the locked Python packages of each architecture; nothing of theirs is run.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from package import rootfs
from package.images import ARCHITECTURES, HERE
from tools.crossplane import ROOT

FOLDER = ROOT / "dist" / "context"


def lay_out(context: Path) -> None:
    """Lay out the context.

    Args:
        context: The folder, which is not there yet.

    Raises:
        subprocess.CalledProcessError: Where a package cannot be had; uv says why itself.
    """
    for path in (ROOT / "functions").rglob("*.py"):
        copy(path, context / path.relative_to(ROOT))
    copy(HERE / "compile.py", context / "compile.py")
    for architecture, machine in ARCHITECTURES.items():
        _dependencies(context / f"lib-{architecture}", machine)
    for path in context.rglob("*"):  # the same modes whatever the builder's umask is
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)


def copy(source: Path, target: Path) -> None:
    """Copy a file into a folder that may not be there yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


def _dependencies(folder: Path, machine: str) -> None:
    """Install the locked Python packages for another machine, without running anything of theirs."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"]
    command += ["--target", str(folder), "--python-version", rootfs.PYTHON, "--python-platform", f"{machine}-manylinux_2_28"]
    subprocess.run([*command, "--requirements", str(ROOT / "requirements.lock")], check=True)
    for path in [folder / ".lock", *folder.glob("*.dist-info/RECORD"), *folder.glob("*.dist-info/REQUESTED"), folder / "bin"]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    lay_out(FOLDER)
    print(FOLDER.relative_to(ROOT))
