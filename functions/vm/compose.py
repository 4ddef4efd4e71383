"""From a VM claim to resources: settle the order, let the provider make the machine, add what is the same everywhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from functions.kit import conditions, guard, protection
from functions.kit.composition import Composition, Resource
from functions.kit.conditions import Condition
from functions.kit.observed import Observed
from functions.kit.progress import provisioned
from functions.kit.request import Request, check_provider
from functions.kit.structs import Json
from functions.vm import claim, exoscale, ovh, scaleway
from functions.vm.machine import SERVER, Machine, Order, Provider
from functions.vm.order import AUTH_KEY, auth_key_requirement, server_key, settle
from functions.vm.parts import deletable

PROVIDERS: Final[Mapping[str, Provider]] = {"exoscale": exoscale, "ovh": ovh, "scaleway": scaleway}

# What may go when the claim no longer wants it. A machine goes when another replaces it and a disk when it is taken off the list;
# settle has refused every other way.
_MAY_GO: Final = (SERVER, "disk.", "rule.", "ssh-key.", "ip", "nic", protection.NAME)


def compose(request: Request) -> Composition:
    """Compose a VM claim.

    Raises:
        Refusal: Where the claim must not be composed as it is.
    """
    check_provider(request, PROVIDERS)
    provider, observed = PROVIDERS[request.provider], request.observed
    live = server_key(observed)
    guard.refuse_switch(request.provider, live, provider.SERVER_KIND, observed)
    wanted = claim.read(request)
    order = settle(request, provider, wanted)
    machine = provider.machine(order, observed, request)
    resources = [*machine.resources]
    if wanted.deletion_protection or _holds(provider, live, observed):
        resources.append(protection.of_claim(request, order.labels))
    guard.refuse_removal(resources, observed, may_go=_MAY_GO)
    condition = _provisioned(request, order, resources)
    return Composition(
        resources=resources,
        status=_status(request, order, machine),
        conditions=[Condition(conditions.ACCEPTED, status=True, reason=conditions.VALID), condition],
        requirements=auth_key_requirement(request, wanted),
        # Not by the condition Provisioned: a change that a cloud refuses leaves the machine usable.
        ready=any(resource.name == order.server for resource in resources) and all(resource.ready for resource in resources),
    )


def _holds(provider: Provider, live: str, observed: Observed) -> bool:
    """Tell whether something would outlive the claim: then it stays protected, or its deletion would end half done."""
    if live in observed and provider.live(observed[live]).guarded:
        return True
    return any(not deletable(observed[key]) for key in observed if key == live or key.startswith("disk."))


def _provisioned(request: Request, order: Order[Any], resources: Sequence[Resource]) -> Condition:
    ref = order.claim.tailscale.auth_key_secret_ref
    made = any(resource.name == order.server for resource in resources)
    if ref is not None and not order.user_data and (order.outgoing or not made):
        message = f"waiting for the Secret {ref.name} with the tailnet's auth key under {ref.key}, to make the machine"
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.WAITING, message=message)
    if order.outgoing:
        message = "the machine is replaced as soon as the cloud lets it be deleted"
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.REPLACING, message=message)
    told = provisioned(resources)
    if told.status and ref is not None and request.required(AUTH_KEY) is not None:
        message = f"delete the Secret {ref.name} once the machine is in the tailnet: its key stands in the machine's user data"
        return told._replace(message=message)
    return told


def _status(request: Request, order: Order[Any], machine: Machine) -> dict[str, Json]:
    status: dict[str, Json] = {
        "provider": request.provider,
        "size": order.claim.size,
        "region": order.region,
        "plan": machine.plan,
        "image": order.made_of["spec.image"],
        "settings": request.settings.origin,
    }
    # While a machine is about to be replaced, the number that asked for it must stay current.
    accepted = request.status_number("observedGeneration") if order.outgoing else request.generation
    if accepted:
        status["observedGeneration"] = accepted
    addresses: dict[str, Json] = {"public": machine.public, "private": machine.private}
    if any(addresses.values()):
        status["addresses"] = {kind: address for kind, address in addresses.items() if address}
    if order.disks:
        status["dataDisks"] = [
            {"name": disk.name, "sizeGB": disk.size_gb, "attached": disk.name in machine.attached} for disk in order.disks
        ]
    return status
