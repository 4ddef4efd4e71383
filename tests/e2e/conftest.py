"""One control plane for all end-to-end tests: it is started once."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.plane import Cluster
from tests.e2e.programs import FOLDER, log_of
from tests.e2e.stack import Stack

_REPORT: Final = pytest.StashKey[str]()
_KEPT: Final = FOLDER.parent / "e2e-failed"


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Start everything, and stop it when the tests are done."""
    if "E2E_PID" not in os.environ:
        pytest.fail("the end-to-end tests run in a network of their own: make e2e", pytrace=False)
    made = Stack()
    try:
        made.up()
        yield made
        _check_logs()
    finally:
        made.down()
        shutil.rmtree(_KEPT, ignore_errors=True)
        if request.session.testsfailed:
            shutil.copytree(FOLDER, _KEPT, ignore=lambda _, names: [name for name in names if not name.endswith(".log")])


def _check_logs() -> None:
    """Look for what no test waits for: a defect of a function in a pass that the next one mended, or a right that is missing."""
    for path in FOLDER.glob("nodes-*/*.log"):
        defects = [line for line in path.read_text().splitlines() if "internal error" in line or "Traceback" in line]
        assert not defects, f"{path.name}: {defects[0][:3000]}"
    assert "Traceback" not in log_of("world"), f"the world failed: {log_of('world')[-3000:]}"
    for name in ("crossplane", "rbac-manager"):
        assert "panic:" not in log_of(name)
    forbidden = [line for line in log_of("world").splitlines() if "is forbidden" in line]
    assert not forbidden, f"a provider may not do what it must: {forbidden[-1][:1000]}"


@pytest.fixture(scope="session")
def platform(stack: Stack) -> Cluster:
    """Return the cluster with Crossplane."""
    return stack.platform


@pytest.fixture(scope="session")
def apps(stack: Stack) -> Cluster:
    """Return the cluster for Apps on clouds."""
    return stack.apps


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report", help="the file that what was measured is written to")


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return what takes a report: it is printed in the end, and written to the file that was asked for."""
    path = request.config.getoption("--report")

    def write(text: str) -> None:
        request.config.stash[_REPORT] = text
        if path is not None:
            Path(path).write_text(text)

    return write


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write(config.stash.get(_REPORT, ""))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name == "test_load.py")  # last, for whatever came after 600 claims would be slow
