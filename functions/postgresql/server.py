"""What compose.py and the provider modules tell each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from functions.kit import names, secrets
from functions.kit.composition import Requirement, Resource
from functions.kit.observed import Observed, ObservedResource
from functions.kit.request import Request
from functions.postgresql.claim import Claim
from functions.postgresql.settings import ProviderSettings

# The composition resource names of the database server, and of the Secret with which provider-sql reaches it.
SERVER: Final = "server"
ADMIN: Final = "admin"

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Live:
    """What the cloud already runs for this claim, as far as it limits what may be asked for.

    Attributes:
        region: In the cloud's spelling.
        version: PostgreSQL's major that runs, not the one that was asked for.
        storage_gb: None where the provider has no storage of its own.
    """

    region: str
    version: str
    storage_gb: int | None = None


@dataclass(frozen=True, slots=True)
class Order(Generic[S]):
    """A claim, settled against the settings and what is live: everything that a provider module needs to know.

    Attributes:
        name: The claim's name.
        namespace: The claim's namespace.
        labels: For every resource.
        claim: The claim.
        settings: The provider's settings.
        region: The one that is live, else the claim's, else the default.
        runs: PostgreSQL's major version that runs, "" before there is a server.
        storage_gb: None where the provider decides.
        cidrs: Who may reach the server.
        protected: Whether the cloud must refuse to delete it.
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    claim: Claim
    settings: S
    region: str
    runs: str
    storage_gb: int | None
    cidrs: tuple[str, ...]
    protected: bool


@dataclass(frozen=True, slots=True)
class Credentials:
    """How provider-sql reaches a server.

    Attributes:
        secret: Name of the Secret in the claim's namespace.
        keys: The Secret's keys, where they are not endpoint, port, username and password.
        username: The administrator's role.
        database: The database that exists from the start.
    """

    secret: str
    username: str
    database: str
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """What a provider module answers.

    Attributes:
        resources: Everything but databases and roles, the most needed first.
        plan: The cloud's own name for the size.
        endpoint: Host and port, None until the cloud tells them.
        credentials: How provider-sql reaches it.
        reachable: Whether the administrator's password and the endpoint are known, so that databases can be made.
        ca: The certificate authority in PEM, "" where unknown.
        guarded: Whether the cloud's own deletion guard is still on.
        requirements: Objects to be shown in the next pass.
        warnings: What the claim asks for in vain.
    """

    resources: Sequence[Resource]
    plan: str
    endpoint: tuple[str, int] | None
    credentials: Credentials
    reachable: bool
    ca: str = ""
    guarded: bool = False
    requirements: Sequence[Requirement] = ()
    warnings: Sequence[str] = ()


class Provider(Protocol):
    """A provider module. Its constants are read-only here, or a module's narrower type would not fit.

    Attributes:
        SERVER_KIND: apiVersion and kind of the resource named "server".
        SETTINGS: The model of its settings.
        FOUND_BY_NAME: Whether a server whose resource was lost is found again by its name, and not made anew.
        HAS_STORAGE: Whether a claim may name storageGB.
        SETS_RETENTION: Whether a claim may say how long backups are kept.
        UPGRADES: Whether a live server's major version may go up.
        NEEDS_CIDRS: Whether a server without allowed addresses is useless or open.
    """

    @property
    def SERVER_KIND(self) -> tuple[str, str]: ...  # noqa: D102, N802
    @property
    def SETTINGS(self) -> type[ProviderSettings[Any]]: ...  # noqa: D102, N802
    @property
    def FOUND_BY_NAME(self) -> bool: ...  # noqa: D102, N802
    @property
    def HAS_STORAGE(self) -> bool: ...  # noqa: D102, N802
    @property
    def SETS_RETENTION(self) -> bool: ...  # noqa: D102, N802
    @property
    def UPGRADES(self) -> bool: ...  # noqa: D102, N802
    @property
    def NEEDS_CIDRS(self) -> bool: ...  # noqa: D102, N802

    def live(self, server: ObservedResource) -> Live:
        """Read what the observed server is."""

    def server(self, order: Order[Any], observed: Observed, request: Request) -> Server:
        """Compose the server and its administrator."""


def admin_secret(
    order: Order[Any], observed: Observed, endpoint: tuple[str, int] | None, username: str, password: str
) -> list[Resource]:
    """Compose the Secret with which provider-sql reaches a server, where the cloud does not write one of its own.

    Args:
        order: The order.
        observed: For the Secret of an earlier pass, which stays as it is while the password is not to be had.
        endpoint: Host and port, None until known.
        username: The administrator's role.
        password: The administrator's, "" until known.

    Returns:
        The Secret, or nothing until there is something to put in it.
    """
    name, seen = names.join(order.name, "pg", ADMIN), observed.get(ADMIN)
    if endpoint is not None and password:
        data = {"endpoint": endpoint[0], "port": str(endpoint[1]), "username": username, "password": password}
        return [Resource(ADMIN, secrets.secret(name, order.labels, data), ready=seen is not None)]
    if seen is not None:
        return [Resource(ADMIN, secrets.kept(seen, name, order.labels), ready=True)]
    return []
