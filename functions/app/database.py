"""Databases of an App: PostgreSQL claims, their bindings, and how these come to the pods.

A binding is mounted as the Service Binding specification says: its keys are files under $SERVICE_BINDING_ROOT/NAME.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from functions.app import secrets
from functions.app.claim import BINDING_ROOT, BINDINGS, Database
from functions.app.order import DATABASE, Order, Part
from functions.kit import names
from functions.kit.binding import NEEDED, POSTGRESQL
from functions.kit.composition import Requirement, Resource
from functions.kit.manifests import manifest
from functions.kit.observed import ObservedResource
from functions.kit.progress import judged
from functions.kit.refusal import NAME_TAKEN, NOT_OFFERED, WOULD_REMOVE, Refusal, not_changeable
from functions.kit.request import Request
from functions.kit.secrets import value

CLAIM: Final = ("platform.gravitek.io/v1alpha1", "PostgreSQL")

_PUSH_SECRET: Final = ("external-secrets.io/v1alpha1", "PushSecret")

# A server in this cluster, which nothing outside of it reaches.
_HERE: Final = "kubernetes"

_PUSHED: Final = ("spec", "selector", "secret", "name")
# So long a changed password may take to each side of a store.
_REFRESH: Final = "5m0s"

_SELECTED: Final = ("spec", "crossplane", "compositionSelector", "matchLabels")


class Binding(NamedTuple):
    """A database of the claim, as far as it has come.

    Attributes:
        database: The claim's entry.
        claim: Name of its PostgreSQL claim.
        secret: Name of its binding Secret, "" until the PostgreSQL claim tells it.
        waits: What the binding waits for, "" once it is complete.
        provider: Who serves it, "" until the binding tells.
        host: The server's name, "" until the binding tells.
    """

    database: Database
    claim: str
    secret: str
    waits: str
    provider: str = ""
    host: str = ""


def own(order: Order, request: Request) -> list[Resource]:
    """Compose the databases of the App's own: PostgreSQL claims beside the App's.

    Raises:
        Refusal: Where one would take over a PostgreSQL claim that somebody else made, or move one that is live.
    """
    resources = []
    _check_handed_over(order)
    for number, database in enumerate(order.claim.databases):
        if database.size is None:
            continue
        key, name = f"{DATABASE}{database.name}", claim_name(order, database)
        seen, provider = order.live.get(key), database.provider or order.provider
        if order.remote and provider == _HERE:
            raise Refusal(
                NOT_OFFERED,
                f"spec.databases[{number}].provider is {provider}, whose databases are reached from this cluster only, and on "
                f"{order.provider} the App runs in another; choose a cloud, or deliver the App on kubernetes",
            )
        if seen is None and request.taken(_claim_key(database)):
            raise Refusal(
                NAME_TAKEN,
                f"spec.databases[{number}] would make the PostgreSQL claim {name}, which exists already and is not this App's; "
                f"bind it with ref: {name} instead of a size, or name the database otherwise",
            )
        was = seen.text(*_SELECTED, "provider") if seen else ""
        if was not in {"", provider}:
            why = f"its database is live on {was} and cannot move"
            raise not_changeable(f"spec.databases[{number}].provider", provider, why, was)
        spec = {
            "crossplane": {"compositionSelector": {"matchLabels": {"provider": provider}}},
            "size": database.size,
            "deletionProtection": order.claim.deletion_protection,
        }
        resource = judged(key, manifest(CLAIM, name, order.labels, spec), seen)
        resources.append(resource._replace(trouble=_told(seen)) if seen and not resource.ready else resource)
    return resources + _leaving(order)


def _check_handed_over(order: Order) -> None:
    """Refuse to bind by ref what the claim gives up: it would be deleted, for nothing else keeps it."""
    wanted = {f"{DATABASE}{database.name}" for database in order.claim.databases if database.size is not None}
    given_up = {order.live[key].text("metadata", "name") for key in order.live if key.startswith(DATABASE) and key not in wanted}
    for number, database in enumerate(order.claim.databases):
        if database.ref in given_up:
            raise Refusal(
                WOULD_REMOVE,
                f"spec.databases[{number}].ref is {database.ref}, which is the App's own and would be deleted with its data, "
                "for no entry gives it a size any more; put its size back instead of ref",
            )


def _leaving(order: Order) -> list[Resource]:
    """Compose databases that the claim gave up until they are no longer protected: nobody else would lift that."""
    wanted = {f"{DATABASE}{database.name}" for database in order.claim.databases if database.size is not None}
    resources = []
    for key in sorted(order.live.keys() - wanted):
        seen = order.live[key]
        if key.startswith(DATABASE) and seen.at("spec", "deletionProtection") is not False:
            spec = {
                "crossplane": {"compositionSelector": {"matchLabels": {"provider": seen.text(*_SELECTED, "provider")}}},
                "size": seen.text("spec", "size"),
                "deletionProtection": False,
            }
            resources.append(Resource(key, manifest(CLAIM, seen.text("metadata", "name"), order.labels, spec), ready=True))
    return resources


def claim_name(order: Order, database: Database) -> str:
    """Return the name of a database's PostgreSQL claim."""
    return database.ref or names.join(order.name, database.name, limit=names.CLAIM_LIMIT)


