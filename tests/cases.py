"""The cases that are rendered: every example, and what stands in tests/golden/cases.

A case file says:

    because: why this case is here, one line
    claim: name of a file in examples/claims/KIND
    change: merged into the claim; null removes a key
    observed: name of a file in examples/observed/KIND
    settings: merged into the data of examples/settings.yaml; null removes a key; none is a cluster without an EnvironmentConfig
    status: the claim's status as an earlier pass left it
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tools.crossplane import ROOT, SETTINGS

EXAMPLES: Final = ROOT / "examples"
GOLDEN: Final = ROOT / "tests" / "golden"


@dataclass(frozen=True)
class Case:
    """One render.

    Attributes:
        name: KIND/NAME, also of the golden file.
        claim: The claim.
        observed: A file with composed resources, None in a first pass.
        settings: The EnvironmentConfig, None where the cluster has none.
    """

    name: str
    claim: dict[str, Any]
    observed: Path | None = None
    settings: dict[str, Any] | None = field(default_factory=lambda: yaml.safe_load(SETTINGS.read_text()))

    @property
    def kind(self) -> str:
        return self.name.partition("/")[0]

    @property
    def golden(self) -> Path:
        return GOLDEN / "outputs" / f"{self.name}.yaml"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Merge as a JSON merge patch does: null removes."""
    result = dict(copy.deepcopy(base))
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def claims(kind: str = "*") -> list[Path]:
    return sorted((EXAMPLES / "claims").glob(f"{kind}/*.yaml"))


def observed(kind: str = "*") -> list[Path]:
    return sorted(path for path in (EXAMPLES / "observed").glob(f"{kind}/*.yaml") if not path.name.endswith(".secrets.yaml"))


def _of_observed(path: Path) -> Case:
    """An observed state belongs to its provider's small claim."""
    kind, provider = path.parent.name, path.stem.partition("-")[0]
    return Case(f"{kind}/{path.stem}", load(EXAMPLES / "claims" / kind / f"{provider}-small.yaml"), path)


def _of_file(path: Path) -> Case:
    kind, case = path.parent.name, load(path)
    claim = merged(load(EXAMPLES / "claims" / kind / f"{case['claim']}.yaml"), case.get("change", {}))
    if "status" in case:
        claim["status"] = case["status"]
    settings = None if case.get("settings") == "none" else merged(load(SETTINGS), {"data": case.get("settings", {})})
    seen = EXAMPLES / "observed" / kind / f"{case['observed']}.yaml" if "observed" in case else None
    return Case(f"{kind}/{path.stem}", claim, seen, settings)


def all_cases() -> list[Case]:
    """Return every case, in the order of its name."""
    cases = [Case(f"{path.parent.name}/{path.stem}", load(path)) for path in claims()]
    cases += [_of_observed(path) for path in observed()]
    cases += [_of_file(path) for path in (GOLDEN / "cases").glob("*/*.yaml")]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), f"two cases share a name: {sorted(name for name in names if names.count(name) > 1)}"
    return sorted(cases, key=lambda case: case.name)


# Cases that compose something: their goldens hold resources.
CASES_WITH_RESOURCES: Final = [case for case in all_cases() if "/refused-" not in case.name]
BY_NAME: Final = {case.name: case for case in CASES_WITH_RESOURCES}
