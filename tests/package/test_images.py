"""A function out of its image answers as one from source, and is no slower and no larger."""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from crossplane.function.proto.v1 import run_function_pb2 as fnv1
from crossplane.function.proto.v1 import run_function_pb2_grpc as rpc

from functions.kit.answer import answer
from package import build
from tests.cases import all_cases
from tests.images import command as command_of
from tests.images import environment
from tests.package.conftest import Certificates, Image, chrooted
from tests.requests import COMPOSE, request_of
from tools.crossplane import ROOT, free_address

CASES: Final = all_cases()
STARTS: Final = 5
# As Crossplane runs it, and as the image says.
USERS: Final = (2000, 65532)


@contextmanager
def _running(start: Callable[[str], "subprocess.Popen[bytes]"], certificates: Certificates) -> Iterator[tuple[Any, int, float]]:
    """Run a function; yield a stub, its process id, and how long the first answer took."""
    address, begun = free_address(), time.perf_counter()
    process = start(address)
    key, chain, ca = (
        (folder / name).read_bytes()
        for folder, name in ((certificates.client, "tls.key"), (certificates.client, "tls.crt"), (certificates.client, "ca.crt"))
    )
    credentials = grpc.ssl_channel_credentials(ca, key, chain)
    options = [
        ("grpc.initial_reconnect_backoff_ms", 20),
        ("grpc.min_reconnect_backoff_ms", 20),
        ("grpc.max_reconnect_backoff_ms", 20),
    ]
    with grpc.secure_channel(address, credentials, options=options) as channel:
        stub = _stub(channel)
        try:
            stub.RunFunction(fnv1.RunFunctionRequest(), wait_for_ready=True, timeout=30)
            yield stub, process.pid, time.perf_counter() - begun
        finally:
            process.terminate()
            process.wait(10)


def _stub(channel: grpc.Channel) -> Any:
    return rpc.FunctionRunnerServiceStub(channel)  # type: ignore[no-untyped-call]  # generated


def _from_source(kind: str, certificates: Certificates) -> Callable[[str], "subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", f"functions.{kind}", "--tls-certs-dir", str(certificates.server)]
    return lambda address: subprocess.Popen([*command, "--address", address], cwd=ROOT, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("kind", build.KINDS)
def test_every_golden_is_answered_as_from_source(
    images: dict[str, Image], certificates: Certificates, kind: str, user: int
) -> None:
    cases = [case for case in CASES if case.kind == kind]
    assert len(cases) > 50
    with _running(lambda address: chrooted(images[kind], user, certificates.server, address), certificates) as (stub, _, _):
        for case in cases:
            request = request_of(case)
            response = stub.RunFunction(request, timeout=10)
            assert _bytes(response) == _bytes(answer(request, kind, COMPOSE[kind])), case.name


def _bytes(response: fnv1.RunFunctionResponse) -> bytes:
    return response.SerializeToString(deterministic=True)


def test_whoever_has_no_certificate_is_turned_away(images: dict[str, Image], certificates: Certificates) -> None:
    kind, seen = "vm", {}

    def start(address: str) -> "subprocess.Popen[bytes]":
        seen["address"] = address
        return chrooted(images[kind], 2000, certificates.server, address)

    with _running(start, certificates):
        ca = (certificates.client / "ca.crt").read_bytes()
        with grpc.secure_channel(seen["address"], grpc.ssl_channel_credentials(ca)) as channel:
            with pytest.raises(grpc.RpcError) as error:
                _stub(channel).RunFunction(fnv1.RunFunctionRequest(), timeout=5)
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE


def test_it_listens_where_crossplane_expects_it(images: dict[str, Image], certificates: Certificates) -> None:
    command = command_of(images["vm"].root, images["vm"].config["Entrypoint"], 2000, certificates.server)
    listening = re.compile(r" 0+:24E3 .* 0A ")  # 9443 at any address, as the kernel writes it
    with subprocess.Popen(command, env=environment(images["vm"].config["Env"]), stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while not any(listening.search(_read(process.pid, table)) for table in ("tcp", "tcp6")):
                assert process.poll() is None, "it ended"
                assert time.monotonic() < deadline, "it does not listen on 9443"
                time.sleep(0.1)
        finally:
            process.terminate()


def _read(pid: int, table: str) -> str:
    return Path(f"/proc/{pid}/net/{table}").read_text()


def test_it_ends_cleanly_when_it_is_told_to(images: dict[str, Image], certificates: Certificates) -> None:
    with _running(lambda address: chrooted(images["app"], 2000, certificates.server, address), certificates) as (_, pid, _):
        os.kill(pid, 15)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def _resident(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("kind", build.KINDS)
def test_first_answer_and_memory_are_no_worse_than_from_source(
    images: dict[str, Image], certificates: Certificates, kind: str
) -> None:
    """In turns, medians: the machine is noisy. From source Python's compiled modules are there too."""
    request = request_of(next(case for case in CASES if case.kind == kind and case.observed))
    starts: dict[str, Callable[[str], subprocess.Popen[bytes]]] = {
        "source": _from_source(kind, certificates),
        "image": lambda address: chrooted(images[kind], 2000, certificates.server, address),
    }
    first: dict[str, list[float]] = {name: [] for name in starts}
    memory: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(STARTS):
        for name, start in starts.items():
            with _running(start, certificates) as (stub, pid, seconds):
                for _ in range(100):
                    stub.RunFunction(request, timeout=10)
                first[name].append(seconds)
                memory[name].append(_resident(pid))
    medians = {name: (statistics.median(first[name]), statistics.median(memory[name])) for name in starts}
    assert medians["image"][0] <= 1.25 * medians["source"][0], medians
    assert medians["image"][1] <= 1.05 * medians["source"][1], medians
