"""`make crds` gets the providers' CRDs out of their packages; the registry here mirrors those that the Configuration names."""

from pathlib import Path

import pytest

from tests.e2e import crossplane
from tests.requests import documents
from tools import crds


def names(folder: Path) -> set[str]:
    return {document["metadata"]["name"] for path in folder.glob("*.yaml") for document in documents(path)}


@pytest.mark.usefixtures("stack")
def test_the_crds_of_every_provider_come_out_of_its_package(tmp_path: Path) -> None:
    crds.of_providers(tmp_path, mirror=crossplane.REGISTRY)
    for provider in crds.providers():
        found = names(tmp_path / provider.folder)
        assert found
        assert found == names(crossplane.schemas() / provider.folder)


@pytest.mark.usefixtures("stack")
def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(crds.CannotFetch, match=f"^{crossplane.REGISTRY}/elsewhere/exoscale/provider-exoscale:v0.1.0: "):
        crds.of_providers(tmp_path, mirror=f"{crossplane.REGISTRY}/elsewhere")
