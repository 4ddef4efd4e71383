"""VMs on Scaleway: scaleway/crossplane-provider-scaleway v0.6.0.

Its own ssh keys open every machine of a project, so keys come through cloud-init.
"""

from typing import Final

from functions.kit.composition import Resource
from functions.kit.observed import Observed, ObservedResource
from functions.kit.progress import judged
from functions.kit.request import Request
from functions.vm.firewall import Rule
from functions.vm.machine import FIREWALL, Live, Machine, Order
from functions.vm.parts import attached_names, disk_resource, ids, kept, named, part, server_resource
from functions.vm.settings import Scaleway

_GROUP: Final = "instance.scaleway.m.upbound.io/v1alpha1"
_IP: Final = "ip"

SERVER_KIND: Final = (_GROUP, "Server")
SETTINGS: Final = Scaleway
FIXED: Final = ()
SIZES_DISK: Final = True
HAS_FIREWALL: Final = True
INSTALLS_KEYS: Final = False
NEEDS_KEY: Final = False
# Not told by Scaleway; the XRD's own limit is below what its metadata service is known to take.
USER_DATA_LIMIT: Final = 0

_MADE_WITH: Final = ("name", "projectId", "image", "ipIdRef", "userData")


def live(server: ObservedResource) -> Live:
    """Read what the observed machine is."""
    root = server.at("spec", "forProvider", "rootVolume")
    first = root[0] if isinstance(root, list) and root else None
    size = first.get("sizeInGb") if isinstance(first, dict) else None
    return Live(
        region=server.text("spec", "forProvider", "zone"),
        disk_gb=size if isinstance(size, int) else None,
        guarded=server.at("status", "atProvider", "protected") is True,
    )


def disk_size(disk: ObservedResource) -> int:
    """Read how big an observed data disk is."""
    return disk.number("spec", "forProvider", "sizeInGb") or 0


def machine(order: Order[Scaleway], observed: Observed, request: Request) -> Machine:  # noqa: ARG001  # every provider is asked alike
    """Compose the firewall, the address and the disks, then the machine that refers to them."""
    seen = observed.get(order.server)
    attached = ids(seen.at("status", "atProvider", "additionalVolumeIds")) if seen else frozenset()
    resources = [_group(order, observed)]
    if order.made_of["spec.public"] == "true" or (seen is not None and _IP in observed):
        resources.append(_ip(order, observed))
    resources += _disks(order, observed, attached)
    if seen is not None or order.user_data:
        resources += [_server(order, observed), *_nic(order, observed)]
    return Machine(
        resources=resources,
        plan=order.settings.sizes[order.claim.size].type,
        public=observed[_IP].text("status", "atProvider", "address") if _IP in observed else "",
        private=_private(observed.get(_nic_key(order))),
        attached=attached_names(order, observed, attached),
    )


def _server(order: Order[Scaleway], observed: Observed) -> Resource:
    seen = observed.get(order.server)
    volumes = [observed[disk.key].text("status", "atProvider", "id") for disk in order.disks if disk.key in observed]
    wanted, protected = order.settings.sizes[order.claim.size].type, order.protected
    runs = seen.text("status", "atProvider", "type") if seen else ""
    if seen is not None and runs not in {"", wanted}:
        # A protected machine cannot be stopped, and another type needs that: the protection goes first, and comes back last.
        wanted, protected = (runs if live(seen).guarded else wanted), False
    parameters = {
        **(kept(seen, _MADE_WITH) if seen else _made_with(order)),
        "zone": order.region,
        "type": wanted,
        "rootVolume": [{"volumeType": "sbs_volume", "sizeInGb": order.disk_gb, "deleteOnTermination": True}],
        "additionalVolumeIds": [volume for volume in volumes if volume],
        "enableDynamicIp": False,
        "securityGroupIdRef": {"name": order.called("firewall")},
        "protected": protected,
        "tags": _tags(order),
    }
    body = part(order, SERVER_KIND, order.server_name, parameters, seen, deletes=not order.protected, annotations=named(order))
    return server_resource(order, body, seen, seen.text("status", "atProvider", "state") if seen else "", "started")


