"""From a PostgreSQL claim to resources: settle the order, have the provider module make the server, add what is the same everywhere."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from functions.kit import conditions, protection
from functions.kit.addresses import check_cidrs
from functions.kit.composition import Composition, Resource
from functions.kit.conditions import Condition
from functions.kit.observed import Observed
from functions.kit.refusal import (
    NOT_CHANGEABLE,
    NOT_OFFERED,
    OPEN_TO_THE_WORLD,
    PROVIDER_SWITCH,
    WOULD_REMOVE,
    Refusal,
    quote,
)
from functions.kit.request import Request, choose
from functions.kit.structs import Json
from functions.postgresql import claim as claims
from functions.postgresql import exoscale, kubernetes, ovh, scaleway, sql
from functions.postgresql.claim import Claim, Database
from functions.postgresql.server import SERVER, Live, Order, Provider, Server
from functions.postgresql.settings import ProviderSettings

PROVIDERS: Final[Mapping[str, Provider]] = {
    "exoscale": exoscale,
    "ovh": ovh,
    "scaleway": scaleway,
    "kubernetes": kubernetes,
}

PROVIDER_LABEL: Final = "platform.gravitek.io/provider"

# What may go when a claim or the settings no longer want it: it holds no data and opens nothing.
_MAY_GO: Final = ("extension.", protection.NAME, "backup", "metrics")


def compose(request: Request) -> Composition:
    """Compose a PostgreSQL claim.

    Raises:
        Refusal: Where the claim must not be composed as it is.
    """
    choose(PROVIDERS, request)
    provider, observed = PROVIDERS[request.provider], request.observed
    _refuse_switch(request.provider, provider, observed)
    claim = claims.read(request)
    order = _order(request, provider, claim)
    server = provider.server(order, observed, request)
    resources = [*server.resources]
    # Databases come once the server can be reached, and from then on always.
    if server.reachable or sql.CONFIG in observed:
        resources.append(sql.config(order, server.credentials, observed))
        for database in claim.databases:
            resources += sql.database(order, database, server.credentials.username, observed)
    bindings = _bindings(order, server, request)
    resources += bindings
    # The claim stays protected until the cloud has let go too, or its deletion would hang there half done.
    if claim.deletion_protection or server.guarded:
        resources.append(protection.of_claim(request, order.labels))
    _refuse_removal(claim, resources, observed)
    return _answer(request, order, server, resources, bindings)


def _order(request: Request, provider: Provider, claim: Claim) -> Order[Any]:
    settings = request.settings.read(provider.SETTINGS)
    seen = request.observed.get(SERVER)
    live = provider.live(seen) if seen else None
    if claim.size not in settings.sizes:
        raise _not_offered("spec.size", claim.size, request.provider, settings.sizes)
    if claim.version not in settings.versions and not (live and live.version == claim.version):
        raise _not_offered("spec.version", claim.version, request.provider, settings.versions)
    if live:
        _check_version(request.provider, provider, claim, live)
    path = "spec.allowedCIDRs or the settings' platformCIDRs"
    cidrs = check_cidrs(path, (*claim.allowed_cidrs, *settings.platform_cidrs), allow_wide=settings.allow_wide_cidrs)
    if provider.NEEDS_CIDRS and not cidrs:
        raise Refusal(
            OPEN_TO_THE_WORLD,
            f"spec.allowedCIDRs and the settings' platformCIDRs are both empty; {request.provider} needs at least one network that may reach "
            f"the database; the platform team should set data[{request.settings.overlay_key}].platformCIDRs in the EnvironmentConfig "
            "gravitek-platform to the addresses that the cluster's nodes go out with",
        )
    return Order(
        name=request.name,
        namespace=request.namespace,
        labels={
            "app.kubernetes.io/name": "postgresql",
            "app.kubernetes.io/instance": request.name,
            "app.kubernetes.io/managed-by": "gravitek",
            PROVIDER_LABEL: request.provider,
        },
        claim=claim,
        settings=settings,
        region=_region(request, settings, claim, live),
        storage_gb=_storage(request.provider, provider, settings, claim, live),
        cidrs=cidrs,
        protected=claim.deletion_protection,
    )


def _region(request: Request, settings: ProviderSettings[Any], claim: Claim, live: Live | None) -> str:
    """Settle the region: where the server stands, it stays, whatever the default has become."""
    stands = (live.region if live else "") or request.status("region")
    if stands:
        if claim.region not in (None, stands):
            raise Refusal(
                NOT_CHANGEABLE,
                f"spec.region is {quote(claim.region)}; this database stands in {stands} and cannot move; "
                f"put {stands} back, or create a new claim and move the data",
            )
        return stands
    wanted = claim.region or settings.regions[0]
    if wanted not in settings.regions:
        raise _not_offered("spec.region", wanted, request.provider, settings.regions)
    return wanted


def _check_version(name: str, provider: Provider, claim: Claim, live: Live) -> None:
    if not live.version or claim.version == live.version:
        return
    if int(claim.version) < _number(live.version):
        way = "no server goes back to an older version"
    elif not provider.UPGRADES:
        way = f"{name} cannot upgrade a server without losing data"
    else:
        return
    raise Refusal(
        NOT_CHANGEABLE,
        f"spec.version is {quote(claim.version)}; this database runs {live.version} and {way}; "
        f"put {live.version} back, or create a new claim and move the data",
    )


def _storage(name: str, provider: Provider, settings: ProviderSettings[Any], claim: Claim, live: Live | None) -> int | None:
    """Settle the storage: the claim's, else the size's, but never less than there is."""
    if not provider.HAS_STORAGE:
        if claim.storage_gb is not None:
            raise Refusal(
                NOT_OFFERED,
                f"spec.storageGB is {claim.storage_gb}; on {name} the size decides the storage; remove the field, or choose a larger size",
            )
        return None
    there = (live.storage_gb if live else None) or 0
    if claim.storage_gb is None:
        of_size: int | None = settings.sizes[claim.size].storage_gb
        return max(there, of_size or 0) or None
    if claim.storage_gb < there:
        raise Refusal(
            NOT_CHANGEABLE,
            f"spec.storageGB is {claim.storage_gb}; this database has {there} and storage only grows; write {there} or more",
        )
    return claim.storage_gb


def _number(version: str) -> int:
    return int(version) if version.isascii() and version.isdigit() else 0


def _not_offered(path: str, given: str, provider: str, offered: Iterable[str]) -> Refusal:
    return Refusal(NOT_OFFERED, f"{path} is {quote(given)}; {provider} offers {', '.join(offered)}; use one of these")


def _refuse_switch(name: str, provider: Provider, observed: Observed) -> None:
    """Refuse when what exists is another provider's: composing for this one would delete it, data and all."""
    for key, resource in observed.items():
        owner = resource.label(PROVIDER_LABEL)
        foreign = owner not in ("", name) if owner or key != SERVER else resource.kind != provider.SERVER_KIND
        if foreign:
            was = owner or "another provider"
            raise Refusal(
                PROVIDER_SWITCH,
                f"the Composition delivers on {name}, but this claim's database is on {was} ({' '.join(resource.kind)}); nothing was changed, "
                f"for switching would delete it; point spec.crossplane back to {was}, or create a new claim on {name} and move the data",
            )


