"""A new version of the suite is installed under live claims, and the old one again: nothing is renamed, replaced or removed.

The new version differs in nothing but its name: what a change of the functions renames is for tests/upgrade to find.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from package.build import KINDS, REGISTRY, configuration
from tests.e2e import crossplane, functions
from tests.e2e.claims import composed, identities, namespace, of, ready
from tests.e2e.plane import Cluster
from tests.e2e.programs import FOLDER, built, run, until
from tests.e2e.test_faults import claims_in

SPACE: Final = "upgrade"
NEXT: Final = "v0.1.1"


@pytest.fixture(scope="module")
def published() -> None:
    """Publish the next version: other images, and a Configuration that asks for just these."""
    for kind in KINDS:
        source = f"{crossplane.REGISTRY}/gravitek-io/function-{kind}"
        run(built("crane"), "mutate", f"{source}:{crossplane.VERSION}", f"--env=RELEASE={NEXT}", f"--tag={source}:{NEXT}")
    folder = FOLDER / "next"
    folder.mkdir()
    package = configuration(folder, NEXT, REGISTRY)
    crossplane.push(package, f"gravitek-io/{package.stem}:{NEXT}")


def serving() -> set[str]:
    """Return the versions of the functions that run."""
    environments = [Path(f"/proc/{process}/environ").read_text().split("\0") for process in functions.processes()]
    return {NEXT if f"RELEASE={NEXT}" in environment else crossplane.VERSION for environment in environments}


@pytest.mark.usefixtures("published")
def test_an_upgrade_and_going_back_leave_everything_as_it_is(platform: Cluster) -> None:
    platform.apply(namespace(SPACE), *claims_in(SPACE))
    claims = claims_in(SPACE)
    before = [stand(platform, claim) for claim in claims]
    for version in (NEXT, crossplane.VERSION):
        platform.apply(crossplane.configuration(version))
        until(f"functions of {version}", lambda version=version: serving() == {version}, 120, pause=0.5)  # type: ignore[misc]
        crossplane.healthy(platform)
        for claim in claims:  # only a pass of the new version writes it again
            platform.kubectl("patch", *of(claim), "--subresource=status", "--type=merge", "--patch", '{"status": {"size": null}}')
        for claim, known in zip(claims, before, strict=True):
            until("a new pass", lambda claim=claim: platform.get(*of(claim))["status"].get("size"))  # type: ignore[misc]
            assert stand(platform, claim) == known
    assert {found["spec"]["package"].rpartition(":")[2] for found in platform.get("functions.pkg")} == {crossplane.VERSION}


def stand(platform: Cluster, claim: dict[str, Any]) -> dict[str, Any]:
    """Return what must be the same: names, uids and specs."""
    ready(platform, claim)
    parts = composed(platform, claim)
    return {"identities": identities(parts), "specs": {name: part.get("spec") for name, part in parts.items()}}
