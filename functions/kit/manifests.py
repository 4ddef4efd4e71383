"""Manifests of composed resources."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Without Delete: when the managed resource goes, the cloud keeps what it stands for.
KEEPS: Final = ("Create", "Observe", "Update", "LateInitialize")
DELETES: Final = ("*",)

CLUSTER_CONFIG: Final = "ClusterProviderConfig"
NAMESPACED_CONFIG: Final = "ProviderConfig"


def manifest(kind: tuple[str, str], name: str, labels: Mapping[str, str], spec: Mapping[str, object]) -> dict[str, object]:
    """Build a manifest.

    Args:
        kind: apiVersion and kind.
        name: Its metadata.name.
        labels: Its labels.
        spec: Its spec.
    """
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": name, "labels": labels}, "spec": spec}


def managed(
    kind: tuple[str, str],
    name: str,
    labels: Mapping[str, str],
    for_provider: Mapping[str, object],
    *,
    provider_config: str,
    provider_config_kind: str = CLUSTER_CONFIG,
    deletes: bool,
    secret: str = "",
    external_name: str = "",
    annotations: Mapping[str, str] = MappingProxyType({}),
    **spec: object,
) -> dict[str, object]:
    """Build a managed resource of a Crossplane provider.

    Args:
        kind: apiVersion and kind.
        name: Its metadata.name.
        labels: Its labels.
        for_provider: `spec.forProvider`.
        provider_config: Name of the provider config.
        provider_config_kind: Its kind.
        deletes: Whether deleting the resource deletes what it stands for.
        secret: Name of the Secret that the provider writes connection details into; needed wherever there are any.
        external_name: What the cloud calls it, where that is not metadata.name.
        annotations: Its annotations.
        **spec: Fields beside `forProvider`.
    """
    metadata: dict[str, object] = {"name": name, "labels": labels}
    if external_name or annotations:
        named = {"crossplane.io/external-name": external_name} if external_name else {}
        metadata["annotations"] = {**named, **annotations}
    body: dict[str, object] = {
        "forProvider": for_provider,
        "managementPolicies": DELETES if deletes else KEEPS,
        "providerConfigRef": {"kind": provider_config_kind, "name": provider_config},
        **spec,
    }
    if secret:
        body["writeConnectionSecretToRef"] = {"name": secret}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, "spec": body}
