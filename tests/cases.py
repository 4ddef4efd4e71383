"""The cases that are rendered: every example, and what stands in tests/golden/cases.

A case file says:

    because: why this case is here, one line
    claim: name of a file in examples/claims/KIND
    change: merged into the claim; null removes a key
    observed: name of a file in examples/observed/KIND or tests/golden/observed/KIND
    settings: merged into the data of examples/settings.yaml; null removes a key; none is a cluster without an EnvironmentConfig
    status: the claim's status as an earlier pass left it
    required: none is a namespace without what the claim names, such as Secrets; or a file of tests/golden/required/KIND
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tools.crossplane import ROOT, SETTINGS, required_of

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
        required: A file with what the claim names in its namespace, such as Secrets.
    """

    name: str
    claim: dict[str, Any]
    observed: Path | None = None
    settings: dict[str, Any] | None = field(default_factory=lambda: yaml.safe_load(SETTINGS.read_text()))
    required: Path | None = None

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
    return _whole((EXAMPLES / "claims").glob(f"{kind}/*.yaml"))


def observed(kind: str = "*") -> list[Path]:
    return _whole((EXAMPLES / "observed").glob(f"{kind}/*.yaml"))


def _whole(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if not path.name.endswith(".required.yaml"))


def _of_claim(path: Path) -> Case:
    return Case(f"{path.parent.name}/{path.stem}", load(path), required=required_of(path))


def _of_observed(path: Path) -> Case:
    """An observed state PROVIDER-STEP belongs to its provider's small claim, PROVIDER-full-STEP to the full one, and so on."""
    kind, parts = path.parent.name, path.stem.split("-")
    of = next((part for part in parts if part in {"full", "volume"}), "small")
    claim = EXAMPLES / "claims" / kind / f"{parts[0]}-{of}.yaml"
    return Case(f"{kind}/{path.stem}", load(claim), path, required=required_of(claim))


def _of_file(path: Path) -> Case:
    kind, case = path.parent.name, load(path)
    start = EXAMPLES / "claims" / kind / f"{case['claim']}.yaml"
    claim = merged(load(start), case.get("change", {}))
    if "status" in case:
        claim["status"] = case["status"]
    settings = None if case.get("settings") == "none" else merged(load(SETTINGS), {"data": case.get("settings", {})})
    seen = _observed_state(kind, case["observed"]) if "observed" in case else None
    return Case(f"{kind}/{path.stem}", claim, seen, settings, _required(kind, case.get("required"), start))


def _required(kind: str, name: str | None, claim: Path) -> Path | None:
    if name is None:
        return required_of(claim)
    return None if name == "none" else GOLDEN / "required" / kind / f"{name}.yaml"


def _observed_state(kind: str, name: str) -> Path:
    """Find an observed state: an example, or one that only cases need."""
    example = EXAMPLES / "observed" / kind / f"{name}.yaml"
    return example if example.exists() else GOLDEN / "observed" / kind / f"{name}.yaml"


def all_cases() -> list[Case]:
    """Return every case, in the order of its name."""
    cases = [_of_claim(path) for path in claims()]
    cases += [_of_observed(path) for path in observed()]
    cases += [_of_file(path) for path in (GOLDEN / "cases").glob("*/*.yaml")]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), f"two cases share a name: {sorted(name for name in names if names.count(name) > 1)}"
    return sorted(cases, key=lambda case: case.name)


# Cases that compose something: their goldens hold resources.
CASES_WITH_RESOURCES: Final = [case for case in all_cases() if "/refused-" not in case.name]
BY_NAME: Final = {case.name: case for case in CASES_WITH_RESOURCES}
