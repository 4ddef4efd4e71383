"""Real PostgreSQL servers, one for each that a cloud would run: each has an address of its own on loopback, and TLS."""

import asyncio
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.certificates import Authority

_LIGHT: Final = """
fsync = off
full_page_writes = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
max_connections = 200
shared_buffers = 8MB
max_wal_size = 32MB
min_wal_size = 2MB
ssl = on
password_encryption = scram-sha-256
"""
_WHO: Final = "local all postgres trust\nhostssl all all all {method}\n"


@dataclass(frozen=True)
class Server:
    """A server.

    Attributes:
        host: Its address.
        port: Its port.
        ca: The certificate of its authority.
        folder: Its data, and its socket.
    """

    host: str
    port: int
    ca: str
    folder: Path
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)  # PostgreSQL fails where two change one role at once

    async def superuser(self, *statements: str) -> None:
        """Run SQL as the superuser, whom only this machine lets in.

        Raises:
            RuntimeError: Where psql fails.
        """
        psql = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--host={self.folder}", f"--port={self.port}"]
        command = [option for statement in statements for option in ("--command", statement)]
        async with self._one:
            await _run(*psql, "--username=postgres", "--dbname=postgres", *command)


class Servers:
    """All servers, by a key of their owner's choice; a file N.runs stands for each that runs, for the tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, Server] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._ready = asyncio.Event()
        self._count = 0
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        """Make what every server starts from."""
        template = self._folder / "template"
        self._folder.mkdir()
        authority = Authority(self._folder / "tls")
        certificate = authority.issue("server")
        shutil.chown(self._folder, "postgres", "postgres")
        await _run(
            *_as_postgres(), _program("initdb"), "--no-sync", "--wal-segsize=1", "--username=postgres", "--pgdata", str(template)
        )
        for database in ("defaultdb", "rdb"):  # the first databases of the clouds' servers
            await _run(
                *_as_postgres(),
                _program("postgres"),
                "--single",
                "-D",
                str(template),
                "postgres",
                given=f"CREATE DATABASE {database}\n",
            )
        with (template / "postgresql.conf").open("a") as config:
            config.write(_LIGHT)
        for name, path in (("server.crt", certificate / "tls.crt"), ("server.key", certificate / "tls.key")):
            shutil.copy(path, template / name)
            shutil.chown(template / name, "postgres", "postgres")
            (template / name).chmod(0o600)
        self._ca = (certificate / "ca.crt").read_text()
        self._ready.set()

    def get(self, key: str) -> Server | None:
        """Return a server that runs."""
        return self._servers.get(key)

    async def start(self, key: str, port: int = 5432, *, shared: bool = False) -> Server:
        """Start a server, or return the one that runs.

        Args:
            key: Whose it is.
            port: Its port.
            shared: Whether one server does for all keys that say so, each of which sets the same administrator's password:
                it asks for none.
        """
        await self._ready.wait()
        async with self._lock:
            if shared:
                # CloudNativePG's Services have this port, whoever comes first.
                self._servers[key] = await self._started("shared", 5432, "trust")
            return await self._started(key, port, "scram-sha-256")

    async def _started(self, key: str, port: int, method: str) -> Server:
        if key in self._servers:
            return self._servers[key]
        self._count += 1
        host, folder = f"127.2.{self._count // 250}.{self._count % 250 + 1}", self._folder / str(self._count)
        await _run("cp", "--archive", str(self._folder / "template"), str(folder))
        (folder / "pg_hba.conf").write_text(_WHO.format(method=method))
        options = ["-D", str(folder), "-k", str(folder), "-h", host, "-p", str(port)]
        log = (self._folder / f"{self._count}.log").open("wb")
        self._processes[key] = await asyncio.create_subprocess_exec(*_as_postgres(), _program("postgres"), *options, stderr=log)
        server = Server(host, port, self._ca, folder)
        for _ in range(200):
            try:
                await server.superuser("SELECT")
                break
            except RuntimeError:
                await asyncio.sleep(0.05)
        self._servers[key] = server
        (self._folder / f"{self._count}.runs").touch()
        return server

    async def stop(self, key: str) -> None:
        """Stop a server, and throw its data away."""
        server, process = self._servers.pop(key, None), self._processes.pop(key, None)
        if server is not None and process is not None:
            process.send_signal(signal.SIGINT)  # does not wait for whoever is connected
            await process.wait()
            shutil.rmtree(server.folder)
            server.folder.with_suffix(".runs").unlink()


def version() -> str:
    """Return the major version of PostgreSQL that is used: the newest that this machine has."""
    return Path(_program("postgres")).parts[4]


def _as_postgres() -> list[str]:
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _program(name: str) -> str:
    """Return a program of PostgreSQL's server, which Debian does not put on PATH."""
    found = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    return str(max(found, key=lambda path: float(path.parts[4]), default=name))


async def _run(*command: str, given: str = "") -> None:
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env=environment
    )
    out, _ = await process.communicate(given.encode())
    if process.returncode:
        raise RuntimeError(f"{command[0]}: {out.decode()[-500:]}")
