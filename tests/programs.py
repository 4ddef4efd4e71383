"""Programs of the operating system that some tests ask: how a machine itself would read what we write."""

import os
import shutil

import pytest


def program(name: str, package: str) -> str:
    """Find a program; without it the test is skipped by name, and on CI it fails.

    Args:
        name: Of the program.
        package: Debian's package that has it.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found:
        return found
    message = f"NOT CHECKED by the real {name}: install it, on Debian with apt-get install {package}"
    if "CI" in os.environ:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
