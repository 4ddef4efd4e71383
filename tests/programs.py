"""Programs of the operating system that some tests ask: how a machine itself would read what we write."""

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str, package: str) -> str:
    """Find a program; without it the test is skipped by name, and on CI it fails.

    Args:
        name: Of the program.
        package: Debian's package that has it.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not found:
        not_checked(f"by the real {name}: install it, on Debian with apt-get install {package}")
    return found


def not_checked(why: str) -> NoReturn:
    """Skip the test by name; on CI, where nothing may be missing, fail it.

    Args:
        why: By or against what it does not check, and how to get that.
    """
    message = f"NOT CHECKED {why}"
    if "CI" in os.environ:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
