"""PostgreSQL on Scaleway: scaleway/crossplane-provider-scaleway v0.6.0.

The administrator's password is made by External Secrets in the cluster: never in Git, never in a spec.
"""

from typing import Final

from functions.kit import names
from functions.kit.composition import Resource
from functions.kit.manifests import managed, manifest
from functions.kit.observed import Observed, ObservedResource
from functions.kit.progress import judged
from functions.kit.refusal import NOT_OFFERED, Refusal, not_changeable
from functions.kit.request import Request
from functions.postgresql.server import ADMIN, SERVER, Credentials, Live, Order, Server, admin_secret
from functions.postgresql.settings import Scaleway

SERVER_KIND: Final = ("rdb.scaleway.m.upbound.io/v1alpha1", "Instance")
SETTINGS: Final = Scaleway
FOUND_BY_NAME: Final = False
HAS_STORAGE: Final = True
SETS_RETENTION: Final = True
# A new major version is a new instance there, and what was written in the meantime is lost.
UPGRADES: Final = False
# Without an ACL the whole internet may knock.
NEEDS_CIDRS: Final = True

_PASSWORD_KIND: Final = ("generators.external-secrets.io/v1alpha1", "Password")
_GENERATOR: Final = "password-generator"
_PASSWORD: Final = "password"  # noqa: S105  # a resource's name
_ACL: Final = "acl"
_ADMINISTRATOR: Final = "gravitek"


def live(server: ObservedResource) -> Live:
    """Read what the observed server is."""
    parameters = ("spec", "forProvider")
    return Live(
        region=server.text(*parameters, "region"),
        version=server.text(*parameters, "engine").rpartition("-")[2],
        storage_gb=server.number(*parameters, "volumeSizeInGb"),
    )


def server(order: Order[Scaleway], observed: Observed, request: Request) -> Server:  # noqa: ARG001  # every provider is asked alike
    """Compose the password, then the server with its ACL, then the Secret for provider-sql."""
    claim, size = order.claim, order.settings.sizes[order.claim.size]
    seen, seen_password, seen_acl = observed.get(SERVER), observed.get(_PASSWORD), observed.get(_ACL)
    if order.storage_gb is None or order.storage_gb % 5:
        raise Refusal(NOT_OFFERED, f"spec.storageGB is {order.storage_gb}; scaleway sells multiples of 5; round it up")
    if seen is not None and seen.at("spec", "forProvider", "isHaCluster") is True and not size.high_availability:
        why = "the server is highly available, that size is a single node, and scaleway cannot take that back"
        raise not_changeable("spec.size", claim.size, why, "the old size")
    name = names.join(order.name, "pg")
    config = (seen.text("spec", "providerConfigRef", "name") if seen else "") or order.settings.provider_config
    resources = _password(order, f"{name}-password", observed)
    # A server made before the Secret exists has no password, and the provider does not say so.
    if seen is not None or (seen_password is not None and seen_password.is_true("Ready")):
        body = managed(
            SERVER_KIND,
            name,
            order.labels,
            _parameters(order, seen),
            provider_config=config,
            deletes=not order.protected,
            secret=f"{name}-server",
        )
        acl = managed(
            ("rdb.scaleway.m.upbound.io/v1alpha1", "ACL"),
            name,
            order.labels,
            {
                "region": order.region,
                "instanceIdRef": {"name": name},
                "aclRules": [{"ip": cidr, "description": "gravitek"} for cidr in order.cidrs],
            },
            provider_config=config,
            # While the server lives, so does its ACL: without one it is open to the world.
            deletes=False,
        )
        resources += [judged(SERVER, body, seen), judged(_ACL, acl, seen_acl)]
    endpoint = _endpoint(seen) if seen else None
    # The provider repeats the password that it was given, so the generated Secret need not be read.
    admin = admin_secret(order, observed, endpoint, _ADMINISTRATOR, seen.connection("attribute.password") if seen else "")
    return Server(
        resources=[*resources, *admin],
        plan=size.node_type + (" HA" if size.high_availability else ""),
        endpoint=endpoint,
        credentials=Credentials(f"{name}-{ADMIN}", username=_ADMINISTRATOR, database="rdb"),
        # Roles only behind the ACL: until it is set, the world may knock.
        reachable=bool(admin) and seen_acl is not None and seen_acl.is_true("Ready"),
        ca=seen.text("status", "atProvider", "certificate") if seen else "",
        warnings=_warnings(order),
    )


def _password(order: Order[Scaleway], name: str, observed: Observed) -> list[Resource]:
    # Scaleway wants lower and upper case, a digit and a symbol; none of these symbols needs escaping in a URI.
    rules = {"length": 32, "digits": 6, "symbols": 4, "symbolCharacters": "-_.~", "noUpper": False, "allowRepeat": True}
    generator = manifest(_PASSWORD_KIND, name, order.labels, rules)
    source = {"apiVersion": _PASSWORD_KIND[0], "kind": _PASSWORD_KIND[1], "name": name}
    target = {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"}
    # Made once: another password would lock us out of the server.
    made = {"refreshPolicy": "CreatedOnce", "target": target, "dataFrom": [{"sourceRef": {"generatorRef": source}}]}
    secret = manifest(("external-secrets.io/v1", "ExternalSecret"), name, order.labels, made)
    seen = observed.get(_GENERATOR)
    return [
        judged(_GENERATOR, generator, seen, ready=seen is not None),
        judged(_PASSWORD, secret, observed.get(_PASSWORD)),
    ]


def _parameters(order: Order[Scaleway], seen: ObservedResource | None) -> dict[str, object]:
    claim, settings = order.claim, order.settings
    size, name = settings.sizes[claim.size], names.join(order.name, "pg")
    # Where a server lives and on what is asked of the server first: edited settings must not make a second one elsewhere.
    found = seen.at("spec", "forProvider") if seen else None
    live = found if isinstance(found, dict) else {}
    project = live.get("projectId", settings.project)
    parameters: dict[str, object] = {
        "name": f"{order.namespace}-{order.name}",
        "region": order.region,
        "engine": f"PostgreSQL-{claim.version}",
        "nodeType": size.node_type,
        "isHaCluster": size.high_availability,
        "volumeType": live.get("volumeType", size.volume_type),
        "volumeSizeInGb": order.storage_gb,
        "userName": _ADMINISTRATOR,
        "passwordSecretRef": {"name": f"{name}-password", "key": "password"},
        "encryptionAtRest": True,
        "disableBackup": False,
        "backupScheduleFrequency": 24,
        "backupScheduleRetention": claim.backup.retention_days or settings.backup_retention_days,
        "tags": ["managed-by=gravitek", f"namespace={order.namespace}", f"claim={order.name}"],
    }
    if project is not None:
        parameters["projectId"] = project
    if claim.settings:
        parameters["settings"] = claim.settings
    return parameters


def _endpoint(server: ObservedResource) -> tuple[str, int] | None:
    balancers = server.at("status", "atProvider", "loadBalancer")
    first = balancers[0] if isinstance(balancers, list) and balancers else None
    if not isinstance(first, dict):
        return None
    # The host name is often null there, so the address it is.
    host, port = first.get("ip"), first.get("port")
    return (host, port) if isinstance(host, str) and host and isinstance(port, int) else None


def _warnings(order: Order[Scaleway]) -> list[str]:
    maintenance = order.claim.maintenance
    unused = {"spec.backup.time": order.claim.backup.time, "spec.maintenance": maintenance.day or maintenance.time}
    return [f"{field} is not used: scaleway chooses the time itself" for field, given in unused.items() if given]
