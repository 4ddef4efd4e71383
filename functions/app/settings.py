"""What a size is, and where Apps run, on each provider. The values stand in compositions/app/."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from functions.kit.models import Model, Text, shape
from functions.kit.settings import ControlPlane

Cpu = Annotated[str, shape(r"[1-9][0-9]*m?", 'whole cores or thousandths, such as "1" or 250m')]
Memory = Annotated[str, shape(r"[1-9][0-9]*(Mi|Gi)", "memory in Mi or Gi, such as 256Mi")]


class Size(Model):
    """What a replica gets: cpu is a request, memory a request and a limit."""

    cpu: Cpu
    memory: Memory


class Toleration(Model):
    """A taint that an App's pods put up with, as Kubernetes spells it."""

    key: Text | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: Text | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class SecretStore(Model):
    """A store of External Secrets."""

    name: Text
    kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"


class Settings(Model):
    """What every provider has.

    Attributes:
        sizes: A T-shirt size to what a replica gets.
        node_selector: Labels of the nodes on which Apps run, such as those of a Karpenter pool.
        tolerations: Taints of those nodes.
        image_pull_secrets: Secrets of every namespace with which images are pulled.
        storage_class: Of volumes; the cluster's default where there is none.
        secret_store: Where secrets are kept.
        tailscale_namespace: Where the Tailscale operator runs its proxies.
        metrics_namespaces: Where the pods run that read metrics.
        monitoring: Whether scrapes, alert rules and dashboards are composed; false where there is no VictoriaMetrics operator.
    """

    sizes: Mapping[str, Size]
    node_selector: Mapping[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    image_pull_secrets: tuple[Text, ...] = ()
    storage_class: Text | None = None
    secret_store: SecretStore | None = None
    tailscale_namespace: Text
    metrics_namespaces: Annotated[tuple[Text, ...], Field(min_length=1)]
    monitoring: bool = True


class Remote(Settings):
    """Settings of a cloud on which Apps run in a cluster of its own.

    Attributes:
        kubernetes_provider_config: Name of provider-kubernetes' ClusterProviderConfig for that cluster.
        binding_store: A store that this cluster may write bindings to and that one may read, and no claim.
        cluster: Tells control planes apart that share that store.
    """

    kubernetes_provider_config: Text | None = None
    binding_store: SecretStore | None = None
    cluster: ControlPlane = ""
