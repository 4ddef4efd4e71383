"""The API server's own library, asked what it says of claims."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.cases import merged
from tools.crossplane import judge


@dataclass(frozen=True)
class Change:
    """A claim that is created, or changed from an old one; both are changes of the smallest claim."""

    why: str
    new: dict[str, Any]
    old: dict[str, Any] | None = None
    refused: str = ""


@cache
def _verdicts(cases: str, kind: str) -> dict[str, dict[str, Any]]:
    return {verdict["name"]: verdict for verdict in judge(kind, json.loads(cases))}


def assert_judged(change: Change, changes: Sequence[Change], base: dict[str, Any]) -> None:
    """Assert that the API server judges a change as its table says; all of the table are asked at once.

    Args:
        change: The one that is looked at.
        changes: The whole table.
        base: The claim that they change.
    """
    cases = [
        {"name": other.why, "new": merged(base, other.new)} | ({} if other.old is None else {"old": merged(base, other.old)})
        for other in changes
    ]
    verdict = _verdicts(json.dumps(cases), str(base["kind"]).lower())[change.why]
    assert verdict["accepted"] is not bool(change.refused), verdict
    assert not change.refused or any(change.refused in error for error in verdict["errors"]), verdict