def requirements(order: Order, bindings: list[Binding]) -> list[Requirement]:
    """Ask for the PostgreSQL claims that are not our own yet, and for the bindings that they name."""
    asked = []
    for binding in bindings:
        database = binding.database
        if database.ref is not None or f"{DATABASE}{database.name}" not in order.live:
            asked.append(Requirement(_claim_key(database), *CLAIM, binding.claim, order.namespace))
        if binding.secret:
            asked.append(Requirement(_secret_key(database), "v1", "Secret", binding.secret, order.namespace))
    return asked


def bindings(order: Order, request: Request) -> list[Binding]:
    """Look how far each database has come."""
    return [_binding(order, request, database) for database in order.claim.databases]


def _binding(order: Order, request: Request, database: Database) -> Binding:
    name = claim_name(order, database)
    own_claim = order.live.get(f"{DATABASE}{database.name}") if database.ref is None else None
    claim = own_claim or _of_this_namespace(order, request.required(_claim_key(database)))
    if claim is None:
        if database.ref is None:
            return Binding(database, name, "", f"the PostgreSQL claim {name} is being made")
        remedy = "make one, or correct ref; an App binds databases of its own namespace only"
        return Binding(database, name, "", f"there is no PostgreSQL claim {name} in the namespace {order.namespace}; {remedy}")
    if order.remote and claim.text("status", "provider") == _HERE:
        raise Refusal(
            NOT_OFFERED,
            f"spec.databases has the PostgreSQL claim {name}, which runs in this cluster and is not reached from the App's on "
            f"{order.provider}; bind one on a cloud, or deliver the App on kubernetes",
        )
    secret = _secret_name(claim, database)
    if not secret:
        told = f"the PostgreSQL claim {name} has no database {database.database}" if database.database else _told(claim)
        return Binding(database, name, "", f"the PostgreSQL claim {name} is not bound yet: {told or 'it has just been made'}")
    given = _of_this_namespace(order, request.required(_secret_key(database)))
    needed = dict.fromkeys([*NEEDED, *(variable.key for variable in database.env)])
    lacks = [key for key in needed if not (given and value(given, key))]
    if given is None or lacks:
        told = _told(claim) or (f"it lacks {', '.join(lacks)}" if given else "it is not written yet")
        return Binding(database, name, secret, f"the Secret {secret} of the PostgreSQL claim {name} is not complete: {told}")
    return Binding(database, name, secret, "", value(given, "provider"), value(given, "host"))


def _of_this_namespace(order: Order, given: ObservedResource | None) -> ObservedResource | None:
    """Take nothing from another namespace, whoever may have asked for it."""
    return given if given and given.text("metadata", "namespace") in {"", order.namespace} else None


