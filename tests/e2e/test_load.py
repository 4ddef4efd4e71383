"""From one claim to 500 at once: how long it takes, and what it costs. With --report, written down as Markdown."""

import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from functions.kit.answer import TTL_SECONDS
from tests.e2e import crossplane, functions
from tests.e2e.claims import condition, example, in_clouds, namespace
from tests.e2e.plane import Cluster
from tests.e2e.programs import until
from tests.e2e.stack import Stack
from tests.e2e.stopwatch import CLAIMS, Course, Stopwatch
from tests.e2e.world.postgres import version as postgresql_version

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
_QUIET: Final = 15.0

_HEAD: Final = """# End to end, measured

What `make e2e REPORT=docs/e2e.md` measured last, on a machine with {cores} cores that also ran both API servers, the
simulated clouds and all databases (PostgreSQL {version}): read it as how things grow, not as what your cluster will do.
A claim is one of ten: four PostgreSQL (one on each provider), five VMs, one App. All are applied at once; the simulated
cloud makes or changes each thing in 0.2 s. Two pods of each function run, and {others} claims of other tests rest beside;
their reconciles are not counted. The API servers collect garbage less often than by default, and hold more memory for it.
Times are the median's, in brackets the slowest's.

| Claims | All ready after | Claim to composed | Cloud ready to claim ready | Functions' CPU a reconcile | Reconciles a claim |
| ---: | ---: | ---: | ---: | ---: | ---: |
"""


@dataclass(frozen=True)
class Row:
    """What was measured of one number of claims; times in seconds, cpu in those of a reconcile."""

    claims: int
    took: float
    courses: list[Course]
    cpu: float
    reconciles: float
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
    rows: list[Row] = []
    beside = _claims(platform)
    for count in COUNTS:
        space, others = f"load-{count}", _claims(platform)
        platform.apply(namespace(space, postgres="shared"))
        claims = claims_of(count, space)
        keys = [(space, claim["metadata"]["name"]) for claim in claims]
        cpu, reconciles, start = _cpu(), _reconciles(), time.monotonic()
        with ThreadPoolExecutor(_APPLIED_BY) as pool:  # one kubectl would take as long as everything else
            list(pool.map(lambda number, claims=claims: platform.apply(*claims[number::_APPLIED_BY]), range(_APPLIED_BY)))
        until(f"{count} claims", lambda keys=keys: all(stopwatch.courses[key].ready for key in keys), 1800, pause=0.2)  # type: ignore[misc]
        took = time.monotonic() - start
        courses = [stopwatch.courses[key] for key in keys]
        made = _reconciles() - reconciles
        own = max(0.0, made - others * took / TTL_SECONDS)
        rows.append(Row(count, took, courses, (_cpu() - cpu) / made, own, _memory(stack)))
        assert all(course.composed and course.cloud for course in courses)
    table = (
        _HEAD.format(cores=_cores(), version=postgresql_version(), others=beside) + "".join(map(_line, rows)) + _memories(rows)
    )
    record(table)
    record(
        table
        + _rest(platform, stopwatch)
        + f"\nThe whole control plane was up, with all packages healthy, after {stack.took:.0f} s.\n"
    )
    few, many = (_what_is_there(platform, f"load-{count}") for count in (10, 500))
    assert many == {kind: 50 * times for kind, times in few.items()}, "something is there twice, or missing"


def _rest(platform: Cluster, stopwatch: Stopwatch) -> str:
    """Let all claims rest: each is looked at when its TTL ends, and nobody writes anything, for there is nothing to do."""
    until("a quarter of a minute without a write", lambda: time.monotonic() - stopwatch.writes[-1][0] > _QUIET, 300, pause=1)
    claims, written = _claims(platform), len(stopwatch.writes)
    cpu, reconciles, start = _cpu(), _reconciles(), time.monotonic()
    time.sleep(1.25 * TTL_SECONDS)
    took = time.monotonic() - start
    share, each = (_cpu() - cpu) / took, (_reconciles() - reconciles) / claims
    again = Counter(what for _, what in stopwatch.writes[written:])
    assert not again, f"written again though nothing changed: {again.most_common(5)}"
    assert 1 <= each <= 2, f"{claims} claims were reconciled {each:.1f} times each within {took:.0f} s"  # there is some jitter
    each *= 60 / took
    return f"\nAt rest, all {claims} claims: {each:.1f} reconciles each and minute, {share:.1%} of a core for all functions.\n"


def _what_is_there(platform: Cluster, space: str) -> Counter[str]:
    """Count what the claims of a namespace are composed of, and what the clouds have for it, by kind."""
    claims = _all_claims(platform, f"--namespace={space}")
    for claim in claims:
        assert [condition(claim, kind)["status"] for kind in ("Ready", "Synced")] == ["True", "True"], claim["metadata"]["name"]
    references = [reference for claim in claims for reference in claim["spec"]["crossplane"]["resourceRefs"]]
    return Counter(reference["kind"] for reference in references) + in_clouds(space)


def _claims(platform: Cluster) -> int:
    return len(_all_claims(platform, "--all-namespaces"))


def _all_claims(platform: Cluster, where: str) -> list[dict[str, Any]]:
    kinds = ",".join(f"{kind.plural}.{kind.group}" for kind in CLAIMS)
    return platform.get(kinds, where) or []


def _line(row: Row) -> str:
    composed = _spread([course.composed - course.made for course in row.courses])
    settled = _spread([max(0.0, course.ready - course.cloud) for course in row.courses])
    each = f"{row.cpu * 1000:.1f} ms"
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


def _reconciles() -> int:
    lines = (
        line for line in crossplane.metrics() if line.startswith('controller_runtime_reconcile_total{controller="composite/')
    )
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


def _cores() -> int:
    return Path("/proc/cpuinfo").read_text().count("processor\t")
