"""Databases, roles and extensions on a server: provider-sql v0.16, the same way on every provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from functions.kit import names
from functions.kit.binding import POSTGRESQL, PostgreSQLBinding
from functions.kit.composition import Resource
from functions.kit.manifests import NAMESPACED_CONFIG, managed, manifest
from functions.kit.observed import Observed, ObservedResource
from functions.kit.progress import judged
from functions.kit.secrets import kept, value
from functions.postgresql.claim import Database
from functions.postgresql.server import Credentials, Order, Server

GROUP: Final = "postgresql.sql.m.crossplane.io/v1alpha1"
CONFIG: Final = "sql"

# The roles of a database: one may do everything in it, the other read.
OWNER: Final = "owner"
READER: Final = "reader"

# Every server has a certificate of its own authority: encrypted always, verified by applications that mount ca.crt.
SSL_MODE: Final = "require"


def config(order: Order[Any], credentials: Credentials, observed: Observed) -> Resource:
    """Compose provider-sql's way to the server."""
    how: dict[str, object] = {
        "source": "PostgreSQLConnectionSecret",
        "connectionSecretRef": {"name": credentials.secret},
    }
    if credentials.keys:
        how["secretKeyMapping"] = credentials.keys
    spec = {"credentials": how, "defaultDatabase": credentials.database, "sslMode": SSL_MODE}
    body = manifest((GROUP, "ProviderConfig"), names.join(order.name, "pg"), order.labels, spec)
    return judged(CONFIG, body, observed.get(CONFIG), ready=True)


def database(order: Order[Any], wanted: Database, admin: str, observed: Observed) -> list[Resource]:
    """Compose a database with its owner, its readers and its extensions.

    None of these is ever deleted on the server: a server that goes takes them along, and one that stays must not lose a database
    because a resource went missing.
    """
    name, owner, config_name = wanted.name, f"{wanted.name}_owner", names.join(order.name, "pg")

    def part(kind: str, resource: str, parameters: Mapping[str, object], *, called: str = "", secret: bool = False) -> Resource:
        object_name = names.join(order.name, "pg", *resource.split(".", 1))
        body = managed(
            (GROUP, kind),
            object_name,
            order.labels,
            parameters,
            provider_config=config_name,
            provider_config_kind=NAMESPACED_CONFIG,
            deletes=False,
            secret=object_name if secret else "",
            external_name=called,
        )
        return judged(resource, body, observed.get(resource))

    parts = [
        part("Role", f"owner.{name}", {"privileges": {"login": True}}, called=owner, secret=True),
        # From PostgreSQL 16 on, who makes a role is no member of it, and only a member can make it the owner of something.
        part("Grant", f"grant.{name}", {"role": admin, "memberOf": owner}),
        part("Database", f"database.{name}", {"owner": owner}, called=name),
    ]
    parts += [
        part("Extension", f"extension.{name}.{extension}", {"extension": extension, "database": name})
        for extension in wanted.extensions
    ]
    # Readers who are no longer wanted are locked out, not dropped: their grants would stand in the way.
    if wanted.readers or f"reader.{name}" in observed:
        reader = f"{name}_reader"
        select = {
            "database": name,
            "schema": "public",
            "objectType": "table",
            "privileges": ["SELECT"],
            "role": reader,
            "targetRole": owner,
        }
        parts += [
            part("Role", f"reader.{name}", {"privileges": {"login": wanted.readers}}, called=reader, secret=True),
            part("DefaultPrivileges", f"select.{name}", select),
        ]
    return parts


@dataclass(frozen=True, slots=True)
class Binding:
    """What an application uses a database with.

    Attributes:
        name: The Secret's name.
        role: Composition resource name of the role that logs in.
        secret: The Secret, None until the role's connection details are complete.
    """

    name: str
    role: str
    secret: Resource | None


def binding_name(claim: str, database: str, role: str = OWNER) -> str:
    """Return the name of a binding's Secret: `<claim>-<database>`, and `-reader` behind it for readers."""
    return names.join(claim, database) if role == OWNER else names.join(claim, database, role)


def binding(order: Order[Any], wanted: Database, role: str, server: Server, provider: str, observed: Observed) -> Binding:
    """Compose the Secret with which an application uses a database.

    Args:
        order: The order.
        wanted: The database.
        role: OWNER or READER.
        server: For its address and certificate authority.
        provider: The provider's name.
        observed: For the role's connection details, and for the Secret of an earlier pass.
    """
    key = f"binding.{wanted.name}" if role == OWNER else f"reader-binding.{wanted.name}"
    name, role_key = binding_name(order.name, wanted.name, role), f"{role}.{wanted.name}"
    seen, of_role = observed.get(key), observed.get(role_key)
    username, password = (of_role.connection(part) if of_role else "" for part in ("username", "password"))
    host, port = _address(server, seen, of_role)
    if host and port and username and password:
        ca = server.ca or (value(seen, "ca.crt") if seen else "")
        body = PostgreSQLBinding(provider, host, port, wanted.name, username, password, SSL_MODE, ca).secret(name, order.labels)
        return Binding(name, role_key, Resource(key, body, ready=seen is not None))
    if seen is not None:
        return Binding(name, role_key, Resource(key, kept(seen, name, order.labels, POSTGRESQL), ready=True))
    return Binding(name, role_key, None)


def _address(server: Server, seen: ObservedResource | None, of_role: ObservedResource | None) -> tuple[str, str]:
    """Settle host and port: what the cloud says now, else the last we knew; a role knows only those of the day it was made."""
    if server.endpoint is not None:
        return server.endpoint[0], str(server.endpoint[1])
    if seen is not None and (host := value(seen, "host")):
        return host, value(seen, "port")
    return (of_role.connection("endpoint"), of_role.connection("port")) if of_role else ("", "")
