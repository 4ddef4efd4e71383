"""VMs on Exoscale: exoscale/provider-exoscale v0.1.0."""

from typing import Final

from functions.kit import names
from functions.kit.composition import Resource
from functions.kit.observed import Observed, ObservedResource
from functions.kit.progress import judged
from functions.kit.request import Request
from functions.kit.structs import Json
from functions.vm.firewall import Rule
from functions.vm.machine import FIREWALL, Live, Machine, Order
from functions.vm.parts import attached_names, disk_resource, id_of, ids, kept, named, part, server_resource
from functions.vm.settings import Exoscale

_GROUP: Final = "compute.exoscale.m.exoscale.ch/v1alpha1"

SERVER_KIND: Final = (_GROUP, "Instance")
SETTINGS: Final = Exoscale
FIXED: Final = ()
SIZES_DISK: Final = True
HAS_FIREWALL: Final = True
# Without a key of its own Exoscale would make a password.
INSTALLS_KEYS: Final = True
NEEDS_KEY: Final = False
# terraform-provider-exoscale 0.68.0, pkg/resources/instance.
USER_DATA_LIMIT: Final = 32_768

# What is given to a machine when it is made, and never again: a refreshed template must not be asked of a live one.
_MADE_WITH: Final = ("name", "templateId", "private", "networkInterface", "sshKeysRefs", "userData")


def live(server: ObservedResource) -> Live:
    """Read what the observed machine is."""
    return Live(
        region=server.text("spec", "forProvider", "zone"),
        disk_gb=server.number("spec", "forProvider", "diskSize"),
        guarded=server.at("status", "atProvider", "destroyProtected") is True,
    )


def disk_size(disk: ObservedResource) -> int:
    """Read how big an observed data disk is."""
    return disk.number("spec", "forProvider", "size") or 0


def machine(order: Order[Exoscale], observed: Observed, request: Request) -> Machine:
    """Compose the firewall, the keys and the disks, then the machine that refers to them."""
    seen = observed.get(order.server)
    attached = ids(seen.at("status", "atProvider", "blockStorageVolumeIds")) if seen else frozenset()
    resources = [_group(order, observed), *(_rule(order, rule, observed) for rule in order.rules)]
    resources += [_key(order, digest, key, observed) for digest, key in order.claim.keys.items()]
    resources += _disks(order, observed, attached)
    if seen is not None or order.user_data:
        resources.append(_server(order, observed, request))
    return Machine(
        resources=resources,
        plan=order.settings.sizes[order.claim.size].type,
        public=seen.text("status", "atProvider", "publicIpAddress") if seen else "",
        private=_private(seen) if seen else "",
        attached=attached_names(order, observed, attached),
    )


def _server(order: Order[Exoscale], observed: Observed, request: Request) -> Resource:
    seen = observed.get(order.server)
    volumes: list[Json] = [
        id_of(observed[disk.key]) for disk in order.disks if disk.key in observed and id_of(observed[disk.key])
    ]
    parameters = {
        **(kept(seen, _MADE_WITH) if seen else _made_with(order, request)),
        "zone": order.region,
        "type": order.settings.sizes[order.claim.size].type,
        "diskSize": order.disk_gb,
        "ipv6": False,
        "securityGroupIdsRefs": [{"name": order.called("firewall")}],
        "blockStorageVolumeIds": volumes,
        "destroyProtected": order.protected,
        "labels": _cloud_labels(order),
    }
    body = part(order, SERVER_KIND, order.server_name, parameters, seen, deletes=not order.protected, annotations=named(order))
    return server_resource(order, body, seen, seen.text("status", "atProvider", "state") if seen else "", "running")


def _made_with(order: Order[Exoscale], request: Request) -> dict[str, object]:
    claim, settings = order.claim, order.settings
    template = settings.template_ids.get(order.region, {}).get(claim.image)
    if template is None:
        raise request.settings.missing(
            f"templateIds.{order.region}.{claim.image}",
            f'the id of the template "{settings.images[claim.image]}": exo compute instance-template list --zone {order.region}',
        )
    made: dict[str, object] = {
        "name": order.name,
        "templateId": template,
        "private": not claim.public,
        "userData": order.user_data,
    }
    if order.network is not None:
        made["networkInterface"] = [{"networkId": order.network.id}]
    if claim.ssh_keys:
        made["sshKeysRefs"] = [{"name": _key_name(order, digest)} for digest in claim.keys]
    return made


def _group(order: Order[Exoscale], observed: Observed) -> Resource:
    seen = observed.get(FIREWALL)
    given = seen.text("spec", "forProvider", "name") if seen else ""
    parameters = {
        "name": given or names.unshared(order.settings.cluster, order.namespace, order.name),
        "description": f"VM {order.name} of namespace {order.namespace}",
    }
    body = part(order, (_GROUP, "SecurityGroup"), order.called("firewall"), parameters, seen, deletes=True)
    return judged(FIREWALL, body, seen)


def _rule(order: Order[Exoscale], rule: Rule, observed: Observed) -> Resource:
    key = f"rule.{rule.name}"
    seen = observed.get(key)
    ports = {"icmpType": 8, "icmpCode": 0} if rule.protocol == "icmp" else {"startPort": rule.first, "endPort": rule.last}
    parameters = {
        "securityGroupIdRef": {"name": order.called("firewall")},
        "type": "INGRESS",
        "protocol": rule.protocol.upper(),
        "cidr": rule.cidr,
        **ports,
    }
    body = part(order, (_GROUP, "SecurityGroupRules"), order.called("rule", rule.name), parameters, seen, deletes=True)
    return judged(key, body, seen)


def _key(order: Order[Exoscale], digest: str, public_key: str, observed: Observed) -> Resource:
    key = f"ssh-key.{digest}"
    seen = observed.get(key)
    name = (seen.text("metadata", "name") if seen else "") or _key_name(order, digest)
    parameters = {"publicKey": public_key}
    body = part(order, (_GROUP, "SSHKey"), name, parameters, seen, deletes=True, external_name=name)
    return judged(key, body, seen)


def _key_name(order: Order[Exoscale], digest: str) -> str:
    """Return a key's name, which is unique in the whole Exoscale organisation."""
    return names.unshared(order.settings.cluster, order.namespace, order.name, digest)


def _disks(order: Order[Exoscale], observed: Observed, attached: frozenset[str]) -> list[Resource]:
    made = []
    for disk in order.disks:
        seen = observed.get(disk.key)
        parameters = {
            "name": f"{order.namespace}-{order.name}-{disk.name}",
            "zone": order.region,
            "size": disk.size_gb,
            "labels": _cloud_labels(order),
        }
        body = part(
            order,
            (_GROUP, "BlockStorageVolume"),
            order.called("disk", disk.name),
            parameters,
            seen,
            deletes=not order.disks_protected,
        )
        made.append(disk_resource(disk, body, seen, attached))
    return made


def _private(server: ObservedResource) -> str:
    interfaces = server.at("status", "atProvider", "networkInterface")
    first = interfaces[0] if isinstance(interfaces, list) and interfaces else None
    address = first.get("ipAddress") if isinstance(first, dict) else None
    return address if isinstance(address, str) else ""


def _cloud_labels(order: Order[Exoscale]) -> dict[str, str]:
    return {"managed-by": "gravitek", "namespace": order.namespace, "claim": order.name}
