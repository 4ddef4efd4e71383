"""Options and fixtures of all tests."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import settings

from tests.crds import FOLDER as CRDS
from tests.programs import not_checked
from tools.crossplane import serving

settings.register_profile("noisy machine", deadline=None)
settings.load_profile("noisy machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update`."""
    parser.addoption("--update", action="store_true", help="write the expected outputs of tests/golden anew")


class Functions:
    """The functions of this checkout, each started once a test process when it is first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._addresses: dict[str, str] = {}

    def address(self, kind: str) -> str:
        """Return where the function of a kind listens."""
        if kind not in self._addresses:
            self._addresses[kind] = self._stack.enter_context(serving(kind))
        return self._addresses[kind]


@pytest.fixture(scope="session")
def functions() -> Iterator[Functions]:
    with ExitStack() as stack:
        yield Functions(stack)


@pytest.fixture
def crds() -> None:
    """Ask for the CRDs of providers and operators."""
    if CRDS is None:
        not_checked("against the providers' CRDs: fetch them with make crds, or point CRDS=folder at them")
