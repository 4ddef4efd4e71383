"""A claim, settled against the settings and what is live; and the words that the modules of an App share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from functions.app.claim import Claim
from functions.app.settings import Remote, Settings, Size
from functions.kit import guard, names
from functions.kit.composition import Resource
from functions.kit.live import grown
from functions.kit.observed import Observed, ObservedResource
from functions.kit.refusal import SETTINGS_INVALID, WOULD_REMOVE, Refusal, not_offered, quote
from functions.kit.request import Request
from functions.kit.settings import ENVIRONMENT

# Composition resource names, and the beginnings of those that stand once an entry of a list.
DEPLOYMENT: Final = "deployment"
VOLUME: Final = "volume."
DATABASE: Final = "database."

_UNITS: Final = {"Gi": 1, "Ti": 1024}

# Backstage finds an App's objects by this label.
BACKSTAGE: Final = "backstage.io/kubernetes-id"
INSTANCE: Final = "app.kubernetes.io/instance"
NAME: Final = "app.kubernetes.io/name"
COMPONENT: Final = "app.kubernetes.io/component"


def identity(app: str) -> dict[str, str]:
    """Return the labels that everything of an App has and nothing else of its namespace."""
    return {NAME: app, INSTANCE: app}


def exists(_: ObservedResource) -> str:
    """Wait for nothing: what exists has arrived."""
    return ""


class Part(NamedTuple):
    """An object in the cluster where the App runs.

    Attributes:
        key: The composition resource name.
        body: The manifest, without a namespace.
        waits: Says of the object as it is what it still waits for, "" once it has arrived.
        fails: Says of the object as it is what it fails at since it has arrived, "" where it does not.
        kept: Whether it outlives its resource, for it holds data of a protected claim.
    """

    key: str
    body: Mapping[str, object]
    waits: Callable[[ObservedResource], str] = exists
    fails: Callable[[ObservedResource], str] = exists
    kept: bool = False

    @property
    def name(self) -> str:
        """Its metadata.name."""
        metadata = self.body["metadata"]
        return str(metadata["name"]) if isinstance(metadata, Mapping) else ""


class Cluster(Protocol):
    """Where Apps run: a module each, `local` and `remote`."""

    @property
    def SETTINGS(self) -> type[Settings]:  # noqa: N802  # a module's constant
        """The model of its settings."""
        ...

    def kind_of(self, kind: tuple[str, str], /) -> tuple[str, str]:
        """Return apiVersion and kind of the composed resource that stands for an object."""
        ...

    def inside(self, resource: ObservedResource, /) -> ObservedResource:
        """Return the object as it is in the cluster, and as it was asked for until it is there."""
        ...

    def deliver(self, order: "Order", part: Part, observed: Observed, /) -> Resource:
        """Compose a part."""
        ...


class OrderedVolume(NamedTuple):
    """A volume; sizes in GiB.

    Attributes:
        name: The claim's name of it.
        size_gb: As it shall be, never less than there is.
        mount_path: Where pods find it.
        there_gb: As it is, None before that.
    """

    name: str
    size_gb: int
    mount_path: str
    there_gb: int | None

    @property
    def key(self) -> str:
        """Its composition resource name."""
        return f"{VOLUME}{self.name}"

    def claim_name(self, app: str) -> str:
        """Return the name of its PersistentVolumeClaim, which no volume of another App has."""
        return names.unshared(app, self.name)


@dataclass(frozen=True, slots=True)
class Order:
    """A claim, settled: everything that a module needs to know.

    Attributes:
        name: The claim's name.
        namespace: The claim's namespace.
        provider: The provider's name.
        labels: For every object.
        claim: The claim.
        settings: The provider's settings.
        size: What a replica gets.
        volumes: The volumes as they shall be.
        live: What an earlier pass composed, as it is in the cluster where the App runs.
    """

    name: str
    namespace: str
    provider: str
    labels: Mapping[str, str]
    claim: Claim
    settings: Any
    size: Size
    volumes: tuple[OrderedVolume, ...]
    live: Mapping[str, ObservedResource]

    @property
    def identity(self) -> dict[str, str]:
        """The labels that everything of the App has and nothing else."""
        return identity(self.name)

    @property
    def selector(self) -> dict[str, str]:
        """The labels of the pods that serve."""
        return {**self.identity, COMPONENT: "app"}

    @property
    def remote(self) -> bool:
        """Whether the App runs in another cluster than its claim."""
        return isinstance(self.settings, Remote)

    @property
    def scales(self) -> bool:
        """Whether there may be more than one replica."""
        return self.claim.replicas.most > 1

    def may_be_read(self, secret: str, key: str = "") -> bool:
        """Tell whether pods that run may read a Secret when they are started again: until all of them are new ones, any.

        Args:
            secret: Its name.
            key: The key, where only that is asked for.
        """
        seen = self.live.get(DEPLOYMENT)
        if seen is None:
            return False
        new, desired = renewed(seen)
        pod = seen.inside("spec", "template", "spec")
        variables = [
            variable.inside("valueFrom", "secretKeyRef")
            for container in pod.objects("containers")
            for variable in container.objects("env")
        ]
        read = {(given.text("name"), given.text("key")) for given in variables}
        mounted = {volume.text("secret", "secretName") for volume in pod.objects("volumes")}
        return new < desired or secret in mounted or any(name == secret and key in {"", of} for name, of in read)

    @property
    def scraped(self) -> bool:
        """Whether metrics are read."""
        return self.claim.metrics is not None and self.settings.monitoring is True

    @property
    def metrics_port(self) -> int | None:
        """The port of metrics, where it is another than the App's."""
        port = self.claim.metrics.port if self.claim.metrics else None
        return None if port == self.claim.port else port


