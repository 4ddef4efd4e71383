"""Measure the functions beside their peers, in one run: `make bench`. Writes docs/bench.md."""

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import grpc
from crossplane.function.proto.v1 import run_function_pb2 as fnv1

from functions.kit.serve import SERVICE
from tests.bench import peers, report
from tests.bench.workload import APP, POSTGRESQL, VM, Workload, composed, record, requests
from tests.cases import load as load_yaml
from tools.crossplane import BINARIES, ROOT, free_address

HERE: Final = Path(__file__).parent
BUILT: Final = BINARIES / "bench"
ROUNDS: Final = 5
# Concurrency to requests a round.
LOADS: Final = {1: 400, 16: 1200}
RSS_AFTER: Final = (1_000, 10_000, 100_000)
STARTS: Final = 5


@dataclass(frozen=True)
class Contender:
    """A function to measure.

    Attributes:
        name: For the table.
        command: How it is started; `--address HOST:PORT --insecure` is added.
        step_input: Its input, made from what ours composes; None for ours, which has its own.
    """

    name: str
    command: list[str]
    step_input: Callable[[peers.Manifests], dict[str, Any]] | None = None


PATCH_AND_TRANSFORM: Final = "function-patch-and-transform v0.10.7"
PYTHONIC: Final = "function-pythonic 0.1.4"


def contenders(workload: Workload) -> list[Contender]:
    """Return ours and its peers, with the workload's names."""
    name = load_yaml(workload.claim_file)["metadata"]["name"]
    return [
        Contender(f"function-{workload.kind}", [sys.executable, "-m", f"functions.{workload.kind}"]),
        Contender(
            PATCH_AND_TRANSFORM,
            [str(BUILT / "function-patch-and-transform")],
            lambda manifests: peers.patch_and_transform(name, manifests),
        ),
        Contender(
            PYTHONIC,
            [str(BUILT / "pythonic" / "bin" / "function-pythonic")],
            lambda manifests: peers.pythonic(workload.kind, name, manifests),
        ),
    ]


def build() -> None:
    """Build the peers and the load generator once."""
    if not (BUILT / "load").exists():
        print("building the peers once into .tools/bench/ …", file=sys.stderr)
        BUILT.mkdir(parents=True, exist_ok=True)
        peer = "github.com/crossplane-contrib/function-patch-and-transform"
        subprocess.run(["go", "build", "-o", str(BUILT / "function-patch-and-transform"), peer], cwd=HERE, check=True)
        subprocess.run([sys.executable, "-m", "venv", str(BUILT / "pythonic")], check=True)
        subprocess.run(
            [str(BUILT / "pythonic" / "bin" / "pip"), "install", "-q", "-r", str(HERE / "requirements.txt")], check=True
        )
        subprocess.run(["go", "build", "-o", str(BUILT / "load"), "./load"], cwd=HERE, check=True)


@contextmanager
def started(contender: Contender) -> Iterator[tuple[str, int]]:
    """Run a contender on the first core; yield its address and process id."""
    address = free_address()
    command = ["taskset", "-c", "0", *contender.command, "--address", address, "--insecure"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet) as process:
        try:
            host, _, port = address.partition(":")
            while process.poll() is None:
                try:
                    socket.create_connection((host, int(port))).close()
                    break
                except OSError:
                    time.sleep(0.002)
            yield address, process.pid
        finally:
            process.terminate()


def call(address: str, message: fnv1.RunFunctionRequest) -> fnv1.RunFunctionResponse:
    """Ask once."""
    with grpc.insecure_channel(address, options=[("grpc.initial_reconnect_backoff_ms", 5)]) as channel:
        send: grpc.UnaryUnaryMultiCallable[fnv1.RunFunctionRequest, fnv1.RunFunctionResponse] = channel.unary_unary(
            f"/{SERVICE}/RunFunction",
            request_serializer=fnv1.RunFunctionRequest.SerializeToString,
            response_deserializer=fnv1.RunFunctionResponse.FromString,
        )
        return send(message, wait_for_ready=True, timeout=30)


