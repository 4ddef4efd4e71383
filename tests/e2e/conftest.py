"""One control plane for all end-to-end tests: it is started once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.plane import Cluster
from tests.e2e.programs import log_of
from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Start everything, and stop it when the tests are done."""
    if "E2E_PID" not in os.environ:
        pytest.fail("the end-to-end tests run in a network of their own: make e2e", pytrace=False)
    made = Stack()
    try:
        made.up()
        yield made
        assert "Traceback" not in log_of("world"), f"the world failed: {log_of('world')[-3000:]}"
    finally:
        made.down()


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
    """Return what takes a report, and writes it to the file that was asked for."""
    path = request.config.getoption("--report")

    def write(text: str) -> None:
        if path is not None:
            Path(path).write_text(text)

    return write
