"""From one claim to 500 at once: how long it takes, and what it costs. With --report, written down as Markdown."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e import crossplane, functions
from tests.e2e.claims import example, namespace
from tests.e2e.plane import Cluster
from tests.e2e.programs import until
from tests.e2e.stack import Stack
from tests.e2e.stopwatch import Course, Stopwatch

COUNTS: Final = (1, 10, 100, 500)
NAMES: Final = (
    "vm/exoscale-small",
    "postgresql/exoscale-small",
    "vm/ovh-small",
    "postgresql/ovh-small",
    "app/kubernetes-small",
    "vm/scaleway-small",
    "postgresql/scaleway-small",
    "vm/exoscale-medium",
    "postgresql/kubernetes-small",
    "vm/scaleway-medium",
)

_APPLIED_BY: Final = 8

_HEAD: Final = """# End to end, measured

What `make e2e REPORT=docs/e2e.md` measured last, on a machine with {cores} cores that also ran both API servers, the
simulated clouds and all databases: read it as how things grow, not as what your cluster will do. A claim is one of ten:
four PostgreSQL (one on each provider), five VMs, one App. All are applied at once; the simulated cloud makes each thing
in 0.2 s. Two pods of each function run, and some hundred claims of other tests rest beside. Times are the median's, in
brackets the slowest's. A reconcile is a call of a function.

| Claims | All ready after | Claim to composed | Cloud ready to claim ready | Functions' CPU a reconcile | Reconciles a claim |
| ---: | ---: | ---: | ---: | ---: | ---: |
"""


@dataclass(frozen=True)
class Row:
    """What was measured of one number of claims; times in seconds."""

    claims: int
    took: float
    courses: list[Course]
    cpu: float
    reconciles: int
    memory: dict[str, float]


@pytest.fixture(scope="module")
def stopwatch(platform: Cluster) -> Stopwatch:
    return Stopwatch(platform.admin)


def claims_of(count: int, space: str) -> list[dict[str, Any]]:
    claims = [example(NAMES[number % len(NAMES)], space) for number in range(count)]
    for number, claim in enumerate(claims):
        claim["metadata"]["name"] = f"load-{count}-{number}"
    return claims


def test_500_claims_at_once_get_ready_and_come_to_rest(
    platform: Cluster, stack: Stack, stopwatch: Stopwatch, record: Callable[[str], None]
) -> None:
    rows = []
    for count in COUNTS:
        space = f"load-{count}"
        platform.apply(namespace(space, postgres="shared"))
        claims = claims_of(count, space)
        keys = [(space, claim["metadata"]["name"]) for claim in claims]
        cpu, calls, start = _cpu(), _calls(), time.monotonic()
        with ThreadPoolExecutor(_APPLIED_BY) as pool:  # one kubectl would take as long as everything else
            list(pool.map(lambda number, claims=claims: platform.apply(*claims[number::_APPLIED_BY]), range(_APPLIED_BY)))
        until(f"{count} claims", lambda keys=keys: all(stopwatch.courses[key].ready for key in keys), 900, pause=0.2)  # type: ignore[misc]
        took = time.monotonic() - start
        courses = [stopwatch.courses[key] for key in keys]
        rows.append(Row(count, took, courses, _cpu() - cpu, _calls() - calls, _memory(stack)))
        assert all(course.composed and course.cloud for course in courses)
    record(_HEAD.format(cores=_cores()) + "".join(map(_line, rows)) + _memories(rows) + _rest(platform))


def _rest(platform: Cluster) -> str:
    """Let all claims rest for a minute, their TTL: who never comes to rest writes something else each time."""
    claims = len(
        platform.get("apps.platform.gravitek.io,postgresqls.platform.gravitek.io,vms.platform.gravitek.io", "--all-namespaces")
    )
    cpu, calls, start = _cpu(), _calls(), time.monotonic()
    time.sleep(60)
    share, each = (_cpu() - cpu) / (time.monotonic() - start), (_calls() - calls) / claims
    assert each < 2, f"{claims} claims were reconciled {each:.1f} times each within a minute"
    return f"\nAt rest, all {claims} claims: {each:.1f} reconciles each and minute, {share:.1%} of a core for all functions.\n"


def _line(row: Row) -> str:
    composed = _spread([course.composed - course.made for course in row.courses])
    settled = _spread([max(0.0, course.ready - course.cloud) for course in row.courses])
    each = f"{row.cpu / row.reconciles * 1000:.1f} ms"
    return f"| {row.claims} | {row.took:.1f} s | {composed} | {settled} | {each} | {row.reconciles / row.claims:.1f} |\n"


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s ({max(values):.2f} s)"


def _memories(rows: list[Row]) -> str:
    head = "".join(f" {row.claims} claims |" for row in rows)
    text = f"\nResident memory in MiB, of the biggest process where there are two:\n\n| |{head}\n| --- |{' ---: |' * len(rows)}\n"
    return text + "".join(f"| {name} |{''.join(f' {row.memory[name]:.0f} |' for row in rows)}\n" for name in rows[0].memory)


def _memory(stack: Stack) -> dict[str, float]:
    programs = {name: functions.resident_mib(process.pid) for name, process in stack.programs.running.items()}
    kinds = ("app", "postgresql", "vm")
    own = {f"function-{kind}": max(map(functions.resident_mib, functions.processes(kind))) for kind in kinds}
    return own | dict(sorted(programs.items()))


def _cpu() -> float:
    return sum(map(functions.cpu_seconds, functions.processes()))


def _calls() -> int:
    lines = (line for line in crossplane.metrics() if line.startswith("function_run_function_request_total{"))
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


def _cores() -> int:
    return Path("/proc/cpuinfo").read_text().count("processor\t")
