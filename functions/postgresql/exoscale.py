"""PostgreSQL on Exoscale.

The official provider tells neither host nor port, so the server is vshn/provider-exoscale's cluster-scoped `PostgreSQL`
(`exoscale.crossplane.io/v1`, v1.0.2) inside a namespaced `Object` of provider-kubernetes.
"""

import json
from typing import Final

from functions.kit import names
from functions.kit.composition import Requirement, Resource
from functions.kit.manifests import managed
from functions.kit.observed import Observed, ObservedResource
from functions.kit.request import Request
from functions.kit.secrets import value
from functions.kit.structs import Json
from functions.postgresql.server import ADMIN, SERVER, Credentials, Live, Order, Server
from functions.postgresql.settings import Exoscale

SERVER_KIND: Final = ("kubernetes.m.crossplane.io/v1alpha1", "Object")
SETTINGS: Final = Exoscale
FOUND_BY_NAME: Final = True
HAS_STORAGE: Final = False
SETS_RETENTION: Final = False
UPGRADES: Final = False
NEEDS_CIDRS: Final = True

_WRAPPED: Final = ("spec", "forProvider", "manifest")
_REMOTE: Final = ("status", "atProvider", "manifest")

# The keys of the connection Secret: vshn/provider-exoscale, operator/postgresqlcontroller/observe.go.
_KEYS: Final = {
    "endpoint": "POSTGRESQL_HOST",
    "port": "POSTGRESQL_PORT",
    "username": "POSTGRESQL_USER",
    "password": "POSTGRESQL_PASSWORD",
}


def live(server: ObservedResource) -> Live:
    """Read what the observed server is: zone and version of the wrapped manifest."""
    parameters = server.inside(*_WRAPPED, "spec", "forProvider")
    runs = server.text(*_REMOTE, "status", "atProvider", "version").partition(".")[0]
    return Live(region=parameters.text("zone"), version=runs or parameters.text("version"))


def server(order: Order[Exoscale], observed: Observed, request: Request) -> Server:
    """Compose the server; its administrator comes with it, in a Secret that the provider writes into the claim's namespace."""
    seen = observed.get(SERVER)
    secret = names.join(order.name, "pg", ADMIN)
    body = managed(
        SERVER_KIND,
        names.join(order.name, "pg"),
        order.labels,
        {"manifest": _manifest(order, secret, seen)},
        # The live one first: another cluster would get a second server.
        provider_config=(seen.text("spec", "providerConfigRef", "name") if seen else "")
        or order.settings.kubernetes_provider_config,
        deletes=not order.protected,
        readiness={"policy": "DeriveFromObject"},
        # Takes effect with provider-kubernetes' --enable-watches; without, an Object is looked at every ten minutes only.
        watch=True,
    )
    ready, guarded, trouble = False, False, ""
    if seen is not None:
        remote = seen.inside(*_REMOTE)
        ready = seen.is_true("Ready") and remote.is_true("Ready")
        guarded = remote.at("status", "atProvider", "terminationProtection") is True
        # The wrapped object knows better than its Object what is wrong.
        trouble = remote.failure() or seen.failure()
        if not ready and not trouble:
            trouble = remote.trouble() or seen.trouble()
    given = request.required(ADMIN)
    host, port, password, ca = ("",) * 4
    if given is not None:
        host, port, password, ca = (
            value(given, key) for key in ("POSTGRESQL_HOST", "POSTGRESQL_PORT", "POSTGRESQL_PASSWORD", "ca.crt")
        )
    return Server(
        resources=[Resource(SERVER, body, ready, trouble)],
        plan=order.settings.sizes[order.claim.size].plan,
        endpoint=(host, int(port)) if host and port.isascii() and port.isdigit() else None,
        credentials=Credentials(secret, username="avnadmin", database="defaultdb", keys=_KEYS),
        reachable=bool(host and port and password),
        ca=ca,
        guarded=guarded,
        requirements=[Requirement(ADMIN, "v1", "Secret", secret, order.namespace)] if seen else [],
    )


def _manifest(order: Order[Exoscale], secret: str, seen: ObservedResource | None) -> dict[str, object]:
    claim, settings = order.claim, order.settings
    # Name and account once given stay, whatever the settings say later: another is another, empty database.
    wrapped = seen.inside(*_WRAPPED) if seen else None
    given_name = wrapped.text("metadata", "name") if wrapped else ""
    given_config = wrapped.text("spec", "providerConfigRef", "name") if wrapped else ""
    parameters = {
        "zone": order.region,
        "size": {"plan": settings.sizes[claim.size].plan},
        "version": claim.version,
        "ipFilter": order.cidrs,
        "backup": {"timeOfDay": f"{claim.backup.time or settings.backup_time}:00"},
        "maintenance": {
            "dayOfWeek": claim.maintenance.day or settings.maintenance_day,
            "timeOfDay": f"{claim.maintenance.time or settings.maintenance_time}:00",
        },
        "terminationProtection": order.protected,
    }
    if claim.settings:
        parameters["pgSettings"] = {key: _typed(text) for key, text in claim.settings.items()}
    return {
        "apiVersion": "exoscale.crossplane.io/v1",
        "kind": "PostgreSQL",
        "metadata": {
            "name": given_name or names.unshared(settings.cluster, order.namespace, order.name),
            "labels": order.labels,
        },
        "spec": {
            "forProvider": parameters,
            "providerConfigRef": {"name": given_config or settings.provider_config},
            "writeConnectionSecretToRef": {"name": secret, "namespace": order.namespace},
        },
    }


def _typed(text: str) -> Json:
    """Exoscale checks server parameters against a JSON schema, where 200 is not "200"."""
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
