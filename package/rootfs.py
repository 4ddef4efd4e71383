"""The file system of the base image: Python from Debian's packages, without a shell or a package manager.

Made where no image registry is reached; elsewhere any image with Python 3.13 at /usr/bin/python3 will do (BASE=…).
`mmdebstrap` unpacks the packages for any architecture without running a program of theirs, so no emulator is needed.
"""

import io
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SUITE: Final = "trixie"
PYTHON: Final = "3.13"

# libstdc++6 is grpcio's, which no Python package says.
_PACKAGES: Final = (f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "libstdc++6", "base-files")

# A scanner finds Debian's packages by these files, as in every image without dpkg.
_HOOK: Final = """
mkdir -p "$1/var/lib/dpkg/status.d" "$1/var/lib/dpkg/files.d"
for deb in "$1"/var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb --field "$deb" Package)
  dpkg-deb --field "$deb" > "$1/var/lib/dpkg/status.d/$name"
  dpkg-deb --fsys-tarfile "$deb" | tar --list > "$1/var/lib/dpkg/files.d/$name"
done
"""

_KEPT: Final = re.compile(
    rf"(usr/bin/python{re.escape(PYTHON)}"
    r"|usr/(lib|lib64)(/.*)?|bin|sbin|lib|lib64|usr|usr/bin|etc|var|var/lib|var/lib/dpkg|usr/share|usr/share/doc|usr/share/doc/[^/]+"
    rf"|etc/(debian_version|os-release|host\.conf|ld\.so\.conf\.d(/.*)?|python{re.escape(PYTHON)}(/.*)?)"
    r"|var/lib/dpkg/status\.d(/.*)?|usr/share/doc/[^/]+/copyright|usr/share/common-licenses(/.*)?)"
)
# What no function needs: tools, tests, terminals, databases, and character sets of mail.
_LIBRARIES: Final = (
    "lib(db-|sqlite3|readline|history|ncurses|tinfo|form|menu|panel|mvec|tirpc|nsl|gdbm|acl|attr|pcre2|selinux|debconf)"
)
_EXTENSIONS: Final = "_(test|codecs_|sqlite3|curses|dbm|gdbm|tkinter|xxtest|ctypes_test)|readline|xxlimited|nis"
_MODULES: Final = (
    "ensurepip|idlelib|lib2to3|pydoc_data|test|tkinter|turtledemo|curses|dbm|sqlite3|unittest|xmlrpc|wsgiref|venv|__phello__"
    r"|turtle\.py|pdb\.py|doctest\.py|pydoc\.py|_pydecimal\.py|_pyrepl|mailbox\.py|smtplib\.py|imaplib\.py|ftplib\.py"
)
_DROPPED: Final = re.compile(
    r"usr/lib/(apt|dpkg|mime|tmpfiles\.d|systemd|sysctl\.d|pcrlock\.d|valgrind|debug|locale)(/.*)?"
    rf"|usr/lib/python{re.escape(PYTHON)}/({_MODULES})(/.*)?"
    rf"|usr/lib/python{re.escape(PYTHON)}/lib-dynload/({_EXTENSIONS}).*"
    rf"|usr/lib/[^/]+/({_LIBRARIES}.*|gconv|perl.*|engines-3|ossl-modules|audit)(/.*)?"
    r"|.*\.(pyc|a)"
)

_STATUS: Final = "var/lib/dpkg/status.d/"
_FILES: Final = "var/lib/dpkg/files.d/"

_OWN_FILES: Final = {
    "etc/passwd": "root:x:0:0:root:/:/nonexistent\nnonroot:x:65532:65532:nonroot:/:/nonexistent\n",
    "etc/group": "root:x:0:\nnonroot:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def build(architecture: str, epoch: int, out: Path) -> None:
    """Write the file system as a tar archive, the same bytes for the same packages.

    Args:
        architecture: amd64 or arm64.
        epoch: Every file's time, in seconds since 1970.
        out: The archive.

    Raises:
        subprocess.CalledProcessError: Where mmdebstrap does not succeed; it says why itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        raw, hook = Path(folder) / "raw.tar", Path(folder) / "hook"
        hook.write_text(f"#!/bin/sh\nset -e\n{_HOOK}")
        hook.chmod(0o755)
        command = ["mmdebstrap", "--quiet", "--variant=extract", f"--architectures={architecture}", f"--extract-hook={hook}"]
        command += [f"--include={','.join(_PACKAGES)}", SUITE, str(raw)]
        subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)})
        with tarfile.open(raw) as source, tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as target:
            for entry, content in _entries(source):
                entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.pax_headers = epoch, 0, 0, "", "", {}
                target.addfile(entry, content)


def _entries(source: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, io.BufferedIOBase | None]]:
    """Return what the image holds, in the order of its names."""
    found: dict[str, tuple[tarfile.TarInfo, io.BufferedIOBase | None]] = {}
    absent = {f"{_STATUS}{name}" for name in _absent(source)}
    for entry in source.getmembers():
        name = entry.name.removeprefix("./")
        if _kept(name) and name not in absent:
            entry.name, entry.mode = name, entry.mode & 0o755
            found[name] = (entry, _content(source, entry))
    for name, text in _OWN_FILES.items():
        entry = tarfile.TarInfo(name)
        entry.mode, entry.size = 0o644, len(text)
        found[name] = (entry, io.BytesIO(text.encode()))
    link = tarfile.TarInfo("usr/bin/python3")
    link.type, link.linkname = tarfile.SYMTYPE, f"python{PYTHON}"
    found[link.name] = (link, None)
    tmp = tarfile.TarInfo("tmp")
    tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
    found[tmp.name] = (tmp, None)
    for name in sorted(found):
        yield found[name]


def _kept(name: str) -> bool:
    return _KEPT.fullmatch(name) is not None and _DROPPED.fullmatch(name) is None


def _absent(source: tarfile.TarFile) -> Iterator[str]:
    """Return the packages of which nothing but a licence is kept: a scanner should not find them."""
    for entry in source.getmembers():
        folder, _, package = entry.name.removeprefix("./").rpartition("/")
        content = _content(source, entry) if f"{folder}/" == _FILES else None
        if content is not None:
            names = [name.removeprefix("./") for name in content.read().decode().splitlines()]
            # Since the merge of /usr a package may still say /lib.
            files = [name if name.startswith(("usr/", "etc/")) else f"usr/{name}" for name in names if not name.endswith("/")]
            if not any(_kept(name) for name in files if not name.startswith("usr/share/doc/")):
                yield package


def _content(source: tarfile.TarFile, entry: tarfile.TarInfo) -> io.BufferedIOBase | None:
    extracted = source.extractfile(entry) if entry.isreg() else None
    return io.BytesIO(extracted.read()) if extracted else None