def _secret_name(claim: ObservedResource, database: Database) -> str:
    """Read the name of a binding off the status of a PostgreSQL claim."""
    if database.database is None:
        return claim.text("status", "binding", "name")
    listed = {entry.text("name"): entry.text("binding") for entry in claim.objects("status", "databases")}
    return listed.get(database.database, "")


def _told(claim: ObservedResource) -> str:
    return claim.said("Accepted", "Provisioned", "Bound", "Synced", "Ready")


def _claim_key(database: Database) -> str:
    return f"postgresql.{database.name}"


def _secret_key(database: Database) -> str:
    return f"binding.{database.name}"


def handed_over(order: Order, bound: list[Binding]) -> tuple[list[Resource], list[Part]]:
    """Compose what brings bindings into another cluster: never through a spec, but through a store that both read.

    What was handed over stays while pods may still read it: until they are new ones, and while a PostgreSQL claim cannot be read.

    Returns:
        What pushes, in this cluster, and what pulls, in the App's; nothing where the App runs beside its bindings.
    """
    wanted = {binding.secret for binding in bound if order.remote}
    before = [seen.text(*_PUSHED) for key, seen in order.live.items() if key.startswith("push.")]
    kept = {secret for secret in before if "" in wanted or order.may_be_read(secret)}
    both = sorted((wanted | kept) - {""})
    return [_push(order, secret) for secret in both], [pull(order, secret) for secret in both]


def pull(order: Order, secret: str) -> Part:
    """Compose what brings a binding's Secret into the App's cluster.

    The Secret's own name is in every name: another Secret is another handover, complete only once that one has arrived.
    """
    name, key = _handover(order, secret)
    spec = {
        "refreshInterval": _REFRESH,
        "secretStoreRef": order.settings.binding_store.model_dump(),
        "target": {"name": secret, "creationPolicy": "Owner", "template": {"type": POSTGRESQL}},
        "dataFrom": [{"extract": {"key": key}}],
    }
    body = manifest(secrets.EXTERNAL_SECRET, name, order.labels, spec)
    return Part(f"binding.{name.rpartition('-')[2]}", body, secrets.synced, secrets.fails)


def _push(order: Order, secret: str) -> Resource:
    name, key = _handover(order, secret)
    spec = {
        "secretStoreRefs": [order.settings.binding_store.model_dump()],
        "refreshInterval": _REFRESH,
        "deletionPolicy": "Delete",
        "selector": {"secret": {"name": secret}},
        "data": [{"match": {"remoteRef": {"remoteKey": key}}}],
    }
    pushed = f"push.{name.rpartition('-')[2]}"
    seen = order.live.get(pushed)
    waits = secrets.synced(seen) if seen else ""
    ready = seen is not None and not waits
    return Resource(
        pushed, manifest(_PUSH_SECRET, name, order.labels, spec), ready, waits or (secrets.fails(seen) if seen else "")
    )


def _handover(order: Order, secret: str) -> tuple[str, str]:
    """Return the name of the objects, and the key in the store."""
    key = names.unshared("binding", order.settings.cluster, order.namespace, order.name, secret)
    return names.unshared(order.name, "binding", secret), key


def env(bound: list[Binding]) -> list[dict[str, object]]:
    """Return the environment variables of bindings: where their files are, and what the claim names."""
    found: list[dict[str, object]] = [{"name": BINDING_ROOT, "value": BINDINGS}] if bound else []
    for binding in bound:
        found += [
            {"name": variable.name, "valueFrom": {"secretKeyRef": {"name": binding.secret, "key": variable.key}}}
            for variable in binding.database.env
        ]
    return found


def volumes(bound: list[Binding]) -> list[Mapping[str, object]]:
    """Return the pod's volumes with bindings."""
    return [
        {"name": f"binding-{binding.database.name}", "secret": {"secretName": binding.secret, "defaultMode": 0o440}}
        for binding in bound
    ]


def mounts(bound: list[Binding]) -> list[Mapping[str, object]]:
    """Return where a container finds bindings."""
    return [
        {"name": f"binding-{binding.database.name}", "mountPath": f"{BINDINGS}/{binding.database.name}", "readOnly": True}
        for binding in bound
    ]