def load(address: str, requests: Path, count: int, concurrency: int) -> dict[str, float]:
    """Send recorded requests from the second core."""
    command = ["taskset", "-c", "1", str(BUILT / "load"), address, str(requests), str(count), str(concurrency)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def kinds(manifests: peers.Manifests) -> dict[str, str]:
    """Return what must be the same in every contender's answer."""
    return {name: f"{manifest['kind']} {manifest['metadata']['name']}" for name, manifest in manifests.items()}


def compare(workload: Workload, folder: Path, *, steady: bool) -> report.Figures:
    """Measure all contenders in one pass of the claim, in turns; return medians by name and concurrency."""
    everybody = contenders(workload)
    with ExitStack() as stack:
        addresses, recorded = {}, {}
        wanted: dict[str, dict[str, Any]] = {}
        for contender in everybody:
            step_input = contender.step_input(wanted) if contender.step_input else workload.input
            messages = requests(workload, step_input, steady=steady, ours=contender.step_input is None)
            recorded[contender.name] = folder / f"{contender.name}-{steady}"
            record(recorded[contender.name], messages)
            addresses[contender.name], _ = stack.enter_context(started(contender))
            wanted = wanted or composed(call(addresses[contender.name], messages[0]))
            for message in messages[:2]:
                got = kinds(composed(call(addresses[contender.name], message)))
                if got != kinds(wanted):
                    raise RuntimeError(f"{contender.name} composes {got}, not {kinds(wanted)}")
            load(addresses[contender.name], recorded[contender.name], 300, 4)
        rounds: dict[tuple[str, int], list[dict[str, float]]] = {}
        for _ in range(ROUNDS):
            for concurrency, count in LOADS.items():
                for name, at in addresses.items():
                    rounds.setdefault((name, concurrency), []).append(load(at, recorded[name], count, concurrency))
    return {key: {figure: statistics.median(one[figure] for one in runs) for figure in runs[0]} for key, runs in rounds.items()}


def memory(workload: Workload, folder: Path) -> dict[int, float]:
    """Return the resident set in MiB after so many requests, half of them first passes."""
    sizes, sent = {}, 0
    with started(contenders(workload)[0]) as (address, process):
        recorded = folder / "memory"
        both = [requests(workload, workload.input, steady=steady, ours=True) for steady in (False, True)]
        record(recorded, [*both[0], *both[1]])
        for count in RSS_AFTER:
            load(address, recorded, count - sent, 16)
            sent = count
            status = Path(f"/proc/{process}/status").read_text()
            sizes[count] = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
    return sizes


def first_answer(workload: Workload) -> float:
    """Return the median seconds from the start of the process to its first answer."""
    message, taken = requests(workload, workload.input, steady=False, ours=True)[0], []
    for _ in range(STARTS):
        begin = time.perf_counter()
        with started(contenders(workload)[0]) as (address, _):
            call(address, message)
            taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def main() -> None:
    """Measure, print, and write the report."""
    build()
    begun = report.Machine(
        date=datetime.now(tz=UTC).date().isoformat(),
        python=platform.python_version(),
        cores=os.cpu_count() or 0,
        cpu=next(
            (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
            "unknown",
        ),
        busy=os.getloadavg()[0],
    )
    results = []
    for workload in (POSTGRESQL, VM, APP):
        with tempfile.TemporaryDirectory() as folder:
            results.append(
                report.Result(
                    title=workload.title,
                    names=[contender.name for contender in contenders(workload)],
                    start=first_answer(workload),
                    passes={
                        "first pass": compare(workload, Path(folder), steady=False),
                        "steady state": compare(workload, Path(folder), steady=True),
                    },
                    memory=memory(workload, Path(folder)),
                )
            )
    text = report.write(begun, results)
    (ROOT / "docs" / "bench.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
