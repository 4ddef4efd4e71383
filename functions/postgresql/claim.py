"""The claim as the function reads it. Its fields are documented where users see them: apis/postgresql.yaml.

The API server has checked a claim by the XRD before we see it; what is checked here again is what would lose data or open a door.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field, field_validator

from functions.kit import models
from functions.kit.models import Model, Time, shape
from functions.kit.names import check_claim_name
from functions.kit.refusal import INVALID_CLAIM
from functions.kit.request import Request

# Databases that a cloud or we make beside the claim's; taking one over would change its owner. "pg_owner" can be no role.
RESERVED: Final = frozenset({"postgres", "template0", "template1", "defaultdb", "rdb", "gravitek", "pg"})

# What begins with "pg-" or ends in "-reader" would meet the names of other Secrets of the claim.
DatabaseName = Annotated[
    str,
    shape(
        r"[a-z]([a-z0-9_-]{0,38}[a-z0-9])?",
        "at most 40 lower-case letters, digits, _ and -, beginning with a letter and ending in one or a digit",
    ),
]
Extension = Annotated[str, shape(r"[a-z]([a-z0-9_-]{0,61}[a-z0-9])?", "an extension's name in lower case, such as pg_trgm")]


class Database(Model):
    """One database of the server."""

    name: DatabaseName
    extensions: tuple[Extension, ...] = ()
    readers: bool = False

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED or name.startswith(("pg-", "pg_")) or name.endswith("-reader"):
            raise ValueError(
                "the name is PostgreSQL's, the cloud's or a binding's own; name another database under spec.databases"
            )
        return name


class Backup(Model):
    """When the cloud backs up, UTC, and for how many days it keeps a backup."""

    time: Time | None = None
    retention_days: Annotated[int, Field(ge=1, le=365)] | None = None


class Maintenance(Model):
    """When the cloud may restart the server, UTC."""

    day: str | None = None
    time: Time | None = None


class Claim(Model):
    """The spec of a PostgreSQL claim.

    Attributes:
        storage_gb: In the provider's own gigabytes: 10^9 bytes on OVH and Scaleway, GiB on kubernetes.
    """

    size: str
    version: Annotated[str, shape(r"[1-9][0-9]", 'a major version, such as "17"')]
    deletion_protection: bool = True
    storage_gb: Annotated[int, Field(ge=1, le=65536)] | None = None
    databases: tuple[Database, ...] = ()
    allowed_cidrs: tuple[str, ...] = ()
    backup: Backup = Backup()
    maintenance: Maintenance = Maintenance()
    region: str | None = None
    settings: Mapping[str, str] = {}

    @field_validator("databases")
    @classmethod
    def _names_once(cls, databases: tuple[Database, ...]) -> tuple[Database, ...]:
        if len({database.name for database in databases}) < len(databases):
            raise ValueError("a database is listed twice")
        return databases


def read(request: Request) -> Claim:
    """Read the claim; without databases it gets one of its own name.

    Raises:
        Refusal: Where the claim is not valid.
    """
    check_claim_name(request.name)
    spec = request.spec
    spec.setdefault("databases", [])
    spec["databases"] = spec["databases"] or [{"name": request.name}]
    return models.read(Claim, spec, path="spec", reason=INVALID_CLAIM, remedy="correct the claim")