def _bindings(order: Order[Any], server: Server, request: Request) -> list[Resource]:
    wanted = [
        (database, role)
        for database in order.claim.databases
        for role in ((sql.OWNER, sql.READER) if database.readers else (sql.OWNER,))
    ]
    secrets = [sql.binding(order, database, role, server, request.provider, request.observed) for database, role in wanted]
    return [secret for secret in secrets if secret is not None]


def _refuse_removal(claim: Claim, resources: Iterable[Resource], observed: Observed) -> None:
    """Refuse when something that an earlier pass composed is no longer among the resources: Crossplane would delete it."""
    kept = {resource.name for resource in resources}
    for name, resource in observed.items():
        if name in kept or not resource.label(PROVIDER_LABEL) or name.startswith(_MAY_GO):
            continue
        kind, _, rest = name.partition(".")
        if kind == "binding" and rest.endswith(".reader"):
            continue
        if kind == "database":
            raise Refusal(
                WOULD_REMOVE,
                f"spec.databases no longer has {quote(rest)}; a database is not dropped or renamed by editing a claim; "
                f"put it back beside {', '.join(d.name for d in claim.databases)}; to be rid of it, drop it in SQL and keep the entry, or delete the claim",
            )
        raise Refusal(
            WOULD_REMOVE,
            f"the resource {quote(name)} ({' '.join(resource.kind)}) of this claim would be deleted; nothing was changed; "
            "report this to the platform team: a settings change or a new function version must not remove it",
        )


def _answer(
    request: Request, order: Order[Any], server: Server, resources: list[Resource], bindings: list[Resource]
) -> Composition:
    bound = {binding.name for binding in bindings}
    unbound = [database.name for database in order.claim.databases if sql.binding_key(database.name) not in bound]
    provisioned = _provisioned(server, [resource for resource in resources if resource.name not in bound])
    databases = [_database_status(order, database) for database in order.claim.databases]
    status: dict[str, Json] = {
        "provider": request.provider,
        "size": order.claim.size,
        "region": order.region,
        "plan": server.plan,
        "version": order.claim.version,
        "settings": request.settings.origin,
        "databases": [*databases],
        "binding": {"name": databases[0]["binding"]},
    }
    if server.endpoint is not None:
        status["endpoint"] = {"host": server.endpoint[0], "port": server.endpoint[1]}
    return Composition(
        resources=resources,
        status=status,
        conditions=[Condition(conditions.ACCEPTED, status=True, reason=conditions.VALID), provisioned, _bound(unbound)],
        requirements=server.requirements,
        warnings=server.warnings,
        ready=provisioned.status and not unbound and all(binding.ready for binding in bindings),
    )


def _provisioned(server: Server, resources: Iterable[Resource]) -> Condition:
    late = next((resource for resource in resources if not resource.ready), None)
    if late is not None:
        message = f"waiting for {late.title}: {late.trouble}" if late.trouble else f"waiting for {late.title}"
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.CREATING, message=message)
    if not server.reachable:
        message = "the server is up; waiting for its address and its administrator's password"
        return Condition(conditions.PROVISIONED, status=False, reason=conditions.WAITING, message=message)
    return Condition(conditions.PROVISIONED, status=True, reason=conditions.AVAILABLE)


def _bound(unbound: list[str]) -> Condition:
    if not unbound:
        return Condition(conditions.BOUND, status=True, reason=conditions.COMPLETE)
    message = f"waiting for the credentials of {', '.join(unbound)}"
    return Condition(conditions.BOUND, status=False, reason=conditions.WAITING, message=message)


def _database_status(order: Order[Any], database: Database) -> dict[str, Json]:
    status: dict[str, Json] = {"name": database.name, "binding": sql.binding_name(order.name, database.name)}
    if database.readers:
        status["readerBinding"] = sql.binding_name(order.name, database.name, sql.READER)
    return status
