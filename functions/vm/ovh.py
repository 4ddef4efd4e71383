"""VMs on OVH: edixos/provider-ovh v2.13.2.

No field of an instance can change and none is a firewall: the machine keeps others out itself, from cloud-init on.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from functions.kit import names
from functions.kit.composition import Resource
from functions.kit.observed import Observed, ObservedResource
from functions.kit.request import Request
from functions.kit.settings import ovh_project
from functions.vm.machine import Live, Machine, Order, OrderedDisk
from functions.vm.parts import attached_names, disk_resource, id_of, kept, named, part, plain_id, server_resource
from functions.vm.settings import OVH

_GROUP: Final = "cloud.ovh.m.edixos.io/v1alpha1"

SERVER_KIND: Final = (_GROUP, "ProjectInstance")
SETTINGS: Final = OVH
FIXED: Final = ("spec.size", "spec.ingress")
SIZES_DISK: Final = False
HAS_FIREWALL: Final = False
# Only one key can be given by name; cloud-init installs them all.
INSTALLS_KEYS: Final = False
NEEDS_KEY: Final = True
# OpenStack Nova, api-guide "Provide user data to instances".
USER_DATA_LIMIT: Final = 65_535

_STATE: Final = ("status", "atProvider", "status")
_RUNNING: Final = "ACTIVE"

_MADE_WITH: Final = (
    "serviceName",
    "region",
    "name",
    "billingPeriod",
    "flavor",
    "bootFrom",
    "network",
    "sshKeyCreate",
    "userData",
)

_PRIVATE: Final = tuple(IPv4Network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def live(server: ObservedResource) -> Live:
    """Read what the observed machine is."""
    return Live(region=server.text("spec", "forProvider", "region"))


def disk_size(disk: ObservedResource) -> int:
    """Read how big an observed data disk is."""
    return disk.number("spec", "forProvider", "size") or 0


def machine(order: Order[OVH], observed: Observed, request: Request) -> Machine:
    """Compose the machine, and its disks once it is there: a disk is only attached when it is made."""
    seen = observed.get(order.server)
    attached = _attached(seen) if seen else frozenset()
    resources = []
    if seen is not None or order.user_data:
        resources.append(_server(order, seen, request))
    # A machine that is still being built takes no disk.
    instance = id_of(seen) if seen and seen.text(*_STATE) == _RUNNING else ""
    resources += [
        _disk(order, disk, observed.get(disk.key), instance, attached, request)
        for disk in order.disks
        if instance or disk.key in observed
    ]
    addresses = _addresses(seen) if seen else []
    return Machine(
        resources=resources,
        plan=(seen.text("status", "atProvider", "flavorName") if seen else "") or order.settings.sizes[order.claim.size].flavor,
        public=next((str(address) for address in addresses if not _is_private(address)), ""),
        private=next((str(address) for address in addresses if _is_private(address)), ""),
        attached=attached_names(order, observed, attached),
    )


def _server(order: Order[OVH], seen: ObservedResource | None, request: Request) -> Resource:
    body = part(
        order,
        SERVER_KIND,
        order.server_name,
        kept(seen, _MADE_WITH) if seen else _made_with(order, request),
        seen,
        deletes=not order.protected,
        annotations=named(order),
    )
    return server_resource(order, body, seen, seen.text(*_STATE) if seen else "", _RUNNING)


def _made_with(order: Order[OVH], request: Request) -> dict[str, object]:
    claim, settings, region = order.claim, order.settings, order.region
    flavor, image = settings.sizes[claim.size].flavor, settings.images[claim.image]
    digest, first = next(iter(claim.keys.items()))
    network: Mapping[str, object] = {"public": True}
    if not claim.public and order.network is not None:
        subnet = {"subnetId": order.network.subnet_id} if order.network.subnet_id else {}
        network = {"private": [{"network": [{"id": order.network.id, **subnet}]}]}
    return {
        "serviceName": ovh_project(request.settings, order.settings.project),
        "region": region,
        "name": order.name,
        "billingPeriod": "hourly",
        "flavor": [{"flavorId": _id(settings.flavor_ids, "flavorIds", region, flavor, f"flavor {flavor}", "flavor", request)}],
        "bootFrom": [{"imageId": _id(settings.image_ids, "imageIds", region, claim.image, f"image {image}", "image", request)}],
        "network": [network],
        # Unique in the project; the machine's number keeps one that replaces another from meeting its key.
        "sshKeyCreate": [
            {
                "name": names.unshared(order.namespace, order.name, str(order.replaces), digest),
                "publicKey": first,
            }
        ],
        "userData": order.user_data,
    }


def _disk(
    order: Order[OVH],
    disk: OrderedDisk,
    seen: ObservedResource | None,
    instance: str,
    attached: frozenset[str],
    request: Request,
) -> Resource:
    made_with = (
        kept(seen, ("serviceName", "regionName", "type", "instanceId"))
        if seen
        else {
            "serviceName": ovh_project(request.settings, order.settings.project),
            "regionName": order.region,
            "type": order.settings.volume_type,
            "instanceId": instance,
        }
    )
    body = part(
        order,
        (_GROUP, "ProjectVolume"),
        order.called("disk", disk.name),
        {**made_with, "name": f"{order.namespace}-{order.name}-{disk.name}", "size": disk.size_gb},
        seen,
        deletes=not order.disks_protected,
    )
    resource = disk_resource(disk, body, seen, attached)
    if resource.ready or not instance or made_with.get("instanceId") == instance:
        return resource
    volume = id_of(seen) if seen else ""
    trouble = (
        "it was attached to the machine before, and OVH's provider cannot attach it again; do it by hand: "
        f"openstack --os-region-name {order.region} server add volume {instance} {volume}"
    )
    return resource._replace(trouble=trouble)


def _id(ids: Mapping[str, Mapping[str, str]], key: str, region: str, name: str, what: str, noun: str, request: Request) -> str:
    found = ids.get(region, {}).get(name)
    if found is None:
        raise request.settings.missing(
            f"{key}.{region}.{name}", f"the id of the {what} in that region: openstack --os-region-name {region} {noun} list"
        )
    return found


def _attached(server: ObservedResource) -> frozenset[str]:
    volumes = server.at("status", "atProvider", "attachedVolumes")
    entries = [entry.get("id") for entry in volumes if isinstance(entry, dict)] if isinstance(volumes, list) else []
    return frozenset(plain_id(entry) for entry in entries if isinstance(entry, str))


def _is_private(address: IPv4Address) -> bool:
    return any(address in network for network in _PRIVATE)


def _addresses(server: ObservedResource) -> list[IPv4Address]:
    found = server.at("status", "atProvider", "addresses")
    entries = [entry.get("ip") for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    addresses = []
    for entry in entries:
        try:
            addresses.append(IPv4Address(entry))
        except ValueError:  # IPv6, or no address
            continue
    return addresses
