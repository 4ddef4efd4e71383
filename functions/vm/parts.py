"""Pieces that the provider modules build a machine from."""

import json
from collections.abc import Mapping
from typing import Any

from functions.kit.composition import Resource
from functions.kit.manifests import DELETES, managed
from functions.kit.observed import Observed, ObservedResource
from functions.kit.progress import judged
from functions.kit.refusal import quote
from functions.kit.structs import Json
from functions.vm.machine import MADE_OF, Order, OrderedDisk


def part(
    order: Order[Any],
    kind: tuple[str, str],
    name: str,
    parameters: Mapping[str, object],
    seen: ObservedResource | None,
    *,
    deletes: bool,
    **more: Any,  # noqa: ANN401  # as `managed` takes them
) -> dict[str, object]:
    """Build a managed resource of a claim.

    Args:
        order: The order.
        kind: apiVersion and kind.
        name: Its metadata.name.
        parameters: `spec.forProvider`.
        seen: The resource as observed: it keeps its provider config, for another account would get a second one.
        deletes: Whether deleting the resource deletes what it stands for.
        **more: As `managed` takes them.
    """
    config = (seen.text("spec", "providerConfigRef", "name") if seen else "") or order.settings.provider_config
    return managed(kind, name, order.labels, parameters, provider_config=config, deletes=deletes, **more)


def deletable(seen: ObservedResource) -> bool:
    """Tell whether deleting an observed managed resource deletes what it stands for."""
    return seen.at("spec", "managementPolicies") == [*DELETES]


def kept(seen: ObservedResource, fields: tuple[str, ...]) -> dict[str, object]:
    """Return what a live resource was made with, which is never asked for anew."""
    parameters = seen.inside("spec", "forProvider")
    return {field: value for field in fields if (value := parameters.at(field)) is not None}


def id_of(seen: ObservedResource) -> str:
    """Return the cloud's id of an observed resource, without a zone before it; "" until it has one."""
    return plain_id(seen.text("status", "atProvider", "id"))


def plain_id(text: str) -> str:
    """Return an id without the zone that Scaleway puts before it."""
    return text.rpartition("/")[2]


def ids(values: Json) -> frozenset[str]:
    """Return the ids of a list, without zones."""
    return frozenset(plain_id(value) for value in values if isinstance(value, str)) if isinstance(values, list) else frozenset()


def named(order: Order[Any]) -> Mapping[str, str]:
    """Return the annotations of the machine."""
    return {MADE_OF: json.dumps(order.made_of, sort_keys=True)}


def server_resource(
    order: Order[Any], body: Mapping[str, object], seen: ObservedResource | None, state: str, running: str
) -> Resource:
    """Judge a machine, whose condition Ready never goes back to False, by the state that the cloud tells.

    Args:
        order: The order.
        body: The manifest.
        seen: The machine as observed.
        state: Its state there, "" until the cloud tells one.
        running: The state of one that runs.
    """
    resource = judged(order.server, body, seen, ready=seen is not None and seen.is_true("Ready") and state == running)
    if state and state != running and not resource.trouble:
        return resource._replace(trouble=f"the cloud reports {quote(state)}")
    return resource


def disk_resource(
    disk: OrderedDisk, body: Mapping[str, object], seen: ObservedResource | None, attached: frozenset[str]
) -> Resource:
    """Judge a data disk: it has arrived when the machine has it.

    Args:
        disk: The disk.
        body: The manifest.
        seen: The disk as observed.
        attached: The ids that the machine has.
    """
    if seen is None or not seen.is_true("Ready"):
        return judged(disk.key, body, seen)
    arrived = disk.leaving or id_of(seen) in attached
    resource = judged(disk.key, body, seen, ready=arrived)
    return resource if arrived or resource.trouble else resource._replace(trouble="the machine does not have it yet")


def attached_names(order: Order[Any], observed: Observed, attached: frozenset[str]) -> frozenset[str]:
    """Return the names of the data disks that the machine has."""
    return frozenset(disk.name for disk in order.disks if disk.key in observed and id_of(observed[disk.key]) in attached)
