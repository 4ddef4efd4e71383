"""The functions' processes, as their nodes see them."""

import os
import signal
from pathlib import Path
from typing import Final

_PORT: Final = f":{9443:04X}"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def processes(kind: str = "") -> list[int]:
    """Return the ids of the processes of functions, of one kind or of all; they see the roots of their images."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if (entry / "root/app/functions" / kind).is_dir()]


def signalled(number: signal.Signals) -> int:
    """Send a signal to every function's process; return how many there were."""
    found = processes()
    for process in found:
        os.kill(process, number)
    return len(found)


def unanswered() -> bool:
    """Tell whether a function was sent something that it has not read, as the kernel knows it."""
    tables = (Path(f"/proc/self/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6"))
    sockets = [line.split() for lines in tables for line in lines]
    return any(local.endswith(_PORT) and int(queues.partition(":")[2], 16) for _, local, _, _, queues, *_ in sockets)


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a process has used, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(process: int) -> float:
    """Return the memory that a process holds, in MiB (2^20 bytes)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
