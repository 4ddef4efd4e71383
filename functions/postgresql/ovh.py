"""PostgreSQL on OVH: edixos/provider-ovh v2.13.2."""

from typing import Final

from functions.kit import names
from functions.kit.manifests import managed
from functions.kit.observed import Observed, ObservedResource
from functions.kit.progress import judged
from functions.kit.refusal import NOT_OFFERED, Refusal, not_changeable
from functions.kit.request import Request
from functions.kit.settings import ovh_project
from functions.postgresql.server import ADMIN, SERVER, Credentials, Live, Order, Server, admin_secret
from functions.postgresql.settings import OVH, OVHSize

SERVER_KIND: Final = ("databases.ovh.m.edixos.io/v1alpha1", "ProjectDatabase")
SETTINGS: Final = OVH
FOUND_BY_NAME: Final = False
HAS_STORAGE: Final = True
SETS_RETENTION: Final = False
UPGRADES: Final = True
NEEDS_CIDRS: Final = True

_USER: Final = "administrator"
_ADMINISTRATOR: Final = "avnadmin"


def live(server: ObservedResource) -> Live:
    """Read what the observed server is."""
    nodes = server.at("spec", "forProvider", "nodes")
    first = nodes[0] if isinstance(nodes, list) and nodes else None
    region = first.get("region") if isinstance(first, dict) else None
    return Live(
        region=region if isinstance(region, str) else "",
        version=server.text("status", "atProvider", "version") or server.text("spec", "forProvider", "version"),
        storage_gb=server.number("spec", "forProvider", "diskSize"),
    )


def server(order: Order[OVH], observed: Observed, request: Request) -> Server:  # every provider is asked alike
    """Compose the server, its administrator and the Secret for provider-sql.

    The administrator `avnadmin` comes with the server; the resource of that name resets its password, which OVH tells only then.
    """
    claim, settings = order.claim, order.settings
    size = settings.sizes[claim.size]
    storage = order.storage_gb or size.storage_gb
    if storage < size.storage_gb:
        raise Refusal(
            NOT_OFFERED,
            f"spec.storageGB is {storage}; {claim.size} has {size.storage_gb} on ovh, which come with its flavor {size.flavor}; "
            f"write {size.storage_gb} or more, or leave it out",
        )
    seen = observed.get(SERVER)
    if seen is not None:
        _check_size(claim.size, size, seen)
    name = names.join(order.name, "pg")
    # Where a server lives is asked of the server first: edited settings must not make a second one elsewhere.
    project = (seen.text("spec", "forProvider", "serviceName") if seen else "") or ovh_project(request.settings, settings.project)
    config = (seen.text("spec", "providerConfigRef", "name") if seen else "") or settings.provider_config
    parameters: dict[str, object] = {
        "serviceName": project,
        "description": f"{order.namespace}/{order.name}",
        "engine": "postgresql",
        "version": claim.version,
        "plan": size.plan,
        "flavor": size.flavor,
        "nodes": [{"region": order.region}] * size.nodes,
        "backupTime": f"{claim.backup.time or settings.backup_time}:00",
        "maintenanceTime": f"{claim.maintenance.time or settings.maintenance_time}:00",
        "deletionProtection": order.protected,
        "ipRestrictions": [{"ip": cidr, "description": "gravitek"} for cidr in order.cidrs],
        "diskSize": storage,
    }
    if claim.settings:
        parameters["advancedConfiguration"] = {f"pg.{key}": text for key, text in sorted(claim.settings.items())}
    deletes = not order.protected
    body = managed(SERVER_KIND, name, order.labels, parameters, provider_config=config, deletes=deletes, secret=f"{name}-server")
    user = managed(
        ("databases.ovh.m.edixos.io/v1alpha1", "ProjectDatabasePostgresqlUser"),
        f"{name}-administrator",
        order.labels,
        {"serviceName": project, "clusterIdRef": {"name": name}, "name": _ADMINISTRATOR},
        provider_config=config,
        deletes=False,
        secret=f"{name}-administrator",
    )
    seen_user = observed.get(_USER)
    endpoint = _endpoint(seen) if seen else None
    password = seen_user.connection("attribute.password") if seen_user else ""
    admin = admin_secret(order, observed, endpoint, _ADMINISTRATOR, password)
    state = seen.text("status", "atProvider", "status") if seen else ""
    main = judged(SERVER, body, seen, ready=seen is not None and seen.is_true("Ready") and state == "READY")
    if not main.trouble and state not in {"", "READY"}:
        main = main._replace(trouble=f"ovh reports {state}")
    # OVH tells the password once; what we made of it then is as good.
    user_ready = seen_user is not None and seen_user.is_true("Ready") and (bool(password) or ADMIN in observed)
    return Server(
        resources=[main, judged(_USER, user, seen_user, ready=user_ready), *admin],
        plan=f"{size.plan} {size.flavor}",
        endpoint=endpoint,
        credentials=Credentials(f"{name}-{ADMIN}", username=_ADMINISTRATOR, database="defaultdb"),
        reachable=bool(admin),
        guarded=seen is not None and seen.at("status", "atProvider", "deletionProtection") is True,
        warnings=["spec.maintenance.day is not used: ovh knows only a time"] if claim.maintenance.day else [],
    )


def _endpoint(server: ObservedResource) -> tuple[str, int] | None:
    endpoints = server.at("status", "atProvider", "endpoints")
    for entry in endpoints if isinstance(endpoints, list) else []:
        if isinstance(entry, dict) and entry.get("component") == "postgresql":
            host, port = entry.get("domain"), entry.get("port")
            if isinstance(host, str) and host and isinstance(port, int):
                return host, port
    return None


def _check_size(size_name: str, size: OVHSize, server: ObservedResource) -> None:
    """Check that OVH can make the live server into this size: it can only grow, and never in nodes."""
    nodes = server.at("spec", "forProvider", "nodes")
    live_nodes = len(nodes) if isinstance(nodes, list) else size.nodes
    if live_nodes != size.nodes:
        why = f"the server has {live_nodes} node(s) where that size has {size.nodes}, and ovh fixes their number for ever"
        raise not_changeable("spec.size", size_name, why, "the old size")
    was = server.text("spec", "forProvider", "flavor")
    if _memory(was) > _memory(size.flavor):
        why = f"the server has flavor {was}, that size {size.flavor}, and ovh makes no server smaller"
        raise not_changeable("spec.size", size_name, why, "the old size")


def _memory(flavor: str) -> int:
    """Read the GB of memory off a flavor's name, such as db1-15 or b3-16."""
    digits = flavor.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0  # noqa: PLR2004  # no flavor has a TB
