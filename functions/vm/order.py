"""Settle what to order: a claim, held against the provider's settings and against what is live."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Final

from functions.kit import guard, secrets
from functions.kit.composition import Requirement
from functions.kit.live import grown, settled_region
from functions.kit.observed import Observed, ObservedResource
from functions.kit.refusal import (
    INVALID_CLAIM,
    NOT_CHANGEABLE,
    NOT_OFFERED,
    SERVER_LOST,
    WOULD_REMOVE,
    Refusal,
    not_offered,
    quote,
)
from functions.kit.request import Request
from functions.vm import cloud_init, firewall
from functions.vm.claim import Claim
from functions.vm.firewall import Rule
from functions.vm.machine import MADE_OF, SERVER, Order, OrderedDisk, Provider, disk_key
from functions.vm.parts import deletable
from functions.vm.settings import PrivateNetwork, ProviderSettings

# What acts when a machine is made and never again, on every cloud.
FIRST_BOOT: Final = ("spec.image", "spec.public", "spec.sshKeys", "spec.userData", "spec.tailscale")

AUTH_KEY: Final = "tailscale"


def settle(request: Request, provider: Provider, claim: Claim) -> Order[Any]:
    """Settle the order.

    Raises:
        Refusal: Where the provider does not offer what the claim wants, or cannot turn what is live into it.
    """
    settings: ProviderSettings[Any] = request.settings.read(provider.SETTINGS)
    if claim.size not in settings.sizes:
        raise not_offered("spec.size", claim.size, request.provider, settings.sizes)
    if claim.disk_gb is not None and not provider.SIZES_DISK:
        raise Refusal(
            NOT_OFFERED,
            f"spec.diskGB is {claim.disk_gb}; on {request.provider} the size decides; remove the field, choose a larger size or "
            "add a data disk",
        )
    rules = firewall.rules(claim.ingress, allow_wide=settings.allow_wide_cidrs)
    facts = _facts(claim, rules, (*FIRST_BOOT, *provider.FIXED))
    key = server_key(request.observed)
    seen = request.observed.get(key)
    number = _number(request, claim, key, seen)
    makes = seen is None or number != number_of(key)
    if makes and claim.image not in settings.images:
        raise not_offered("spec.image", claim.image, request.provider, settings.images)
    user_data = _user_data(request, provider, claim, rules) if makes else ""
    live = provider.live(seen) if seen else None
    outgoing = False
    if seen is not None and live is not None:
        # A machine goes only when the next one can be made, and when deleting its resource deletes it in the cloud too.
        outgoing = makes and not (user_data and deletable(seen) and not live.guarded)
        if outgoing:
            number, facts = number_of(key), {**facts, **_made_of(seen)}
        elif not makes:
            facts = _unchanged(request, facts, _made_of(seen))
    region = settled_region(request, settings.regions, claim.region, live.region if live else "")
    of_size = settings.sizes[claim.size].disk_gb if provider.SIZES_DISK else None
    there = live.disk_gb if live and (outgoing or not makes) else None
    return Order(
        name=request.name,
        namespace=request.namespace,
        labels=guard.labels("vm", request.name, request.provider),
        claim=claim,
        settings=settings,
        region=region,
        server=f"{SERVER}.{number}" if number else SERVER,
        replaces=number,
        made_of=facts,
        disk_gb=grown("spec.diskGB", claim.disk_gb, of_size, there),
        disks=_disks(request, provider, claim),
        rules=rules,
        protected=claim.deletion_protection and not (outgoing and user_data),
        outgoing=outgoing,
        disks_protected=claim.deletion_protection,
        user_data=user_data,
        network=_network(request, settings, claim, region, makes=makes),
    )


def server_key(observed: Observed) -> str:
    """Return the composition resource name of the live machine: the newest, "" where there is none."""
    return max((key for key in observed if key.partition(".")[0] == SERVER), key=number_of, default="")


def number_of(key: str) -> int:
    """Return a machine's number from its composition resource name."""
    number = key.partition(".")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def auth_key_requirement(request: Request, claim: Claim) -> list[Requirement]:
    """Return the requirement of the Secret with the tailnet's auth key, nothing where the claim needs none."""
    ref = claim.tailscale.auth_key_secret_ref
    if not claim.tailscale.enabled or ref is None:
        return []
    return [Requirement(AUTH_KEY, "v1", "Secret", ref.name, request.namespace)]


def _number(request: Request, claim: Claim, key: str, seen: ObservedResource | None) -> int:
    """Settle which machine is wanted: the live one's number, or that of one to replace it."""
    wanted, runs, now = claim.recreate or 0, number_of(key), request.generation
    is_current = 0 < wanted != runs and request.status_number("observedGeneration") <= wanted <= now
    if seen is None:
        address = request.status("addresses", "private") or request.status("addresses", "public")
        if address and not is_current:
            raise Refusal(
                SERVER_LOST,
                f"the machine of this claim had the address {quote(address)}, but its resource is gone; a new machine "
                "would be empty; nothing was changed; bring the resource back (docs/operating.md, Lost servers), or "
                f"set spec.recreate to {_current(now)} for a new one",
            )
        return wanted
    if is_current:
        return wanted
    if wanted > runs:
        back = f"put {runs} back" if runs else "remove it"
        raise Refusal(
            NOT_CHANGEABLE,
            f"spec.recreate is {wanted}; a machine is only replaced at the claim's current generation, so that no old number "
            f"destroys one; write {_current(now)}, or {back}",
        )
    # Not wanted, done already, or a commit that was taken back.
    return runs


def _current(generation: int) -> str:
    return str(generation) if generation else "the claim's metadata.generation"


