"""What a size, a region and an image are on each provider. The values stand in compositions/vm/."""

from collections.abc import Mapping
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from functions.kit.models import Model, Text, shape
from functions.kit.settings import CommonSettings, ControlPlane, OVHProject

Id = Annotated[str, shape(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in lower case")]

SizeT = TypeVar("SizeT", bound=Model)


class PrivateNetwork(Model):
    """A network that machines are attached to. It must lead out, or cloud-init cannot install anything.

    Attributes:
        id: The cloud's id of it.
        subnet_id: The subnet's, on OVH.
    """

    id: Text
    subnet_id: Text | None = None


class ProviderSettings(CommonSettings[SizeT], Generic[SizeT]):
    """What every provider has.

    Attributes:
        images: An image to the cloud's own name for it.
        private_networks: A region to the network that machines there are attached to.
    """

    images: Mapping[str, Text]
    private_networks: Mapping[str, PrivateNetwork] = {}


class ExoscaleSize(Model):
    """An Exoscale instance type, and the root disk in GiB."""

    type: Text
    disk_gb: Annotated[int, Field(ge=10)]


class Exoscale(ProviderSettings[ExoscaleSize]):
    """Settings of Exoscale.

    Attributes:
        cluster: Goes into names that are unique in the whole Exoscale organisation: give each control plane its own.
        template_ids: A zone to the template ids of its images.
    """

    cluster: ControlPlane = ""
    template_ids: Mapping[str, Mapping[str, Id]] = {}


class OVHSize(Model):
    """An OVH flavor; it decides cpu, memory and root disk."""

    flavor: Text


class OVH(ProviderSettings[OVHSize]):
    """Settings of OVH.

    Attributes:
        project: The Public Cloud project's id, 32 hexadecimal digits; each OVH resource needs it.
        image_ids: A region to the ids of its images.
        flavor_ids: A region to the ids of its flavors.
        volume_type: Of new data disks.
    """

    project: OVHProject | None = None
    image_ids: Mapping[str, Mapping[str, Id]] = {}
    flavor_ids: Mapping[str, Mapping[str, Id]] = {}
    volume_type: Text


class ScalewaySize(Model):
    """A Scaleway commercial type, and the root disk in GB of 10^9 bytes."""

    type: Text
    disk_gb: Annotated[int, Field(ge=10)]


class Scaleway(ProviderSettings[ScalewaySize]):
    """Settings of Scaleway.

    Attributes:
        project: The project's id, where it is not the one of the ClusterProviderConfig's credentials.
        volume_iops: Of new data disks.
    """

    project: Text | None = None
    volume_iops: Annotated[Literal[5000, 15000], Field(alias="volumeIOPS")]
