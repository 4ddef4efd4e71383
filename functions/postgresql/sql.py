"""Databases, roles and extensions on a server: provider-sql v0.16, the same way on every provider."""

from collections.abc import Mapping
from typing import Any, Final

from functions.kit import names
from functions.kit.binding import POSTGRESQL, PostgreSQLBinding
from functions.kit.composition import Resource, judged
from functions.kit.manifests import NAMESPACED_CONFIG, managed, manifest
from functions.kit.observed import Observed
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

# What names a server's role in provider-sql's connection details.
_CONNECTION: Final = ("endpoint", "port", "username", "password")


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
    name, owner = wanted.name, f"{wanted.name}_owner"

    def part(kind: str, resource: str, parameters: Mapping[str, object], *, called: str = "", secret: bool = False) -> Resource:
        object_name = names.join(order.name, "pg", *resource.split(".", 1))
        body = managed(
            (GROUP, kind),
            object_name,
            order.labels,
            parameters,
            provider_config=names.join(order.name, "pg"),
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


def binding_key(database: str, role: str = OWNER) -> str:
    """Return the composition resource name of a binding."""
    return f"binding.{database}" if role == OWNER else f"reader-binding.{database}"


def binding_name(claim: str, database: str, role: str = OWNER) -> str:
    """Return the name of a binding's Secret: `<claim>-<database>`, and `-reader` behind it for readers."""
    return names.join(claim, database) if role == OWNER else names.join(claim, database, role)


def binding(order: Order[Any], wanted: Database, role: str, server: Server, provider: str, observed: Observed) -> Resource | None:
    """Compose the Secret with which an application uses a database.

    Args:
        order: The order.
        wanted: The database.
        role: OWNER or READER.
        server: For its certificate authority.
        provider: The provider's name.
        observed: For the role's connection details, and for the Secret of an earlier pass.

    Returns:
        The Secret; None until the role's connection details are complete.
    """
    key, name = binding_key(wanted.name, role), binding_name(order.name, wanted.name, role)
    seen, of_role = observed.get(key), observed.get(f"{role}.{wanted.name}")
    host, port, username, password = (of_role.connection(part) if of_role else "" for part in _CONNECTION)
    if host and port and username and password:
        ca = server.ca or (value(seen, "ca.crt") if seen else "")
        secret = PostgreSQLBinding(provider, host, port, wanted.name, username, password, SSL_MODE, ca).secret(name, order.labels)
        return Resource(key, secret, ready=seen is not None)
    if seen is not None:
        return Resource(key, kept(seen, name, order.labels, POSTGRESQL), ready=True)
    return None
