"""From a PostgreSQL claim to resources: settle the order, let the provider make the server, add what is the same everywhere."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from functions.kit import conditions, guard, protection
from functions.kit.composition import Composition
from functions.kit.conditions import Condition
from functions.kit.observed import Observed
from functions.kit.progress import provisioned
from functions.kit.request import Request, check_provider
from functions.kit.structs import Json
from functions.postgresql import claim, exoscale, kubernetes, ovh, scaleway, sql
from functions.postgresql.claim import Database
from functions.postgresql.order import settle
from functions.postgresql.server import SERVER, Order, Provider, Server

PROVIDERS: Final[Mapping[str, Provider]] = {"exoscale": exoscale, "ovh": ovh, "scaleway": scaleway, "kubernetes": kubernetes}

# What may go when the claim or the settings no longer want it: an extension stays in its database, a backup's schedule and
# metrics are no data, a reader is locked out, and protection ends when it is told to.
_MAY_GO: Final = ("extension.", "backup", "metrics", "reader-binding.", protection.NAME)


def compose(request: Request) -> Composition:
    """Compose a PostgreSQL claim.

    Raises:
        Refusal: Where the claim must not be composed as it is.
    """
    check_provider(request, PROVIDERS)
    provider, observed = PROVIDERS[request.provider], request.observed
    guard.refuse_switch(request.provider, SERVER, provider.SERVER_KIND, observed)
    order = settle(request, provider, claim.read(request))
    server = provider.server(order, observed, request)
    resources = [*server.resources]
    # Databases come once the server can be reached, and from then on always.
    if server.reachable or sql.CONFIG in observed:
        resources.append(sql.config(order, server.credentials, observed))
        for database in order.claim.databases:
            resources += sql.database(order, database, server.credentials.username, observed)
    # The claim stays protected until the cloud has let go too, or its deletion would hang there half done.
    if order.protected or server.guarded:
        resources.append(protection.of_claim(request, order.labels))
    bindings = _bindings(order, server, request)
    made = [binding.secret for binding in bindings if binding.secret is not None]
    guard.refuse_removal([*resources, *made], observed, may_go=_MAY_GO)
    waiting = "" if server.reachable else "the server is up; waiting for its address and its administrator's password"
    bound = _bound(bindings, observed)
    return Composition(
        resources=[*resources, *made],
        status=_status(request, order, server),
        conditions=[Condition(conditions.ACCEPTED, status=True, reason=conditions.VALID), provisioned(resources, waiting), bound],
        requirements=server.requirements,
        warnings=server.warnings,
        # Not by the condition Provisioned: a change that a cloud refuses leaves the database usable.
        ready=server.reachable and bound.status and all(resource.ready for resource in resources),
    )


def _bindings(order: Order[Any], server: Server, request: Request) -> list[sql.Binding]:
    wanted = [
        (database, role)
        for database in order.claim.databases
        for role in (sql.OWNER, *((sql.READER,) if database.readers else ()))
    ]
    return [sql.binding(order, database, role, server, request.provider, request.observed) for database, role in wanted]


def _status(request: Request, order: Order[Any], server: Server) -> dict[str, Json]:
    databases = [_database_status(order, database) for database in order.claim.databases]
    status: dict[str, Json] = {
        "provider": request.provider,
        "size": order.claim.size,
        "region": order.region,
        "plan": server.plan,
        "version": order.runs or order.claim.version,
        "settings": request.settings.origin,
        "databases": [*databases],
        "binding": {"name": databases[0]["binding"]},
    }
    if server.endpoint is not None:
        status["endpoint"] = {"host": server.endpoint[0], "port": server.endpoint[1]}
    return status


def _bound(bindings: Iterable[sql.Binding], observed: Observed) -> Condition:
    """Say whether every Secret is written, and of the first that is not, what it waits for."""
    late = next((binding for binding in bindings if binding.secret is None or not binding.secret.ready), None)
    if late is None:
        return Condition(conditions.BOUND, status=True, reason=conditions.COMPLETE)
    if late.secret is not None:
        message = f"the Secret {late.name} is not written yet; if this stays, another object has its name"
    elif late.role in observed and observed[late.role].is_true("Ready"):
        message = f"the role of the Secret {late.name} exists, but its password is lost: see docs/operating.md, Lost passwords"
    else:
        message = f"no credentials yet for the Secret {late.name}"
    return Condition(conditions.BOUND, status=False, reason=conditions.WAITING, message=message)


def _database_status(order: Order[Any], database: Database) -> dict[str, Json]:
    status: dict[str, Json] = {"name": database.name, "binding": sql.binding_name(order.name, database.name)}
    if database.readers:
        status["readerBinding"] = sql.binding_name(order.name, database.name, sql.READER)
    return status