def renewed(seen: ObservedResource) -> tuple[int, int]:
    """Return how many replicas of a Deployment are available and run what it says now, and how many there shall be."""
    desired = seen.number("spec", "replicas") or 0
    noticed = (seen.number("status", "observedGeneration") or 0) >= (seen.number("metadata", "generation") or 0)
    counts = (seen.number("status", part) or 0 for part in ("updatedReplicas", "availableReplicas"))
    return min(desired, *counts) if noticed else 0, desired


def settle(request: Request, cluster: Cluster, claim: Claim) -> Order:
    """Settle a claim.

    Raises:
        Refusal: Where the claim asks for what is not offered, or for the loss of data.
    """
    settings = request.settings.read(cluster.SETTINGS)
    if claim.size not in settings.sizes:
        raise not_offered("spec.size", claim.size, request.provider, settings.sizes)
    _check_settings(request, claim, settings)
    live = {key: cluster.inside(resource) for key, resource in request.observed.items()}
    if claim.deletion_protection:
        _check_data(claim, live)
    return Order(
        name=request.name,
        namespace=request.namespace,
        provider=request.provider,
        labels=guard.labels(request.name, request.name, request.provider) | {BACKSTAGE: request.label(BACKSTAGE) or request.name},
        claim=claim,
        settings=settings,
        size=settings.sizes[claim.size],
        volumes=_volumes(claim, live),
        live=live,
    )


def _check_settings(request: Request, claim: Claim, settings: Settings) -> None:
    """Refuse a claim that needs what only the owner of the cluster knows."""
    if isinstance(settings, Remote) and settings.kubernetes_provider_config is None:
        what = "the name of provider-kubernetes' ClusterProviderConfig for the cluster that runs Apps"
        raise request.settings.missing("kubernetesProviderConfig", what)
    if claim.secrets and settings.secret_store is None:
        raise request.settings.missing(
            "secretStore", "name and kind of the store of External Secrets that spec.secrets are read from"
        )
    if claim.databases and isinstance(settings, Remote):
        _check_binding_store(request, settings)


def _check_binding_store(request: Request, settings: Remote) -> None:
    """Refuse to hand passwords over through a store that every claim may read from."""
    if settings.binding_store is None:
        what = "name and kind of a store of External Secrets that bindings are handed to the other cluster through"
        raise request.settings.missing("bindingStore", what)
    if settings.binding_store == settings.secret_store and settings.binding_store.kind == "ClusterSecretStore":
        raise Refusal(
            SETTINGS_INVALID,
            f"bindingStore is {quote(settings.binding_store.name)}, and so is secretStore, from which claims of every namespace "
            f"read; the platform team must set data[{request.settings.overlay_key}].bindingStore of the EnvironmentConfig "
            f"{ENVIRONMENT} to a store of its own",
        )


def _check_data(claim: Claim, live: Mapping[str, ObservedResource]) -> None:
    """Refuse to give up a volume or a database of its own while the claim is protected."""
    wanted = {f"{VOLUME}{volume.name}" for volume in claim.volumes}
    wanted |= {f"{DATABASE}{database.name}" for database in claim.databases if database.size is not None}
    for key in sorted(live.keys() - wanted):
        if key.startswith((VOLUME, DATABASE)):
            field, _, name = key.partition(".")
            what = "the volume" if field == "volume" else "the App's own database"
            raise Refusal(
                WOULD_REMOVE,
                f"spec.{field}s no longer has {name}, and {what} would be deleted with its data; put it back, "
                "or set spec.deletionProtection to false to delete it",
            )


def _volumes(claim: Claim, live: Mapping[str, ObservedResource]) -> tuple[OrderedVolume, ...]:
    volumes = []
    for number, volume in enumerate(claim.volumes):
        seen = live.get(f"{VOLUME}{volume.name}")
        there = _gibibytes(seen.text("spec", "resources", "requests", "storage")) if seen else None
        size = grown(f"spec.volumes[{number}].sizeGB", volume.size_gb, None, there)
        volumes.append(OrderedVolume(volume.name, size or volume.size_gb, volume.mount_path, there))
    return tuple(volumes)


def _gibibytes(quantity: str) -> int | None:
    """Read a quantity as Kubernetes writes it, which makes 1Ti of 1024Gi."""
    digits, unit = quantity[:-2], quantity[-2:]
    if unit not in _UNITS or not (digits.isascii() and digits.isdigit()) or len(digits) > 6:  # noqa: PLR2004  # no volume is larger
        return None
    return int(digits) * _UNITS[unit]
