"""The benchmark's report in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

HEAD = """\
# How fast, beside its peers

`make bench` on {date}: {cores} cores ({cpu}), Python {python}, load average {busy:.1f} at the start.
Server pinned to one core, client to the other; medians of rounds taken in turns. A busy machine moves the figures,
so read the ratios, which are taken against function-patch-and-transform.

All compose the same resources for the Exoscale small claim: two in the first pass, seven in steady state with
everything observed. function-postgresql also validates, reads Secrets, guards what is live and builds the binding;
the peers copy constants instead.
"""

TABLE = """\
| | p50, 1 at a time | p99 | ratio of p50 | requests/s, 16 at a time | ratio | client's core busy |
| --- | --- | --- | --- | --- | --- | --- |"""

Figures = Mapping[tuple[str, int], Mapping[str, float]]


@dataclass(frozen=True)
class Machine:
    """Where and when was measured."""

    date: str
    python: str
    cores: int
    cpu: str
    busy: float


def write(
    machine: Machine, names: Sequence[str], passes: Mapping[str, Figures], memory: Mapping[int, float], start: float
) -> str:
    """Write the report.

    Args:
        machine: Where was measured.
        names: The contenders, ours first, then the one that ratios are taken against.
        passes: Figures of each pass by contender and concurrency.
        memory: MiB after so many requests.
        start: Seconds to the first answer.
    """
    ours, peer = names[0], names[1]
    lines = [HEAD.format(**asdict(machine))]
    for title, figures in passes.items():
        lines += [f"## {title.capitalize()}", "", TABLE]
        for name in names:
            one, many = figures[name, 1], figures[name, 16]
            cells = [
                name,
                f"{one['p50_ms']:.2f} ms",
                f"{one['p99_ms']:.2f} ms",
                f"{one['p50_ms'] / figures[peer, 1]['p50_ms']:.2f}",
                f"{many['per_second']:.0f}",
                f"{many['per_second'] / figures[peer, 16]['per_second']:.2f}",
                f"{many['client_cpu']:.0%}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    steady = passes["steady state"]
    p50 = steady[ours, 1]["p50_ms"] / steady[peer, 1]["p50_ms"]
    throughput = steady[ours, 16]["per_second"] / steady[peer, 16]["per_second"]
    sizes = list(memory.values())
    targets = [
        (
            "throughput at least 3 times function-patch-and-transform's, 16 at a time, steady state",
            f"{throughput:.2f}",
            throughput >= 3,
        ),
        ("p50 at most 0.35 of function-patch-and-transform's, 1 at a time, steady state", f"{p50:.3f}", p50 <= 0.35),
        ("resident memory at most 56 MiB after 10,000 requests", f"{memory[10_000]:.1f} MiB", memory[10_000] <= 56),
        (
            "memory flat from 1,000 to 100,000 requests (within 1 MiB)",
            " → ".join(f"{size:.1f}" for size in sizes) + " MiB",
            sizes[-1] - sizes[0] <= 1,
        ),
        ("first answer within 0.5 s of the start", f"{start:.2f} s", start <= 0.5),
    ]
    lines += ["## Targets", "", "| target | measured | |", "| --- | --- | --- |"]
    lines += [f"| {target} | {measured} | {'met' if met else '**not met**'} |" for target, measured, met in targets]
    return "\n".join(lines) + "\n"