def _facts(claim: Claim, rules: Iterable[Rule], fields: Iterable[str]) -> dict[str, str]:
    """Return fields as text to remember on the machine; what is long, as a digest."""
    facts = {
        "spec.image": claim.image,
        "spec.size": claim.size,
        "spec.public": "true" if claim.public else "false",
        "spec.sshKeys": _digest(sorted(claim.keys)),
        "spec.userData": _digest(claim.user_data),
        "spec.tailscale": _digest([claim.tailscale.enabled, sorted(claim.tailscale.tags)]),
        "spec.ingress": _digest([*rules]),
    }
    return {field: facts[field] for field in fields}


def _digest(value: object) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _made_of(seen: ObservedResource) -> dict[str, str]:
    """Read what a live machine was made with; a field that it does not tell counts as unchanged."""
    try:
        made = json.loads(seen.text("metadata", "annotations", MADE_OF))
    except (ValueError, RecursionError):
        return {}
    return {key: value for key, value in made.items() if isinstance(value, str)} if isinstance(made, dict) else {}


def _unchanged(request: Request, facts: Mapping[str, str], made: Mapping[str, str]) -> dict[str, str]:
    """Refuse a claim that wants what only a new machine could have."""
    changed = [field for field in facts if made.get(field, facts[field]) != facts[field]]
    if changed:
        raise Refusal(
            NOT_CHANGEABLE,
            f"{' and '.join(_change(field, facts[field], made[field]) for field in changed)}, which a live machine on "
            f"{request.provider} cannot follow; put it back, create a new claim, or set spec.recreate to "
            f"{_current(request.generation)}: that replaces the machine with its root disk and keeps the data disks",
        )
    return {field: made.get(field, facts[field]) for field in facts}


def _change(field: str, given: str, was: str) -> str:
    return f"{field} was changed" if given.startswith("sha256:") else f"{field} is {quote(given)} and was {quote(was)}"


def _disks(request: Request, provider: Provider, claim: Claim) -> tuple[OrderedDisk, ...]:
    """Settle the data disks, and which may go."""
    observed = request.observed
    disks = []
    for number, disk in enumerate(claim.data_disks):
        seen = observed.get(disk_key(disk.name))
        there = provider.disk_size(seen) if seen else None
        size = grown(f"spec.dataDisks[{number}].sizeGB", disk.size_gb, None, there)
        disks.append(OrderedDisk(disk.name, size or disk.size_gb, leaving=False))
    wanted = {disk.key for disk in disks}
    for key in observed:
        seen, name = observed[key], key.removeprefix("disk.")
        if not key.startswith("disk.") or key in wanted or not seen.label(guard.PROVIDER_LABEL):
            continue
        if claim.deletion_protection:
            raise Refusal(
                WOULD_REMOVE,
                f"spec.dataDisks no longer has {quote(name)}, which is live and would be deleted with its data; add it again, or "
                "set spec.deletionProtection to false, too, if the data may go",
            )
        # Until its resource may delete it, letting go would leave the disk behind in the cloud.
        if not deletable(seen):
            disks.append(OrderedDisk(name, provider.disk_size(seen), leaving=True))
    return tuple(sorted(disks))


def _network(
    request: Request, settings: ProviderSettings[Any], claim: Claim, region: str, *, makes: bool
) -> PrivateNetwork | None:
    network = settings.private_networks.get(region)
    if network is None and makes and not claim.public:
        raise request.settings.missing(
            f"privateNetworks.{region}",
            "the network of machines without a public address, which would be out of reach otherwise; or the claim sets "
            "spec.public: true",
        )
    return network


def _user_data(request: Request, provider: Provider, claim: Claim, rules: Iterable[Rule]) -> str:
    """Write the user data of a machine that is to be made, "" while the auth key for it is not there."""
    if provider.NEEDS_KEY and not claim.ssh_keys:
        raise Refusal(INVALID_CLAIM, f"spec.sshKeys is empty; {request.provider} makes no machine without a key; add one")
    parts = [cloud_init.login(() if provider.INSTALLS_KEYS else claim.ssh_keys)]
    if not provider.HAS_FIREWALL:
        parts.append(cloud_init.firewall(rules, tailnet=claim.tailscale.enabled))
    auth_key = ""
    if claim.tailscale.enabled:
        auth_key = _auth_key(request, claim)
        parts.append(cloud_init.tailnet(request.name, claim.tailscale.tags, auth_key))
    whole = cloud_init.user_data(cloud_init.merged(*parts), claim.user_data)
    size = len(b64encode(whole.encode()))
    if size > provider.USER_DATA_LIMIT > 0:
        raise Refusal(
            INVALID_CLAIM,
            f"spec.userData makes {size} bytes with the platform's part, in base64; {request.provider} takes "
            f"{provider.USER_DATA_LIMIT}; shorten it, or let it fetch what is long",
        )
    return whole if auth_key or not claim.tailscale.enabled else ""


def _auth_key(request: Request, claim: Claim) -> str:
    """Read the tailnet's auth key, "" where its Secret is not there; never told in a message."""
    ref, given = claim.tailscale.auth_key_secret_ref, request.required(AUTH_KEY)
    if ref is None or given is None:
        return ""
    auth_key = secrets.value(given, ref.key).strip()
    if not auth_key or not auth_key.isascii() or not auth_key.isprintable() or " " in auth_key:
        raise Refusal(
            INVALID_CLAIM,
            f"the Secret {quote(ref.name)} has no auth key under {quote(ref.key)}; put the text of a key there "
            "that the tailnet's administrator made",
        )
    return auth_key
