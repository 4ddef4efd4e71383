"""The benchmark's report in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

HEAD = """\
# How fast, beside its peers

`make bench` on {date}: {cores} cores ({cpu}), Python {python}, load average {busy:.1f} at the start.
Server pinned to one core, client to the other; medians of rounds taken in turns. A busy machine moves the figures,
so read the ratios, which are taken against function-patch-and-transform.

All compose the same resources of a claim, in its first pass and in steady state with everything observed. Ours also
validate, read Secrets, guard what is live, and build bindings and user data; the peers copy constants instead.
The targets of speed were set for the PostgreSQL claim. For the VM the peer does much less: constants with two patches
a resource.
"""

TABLE = """\
| | p50, 1 at a time | p99 | ratio of p50 | requests/s, 16 at a time | ratio | client's core busy |
| --- | --- | --- | --- | --- | --- | --- |"""

Figures = Mapping[tuple[str, int], Mapping[str, float]]


@dataclass(frozen=True)
class Result:
    """What was measured of one claim.

    Attributes:
        title: The claim.
        names: The contenders, ours first, then the one that ratios are taken against.
        passes: Figures of each pass by contender and concurrency.
        memory: MiB after so many requests.
        start: Seconds to the first answer.
    """

    title: str
    names: Sequence[str]
    passes: Mapping[str, Figures]
    memory: Mapping[int, float]
    start: float


@dataclass(frozen=True)
class Machine:
    """Where and when was measured."""

    date: str
    python: str
    cores: int
    cpu: str
    busy: float


def write(machine: Machine, results: Sequence[Result]) -> str:
    """Write the report."""
    lines = [HEAD.format(**asdict(machine))]
    for result in results:
        for title, figures in result.passes.items():
            lines += [f"## {result.title}: {title}", "", TABLE, *(_row(result, figures, name) for name in result.names), ""]
        lines += ["| target | measured | |", "| --- | --- | --- |", *_targets(result), ""]
    return "\n".join(lines)


def _row(result: Result, figures: Figures, name: str) -> str:
    peer, one, many = result.names[1], figures[name, 1], figures[name, 16]
    cells = [
        name,
        f"{one['p50_ms']:.2f} ms",
        f"{one['p99_ms']:.2f} ms",
        f"{one['p50_ms'] / figures[peer, 1]['p50_ms']:.2f}",
        f"{many['per_second']:.0f}",
        f"{many['per_second'] / figures[peer, 16]['per_second']:.2f}",
        f"{many['client_cpu']:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def _targets(result: Result) -> Iterator[str]:
    ours, peer, steady = *result.names[:2], result.passes["steady state"]
    throughput = steady[ours, 16]["per_second"] / steady[peer, 16]["per_second"]
    p50 = steady[ours, 1]["p50_ms"] / steady[peer, 1]["p50_ms"]
    after, sizes = result.memory[10_000], [*result.memory.values()]
    flat = " → ".join(f"{size:.1f}" for size in sizes)
    for target, measured, met in (
        ("at least 3 times the peer's throughput, 16 at a time, steady state", f"{throughput:.2f}", throughput >= 3),
        ("p50 at most 0.35 of the peer's, 1 at a time, steady state", f"{p50:.3f}", p50 <= 0.35),
        ("resident memory at most 56 MiB after 10,000 requests", f"{after:.1f} MiB", after <= 56),
        ("memory flat from 1,000 to 100,000 requests (within 1 MiB)", f"{flat} MiB", sizes[-1] - sizes[0] <= 1),
        ("first answer within 0.5 s of the start", f"{result.start:.2f} s", result.start <= 0.5),
    ):
        yield f"| {target} | {measured} | {'met' if met else '**not met**'} |"
