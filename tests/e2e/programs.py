"""Programs that run beside the tests, each with a log of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from tools.crossplane import BINARIES

FOLDER: Final = Path(os.environ.get("E2E_FOLDER", "/nonexistent"))

T = TypeVar("T")


class NotReady(Exception):  # noqa: N818  # a sentence for the user
    """Something did not happen in time; the text says what."""


class Failed(Exception):  # noqa: N818  # what a program said
    """A program failed; the text is what it said."""


def run(*command: str, given: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a program; return what it printed.

    Raises:
        Failed: With what it said on standard error.
    """
    surroundings = {**os.environ, **(environment or {})}
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=given, env=surroundings)
    if done.returncode:
        raise Failed(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def built(name: str) -> str:
    """Return a program that was built into .tools/."""
    return str(BINARIES / name)


def until(what: str, probe: Callable[[], T | None], seconds: float = 60, pause: float = 0.1) -> T:
    """Wait until a probe returns something that is true.

    Args:
        what: Is waited for, for the message.
        probe: Is called again and again; Failed and OSError are taken for "not yet".
        seconds: How long at most.
        pause: Between two calls, in seconds.

    Raises:
        NotReady: When it takes longer.
    """
    deadline, last = time.monotonic() + seconds, ""
    while True:
        try:
            if found := probe():
                return found
        except (OSError, Failed) as error:
            last = str(error)[-1000:]
        if time.monotonic() > deadline:
            raise NotReady(f"{what}: not after {seconds:.0f} s{'; ' if last else ''}{last}")
        time.sleep(pause)


@dataclass
class Programs:
    """Programs that run in the background.

    Attributes:
        running: By name.
    """

    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a program; its output goes to NAME.log."""
        log = FOLDER / f"{name}.log"
        with log.open("ab") as out:
            self.running[name] = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
            )

    def alive(self, name: str) -> bool:
        """Tell whether a program still runs.

        Raises:
            NotReady: With the end of its log, if it ended.
        """
        if self.running[name].poll() is None:
            return True
        raise NotReady(f"{name} ended with {self.running[name].returncode}: {log_of(name)[-2000:]}")

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop a program."""
        process = self.running.pop(name)
        process.send_signal(how)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        """Stop every program, the last one first."""
        for name in reversed(list(self.running)):
            self.stop(name, signal.SIGKILL)  # what they would tidy up goes with them


def log_of(name: str) -> str:
    """Return what a program has printed so far."""
    path = FOLDER / f"{name}.log"
    return path.read_text(errors="replace") if path.exists() else ""
