"""Names of Services, as the cluster's DNS would have them: lines of /etc/hosts, which is the world's own."""

from collections.abc import Sequence
from pathlib import Path


class Hosts:
    """The file.

    Attributes:
        path: Of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before = path.read_text()
        self._names: dict[str, list[str]] = {}

    def set(self, name: str, addresses: Sequence[str]) -> None:
        """Let a name have just these addresses."""
        if self._names.get(name) != list(addresses):
            self._names[name] = list(addresses)
            self._write()

    def forget(self, name: str) -> None:
        """Let a name have no address."""
        if self._names.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        lines = [f"{address} {name}\n" for name, addresses in self._names.items() for address in addresses]
        self.path.write_text(self._before + "".join(lines))  # in place, for it is mounted