def _made_with(order: Order[Scaleway]) -> dict[str, object]:
    claim, settings = order.claim, order.settings
    made: dict[str, object] = {
        "name": order.name,
        "image": settings.images[claim.image],
        "userData": {"cloud-init": order.user_data},
    }
    if settings.project is not None:
        made["projectId"] = settings.project
    if claim.public:
        made["ipIdRef"] = {"name": order.called("ip")}
    return made


def _group(order: Order[Scaleway], observed: Observed) -> Resource:
    seen = observed.get(FIREWALL)
    parameters = {
        **_place(order, seen),
        "name": f"{order.namespace}-{order.name}",
        # The cloud's default lets everybody in.
        "inboundDefaultPolicy": "drop",
        "outboundDefaultPolicy": "accept",
        "stateful": True,
        "enableDefaultSecurity": True,
        "inboundRule": [_rule(rule) for rule in order.rules],
        "tags": _tags(order),
    }
    body = part(order, (_GROUP, "SecurityGroup"), order.called("firewall"), parameters, seen, deletes=True)
    return judged(FIREWALL, body, seen)


def _rule(rule: Rule) -> dict[str, object]:
    allowed: dict[str, object] = {"action": "accept", "protocol": rule.protocol.upper(), "ipRange": rule.cidr}
    if rule.first and rule.first == rule.last:
        allowed["port"] = rule.first
    elif rule.first:
        allowed["portRange"] = rule.ports
    return allowed


def _ip(order: Order[Scaleway], observed: Observed) -> Resource:
    seen = observed.get(_IP)
    body = part(
        order,
        (_GROUP, "IP"),
        order.called("ip"),
        {**_place(order, seen), "type": "routed_ipv4", "tags": _tags(order)},
        seen,
        deletes=True,
    )
    return judged(_IP, body, seen)


def _nic_key(order: Order[Scaleway]) -> str:
    return f"nic.{order.replaces}" if order.replaces else "nic"


def _nic(order: Order[Scaleway], observed: Observed) -> list[Resource]:
    key = _nic_key(order)
    seen = observed.get(key)
    if seen is None and order.network is None:
        return []
    made_with = kept(seen, ("privateNetworkId",)) if seen else {"privateNetworkId": order.network.id if order.network else ""}
    body = part(
        order,
        (_GROUP, "PrivateNIC"),
        order.server_name,
        {**made_with, "zone": order.region, "serverIdRef": {"name": order.server_name}, "tags": _tags(order)},
        seen,
        deletes=True,
    )
    return [judged(key, body, seen)]


def _disks(order: Order[Scaleway], observed: Observed, attached: frozenset[str]) -> list[Resource]:
    made = []
    for disk in order.disks:
        seen = observed.get(disk.key)
        parameters = {
            **_place(order, seen),
            "name": f"{order.namespace}-{order.name}-{disk.name}",
            "sizeInGb": disk.size_gb,
            **(kept(seen, ("iops",)) if seen else {"iops": order.settings.volume_iops}),
            "tags": _tags(order),
        }
        body = part(
            order,
            ("block.scaleway.m.upbound.io/v1alpha1", "Volume"),
            order.called("disk", disk.name),
            parameters,
            seen,
            deletes=not order.disks_protected,
        )
        made.append(disk_resource(disk, body, seen, attached))
    return made


def _place(order: Order[Scaleway], seen: ObservedResource | None) -> dict[str, object]:
    """Return zone and project, the live project first."""
    if seen is not None:
        return {"zone": order.region, **kept(seen, ("projectId",))}
    return {"zone": order.region, **({"projectId": order.settings.project} if order.settings.project is not None else {})}


def _private(nic: ObservedResource | None) -> str:
    addresses = nic.at("status", "atProvider", "privateIps") if nic else None
    for entry in addresses if isinstance(addresses, list) else ():
        address = entry.get("address") if isinstance(entry, dict) else None
        if isinstance(address, str) and "." in address:
            return address
    return ""


def _tags(order: Order[Scaleway]) -> list[str]:
    return ["managed-by=gravitek", f"namespace={order.namespace}", f"claim={order.name}"]
