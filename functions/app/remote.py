"""Apps in a cluster of a cloud: the same objects, each inside an `Object` of provider-kubernetes v1.2."""

from collections.abc import Collection, Mapping
from typing import Final

from functions.app.order import VOLUME, Order, Part
from functions.app.settings import Remote
from functions.kit import names
from functions.kit.composition import Resource
from functions.kit.guard import PROVIDER_LABEL
from functions.kit.manifests import KEEPS, managed
from functions.kit.observed import Observed, ObservedResource

SETTINGS: Final = Remote

_OBJECT: Final = ("kubernetes.m.crossplane.io/v1alpha1", "Object")
_WRAPPED: Final = ("spec", "forProvider", "manifest")
_REMOTE: Final = ("status", "atProvider", "manifest")


def kind_of(_: tuple[str, str]) -> tuple[str, str]:
    """Return the kind of what every object is wrapped in."""
    return _OBJECT


def inside(resource: ObservedResource) -> ObservedResource:
    """Return the object as provider-kubernetes saw it in the other cluster, before that as it was asked for.

    This cluster's own objects, such as databases, are returned as they are.
    """
    if resource.kind != _OBJECT:
        return resource
    there = resource.inside(*_REMOTE)
    return there if there.text("kind") else resource.inside(*_WRAPPED)


def deliver(order: Order, part: Part, observed: Observed) -> Resource:
    """Compose the object inside an Object, in a namespace of the claim's name."""
    seen = observed.get(part.key)
    metadata = part.body.get("metadata")
    wrapped = (
        {**part.body, "metadata": {**metadata, "namespace": order.namespace}} if isinstance(metadata, Mapping) else part.body
    )
    body = managed(
        _OBJECT,
        object_name(order, part.key),
        order.labels,
        {"manifest": wrapped},
        provider_config=_provider_config(order, observed),
        deletes=not part.kept,
        # Takes effect with provider-kubernetes' --enable-watches; without, an Object is looked at every ten minutes only.
        watch=True,
    )
    if seen is None:
        return Resource(part.key, body)
    waits = part.waits(inside(seen)) if seen.is_true("Ready") else seen.trouble() or "it is not there yet"
    return Resource(part.key, body, not waits, seen.failure() or waits or part.fails(inside(seen)))


def object_name(order: Order, key: str) -> str:
    """Return the name of the Object that stands for a part."""
    return names.unshared(order.name, *key.split("."))


def let_go(order: Order, wanted: Collection[str], observed: Observed) -> list[Resource]:
    """Compose volumes that the claim gave up until deleting their Objects deletes them too, or they would stay behind."""
    leaving = [key for key in observed if key.startswith(VOLUME) and key not in wanted]
    return [
        deliver(order, Part(key, observed[key].inside(*_WRAPPED).plain, kept=False), observed)
        for key in leaving
        if observed[key].at("spec", "managementPolicies") == [*KEEPS]
    ]


def _provider_config(order: Order, observed: Observed) -> str:
    """Settle the cluster: where the App lives it stays, for edited settings must not make a second one elsewhere."""
    objects = (resource for resource in observed.values() if resource.kind == _OBJECT and resource.label(PROVIDER_LABEL))
    first = next(objects, None)
    return (first.text("spec", "providerConfigRef", "name") if first else "") or str(order.settings.kubernetes_provider_config)
