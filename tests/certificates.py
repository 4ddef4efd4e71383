"""A certificate authority for tests, made with openssl."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

KEY: Final = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


class Authority:
    """A certificate authority.

    Attributes:
        folder: Where it keeps ca.crt and ca.key, and a folder for each that it certifies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._openssl(
            *("req", "-x509", "-newkey", *KEY, "-nodes", "-days", "1", "-subj", "/CN=ca"),
            *("-keyout", "ca.key", "-out", "ca.crt"),
        )

    def issue(self, name: str, *, subject: str = "", hosts: Iterable[str] = ("DNS:localhost", "IP:127.0.0.1")) -> Path:
        """Certify a server or a client.

        Args:
            name: Of the folder.
            subject: As openssl writes it, such as `/O=system:masters/CN=admin`; the name unless given.
            hosts: Its names and addresses, as openssl writes them.

        Returns:
            A folder with tls.crt, tls.key and ca.crt, as Crossplane mounts one.
        """
        folder = self.folder / name
        folder.mkdir()
        (folder / "extensions").write_text(f"subjectAltName={','.join(hosts)}\n")
        request = ("req", "-newkey", *KEY, "-nodes", "-subj", subject or f"/CN={name}")
        self._openssl(*request, "-keyout", f"{name}/tls.key", "-out", f"{name}/request")
        signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-extfile", f"{name}/extensions")
        self._openssl("x509", "-req", "-in", f"{name}/request", *signing, "-out", f"{name}/tls.crt")
        shutil.copy(self.folder / "ca.crt", folder / "ca.crt")
        return folder

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder)
