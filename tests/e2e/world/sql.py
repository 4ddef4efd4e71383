"""provider-sql v0.16: runs on a real PostgreSQL the SQL that the provider would."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import psycopg
from psycopg import sql

from tests.e2e.world.api import Api, Kind, Object, conditions, set_finalizer, set_status
from tests.e2e.world.weather import Weather

_GROUP: Final = "postgresql.sql.m.crossplane.io"
_V: Final = "v1alpha1"
_FINALIZER: Final = "finalizer.managedresource.crossplane.io"
_RETRY: Final = 1.0
_POLL: Final = 300.0

CONFIG: Final = Kind(_GROUP, _V, "ProviderConfig", "providerconfigs")
ROLE: Final = Kind(_GROUP, _V, "Role", "roles")
DATABASE: Final = Kind(_GROUP, _V, "Database", "databases")
GRANT: Final = Kind(_GROUP, _V, "Grant", "grants")
EXTENSION: Final = Kind(_GROUP, _V, "Extension", "extensions")
DEFAULT_PRIVILEGES: Final = Kind(_GROUP, _V, "DefaultPrivileges", "defaultprivileges")
KINDS: Final = (ROLE, DATABASE, GRANT, EXTENSION, DEFAULT_PRIVILEGES)

Connection = psycopg.AsyncConnection[tuple[object, ...]]


class Sql:
    """Looks after one kind of provider-sql's resources."""

    def __init__(self, api: Api, weather: Weather, kind: Kind) -> None:
        self._api, self._weather, self._kind = api, weather, kind
        does: dict[Kind, Callable[[Object, dict[str, str]], Awaitable[None]]] = {
            ROLE: self._role,
            DATABASE: self._database,
            GRANT: self._grant,
            EXTENSION: self._extension,
            DEFAULT_PRIVILEGES: self._default_privileges,
        }
        self._do = does[kind]

    async def reconcile(self, seen: Object) -> float | None:
        """Do what the provider does."""
        if "deletionTimestamp" in seen["metadata"]:
            if "*" in seen["spec"].get("managementPolicies", ["*"]):
                raise NotImplementedError(f"a {self._kind.kind} that is dropped with its resource")
            await set_finalizer(self._api, self._kind, seen, _FINALIZER, wanted=False)
            return None
        await set_finalizer(self._api, self._kind, seen, _FINALIZER, wanted=True)
        if problem := self._weather.failure(seen["metadata"]["namespace"], self._kind.kind):
            return await self._say(seen, problem)
        try:
            await self._do(seen, await self._credentials(seen))
        except (psycopg.Error, LookupError) as error:
            return await self._say(seen, f"cannot create {self._kind.kind.lower()}: {' '.join(str(error).split())}")
        well = conditions(seen, Ready=(True, "Available", ""), Synced=(True, "ReconcileSuccess", ""))
        await set_status(self._api, self._kind, seen, {"conditions": well})
        return _POLL

    async def _say(self, seen: Object, problem: str) -> float:
        said = conditions(seen, Ready=(False, "Creating", ""), Synced=(False, "ReconcileError", problem))
        await set_status(self._api, self._kind, seen, {"conditions": said})
        return _RETRY

    async def _credentials(self, seen: Object) -> dict[str, str]:
        """Return endpoint, port, username and password, with the default database and sslMode, as the ProviderConfig says."""
        namespace, reference = seen["metadata"]["namespace"], seen["spec"]["providerConfigRef"]
        config = await self._api.get(CONFIG, reference["name"], namespace)
        if config is None:
            raise LookupError(f'cannot get ProviderConfig: ProviderConfig "{reference["name"]}" not found')
        how = config["spec"]["credentials"]
        values = await self._api.secret(namespace, how["connectionSecretRef"]["name"])
        if values is None:
            raise LookupError(f'cannot get credentials Secret: Secret "{how["connectionSecretRef"]["name"]}" not found')
        keys = {key: how.get("secretKeyMapping", {}).get(key, key) for key in ("endpoint", "port", "username", "password")}
        found = {key: values.get(name, "") for key, name in keys.items()}
        return found | {
            "database": config["spec"].get("defaultDatabase", "postgres"),
            "sslmode": config["spec"].get("sslMode", "verify-full"),
        }

    @staticmethod
    async def _connect(credentials: dict[str, str], database: str = "") -> Connection:
        return await psycopg.AsyncConnection.connect(
            host=credentials["endpoint"],
            port=credentials["port"],
            user=credentials["username"],
            password=credentials["password"],
            dbname=database or credentials["database"],
            sslmode=credentials["sslmode"],
            autocommit=True,
            connect_timeout=5,
        )

    async def _role(self, seen: Object, credentials: dict[str, str]) -> None:
        name, wanted = _name(seen), seen["spec"]["forProvider"].get("privileges", {})
        login = sql.SQL("LOGIN" if wanted.get("login") else "NOLOGIN")
        async with await self._connect(credentials) as connection:
            found = await connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [name])
            row = await found.fetchone()
            if row is None:
                password = secrets.token_urlsafe(20)
                make = sql.SQL("CREATE ROLE {} PASSWORD {} {}").format(sql.Identifier(name), sql.Literal(password), login)
                await connection.execute(make)
                if target := seen["spec"].get("writeConnectionSecretToRef"):
                    values = {
                        "username": name,
                        "password": password,
                        "endpoint": credentials["endpoint"],
                        "port": credentials["port"],
                    }
                    namespace = seen["metadata"]["namespace"]
                    await self._api.write_secret(seen, namespace, target["name"], values, "connection.crossplane.io/v1alpha1")
            elif row[0] != bool(wanted.get("login")):
                await connection.execute(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(name), login))

    async def _database(self, seen: Object, credentials: dict[str, str]) -> None:
        name, owner = _name(seen), sql.Identifier(seen["spec"]["forProvider"]["owner"])
        async with await self._connect(credentials) as connection:
            found = await connection.execute(
                "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s",
                [name],
            )
            row = await found.fetchone()
            if row is None:
                await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner))
            elif row[0] != seen["spec"]["forProvider"]["owner"]:
                await connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), owner))

    async def _grant(self, seen: Object, credentials: dict[str, str]) -> None:
        wanted = seen["spec"]["forProvider"]
        member, role = sql.Identifier(wanted["memberOf"]), sql.Identifier(wanted["role"])
        async with await self._connect(credentials) as connection:
            await connection.execute(sql.SQL("GRANT {} TO {}").format(member, role))

    async def _extension(self, seen: Object, credentials: dict[str, str]) -> None:
        wanted = seen["spec"]["forProvider"]
        async with await self._connect(credentials, wanted["database"]) as connection:
            await connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(wanted["extension"])))

    async def _default_privileges(self, seen: Object, credentials: dict[str, str]) -> None:
        wanted = seen["spec"]["forProvider"]
        statement = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT {} ON {} TO {}").format(
            sql.Identifier(wanted["targetRole"]),
            sql.Identifier(wanted["schema"]),
            sql.SQL(", ").join(map(sql.SQL, wanted["privileges"])),
            sql.SQL(f"{wanted['objectType'].upper()}S"),
            sql.Identifier(wanted["role"]),
        )
        async with await self._connect(credentials, wanted["database"]) as connection:
            await connection.execute(statement)


def _name(seen: Object) -> str:
    """Return the name on the server: the external name."""
    name: str = seen["metadata"]["annotations"]["crossplane.io/external-name"]
    return name
