"""What a size, a region and a version are on each provider. The values stand in compositions/postgresql/."""

from collections.abc import Mapping
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from functions.kit.models import Model, Text, Time
from functions.kit.settings import CommonSettings, ControlPlane, OVHProject

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

SizeT = TypeVar("SizeT", bound=Model)


class ProviderSettings(CommonSettings[SizeT], Generic[SizeT]):
    """What every provider has.

    Attributes:
        versions: PostgreSQL's major versions that may be ordered.
        platform_cidrs: IPv4 networks of the platform itself: the nodes on which Crossplane's providers and the applications run.
    """

    versions: Annotated[tuple[Text, ...], Field(min_length=1)]
    platform_cidrs: tuple[str, ...] = ()


class ExoscaleSize(Model):
    """An Exoscale plan; it decides cpu, memory, disk and nodes."""

    plan: Text


class Exoscale(ProviderSettings[ExoscaleSize]):
    """Settings of Exoscale.

    Attributes:
        cluster: Goes into the server's name, which is unique in the whole Exoscale organisation: give each control plane its own.
        kubernetes_provider_config: Name of provider-kubernetes' ClusterProviderConfig for this cluster.
        backup_time: HH:MM in UTC, where the claim names none.
        maintenance_day: Where the claim names none.
        maintenance_time: HH:MM in UTC, where the claim names none.
    """

    cluster: ControlPlane = ""
    kubernetes_provider_config: Text = "default"
    backup_time: Time
    maintenance_day: Day
    maintenance_time: Time


class OVHSize(Model):
    """An OVH plan and flavor; `nodes` must fit the plan.

    Attributes:
        storage_gb: At least what comes with the flavor. OVH would choose that itself, but the provider then writes it into the
            spec (upjet's late initialisation), and a larger flavor would be asked for with the storage of the smaller one.
    """

    plan: Text
    flavor: Text
    nodes: Annotated[int, Field(ge=1, le=6)]
    storage_gb: Annotated[int, Field(ge=1)]


class OVH(ProviderSettings[OVHSize]):
    """Settings of OVH.

    Attributes:
        project: The Public Cloud project's id, 32 hexadecimal digits; each OVH resource needs it.
        backup_time: HH:MM in UTC, where the claim names none.
        maintenance_time: HH:MM in UTC, where the claim names none.
    """

    project: OVHProject | None = None
    backup_time: Time
    maintenance_time: Time


class ScalewaySize(Model):
    """A Scaleway node type with its volume, in multiples of 5 GB."""

    node_type: Text
    high_availability: bool
    volume_type: Literal["sbs_5k", "sbs_15k"]
    storage_gb: Annotated[int, Field(ge=5, multiple_of=5)]


class Scaleway(ProviderSettings[ScalewaySize]):
    """Settings of Scaleway.

    Attributes:
        project: The project's id, where it is not the one of the ClusterProviderConfig's credentials.
        backup_retention_days: Where the claim names none.
    """

    project: Text | None = None
    backup_retention_days: Annotated[int, Field(ge=1, le=365)]


class KubernetesSize(Model):
    """Instances of a CloudNativePG Cluster and what each gets; memory is request and limit."""

    instances: Annotated[int, Field(ge=1, le=9)]
    cpu: Text
    memory: Text
    storage_gb: Annotated[int, Field(ge=1)]


class BackupPlugin(Model):
    """A CloudNativePG backup plugin, such as barman-cloud.cloudnative-pg.io, with what it wants to know."""

    name: Text
    parameters: Mapping[str, Text] = {}


class Kubernetes(ProviderSettings[KubernetesSize]):
    """Settings of this cluster.

    Attributes:
        images: A PostgreSQL major version to the image that CloudNativePG runs.
        storage_class: The cluster's default where there is none.
        backup_plugin: Without one nothing is backed up.
        backup_time: HH:MM in UTC, where the claim names none.
        platform_namespaces: Namespaces whose pods may reach the database: Crossplane's providers, CloudNativePG, metrics.
        pod_scrape: Whether VictoriaMetrics' VMPodScrape is composed; false where its operator is not installed.
    """

    images: Mapping[str, Text]
    storage_class: Text | None = None
    backup_plugin: BackupPlugin | None = None
    backup_time: Time
    platform_namespaces: Annotated[tuple[Text, ...], Field(min_length=1)]
    pod_scrape: bool = True
