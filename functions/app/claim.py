"""The claim as the function reads it. Its fields are documented where users see them: apis/app.yaml.

The API server has checked a claim by the XRD before we see it; what is checked here again is what would lose data or open a door.
"""

import re
from collections import Counter
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from functions.kit import models
from functions.kit.binding import Key
from functions.kit.models import LETTERS, Model, PartName, Tag, shape
from functions.kit.names import check_claim_name
from functions.kit.refusal import INVALID_CLAIM, Refusal, quote
from functions.kit.request import Request

BINDINGS: Final = "/bindings"
BINDING_ROOT: Final = "SERVICE_BINDING_ROOT"

# A reference as containerd reads it, with a tag, a digest, or both.
_IMAGE: Final = re.compile(
    r"(?P<repository>[a-z0-9][a-zA-Z0-9._-]*(:[0-9]+(?=/))?(/[a-z0-9][a-z0-9._-]*)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?"
)

Label = Annotated[
    str,
    shape(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "at most 63 lower-case letters, digits and, inside, hyphens, such as shop: no dots"
    ),
]
Port = Annotated[int, Field(ge=1024, le=65535)]
Path = Annotated[
    str, shape(r"/\S{0,199}", "a path of at most 200 characters that begins with / and has no spaces, such as /healthz")
]
EnvName = Annotated[
    str, shape(r"[A-Za-z_][A-Za-z0-9_]{0,99}", "a variable's name of at most 100 letters, digits and _, such as LOG_LEVEL")
]
MountPath = Annotated[
    str, StringConstraints(max_length=200), shape(r"(/[A-Za-z0-9._-]+)+", "a folder of the App's own, such as /data")
]
Words = tuple[Annotated[str, StringConstraints(max_length=4096)], ...]


class Replicas(Model):
    """How many pods there are, at least and at most."""

    min: Annotated[int, Field(ge=1, le=100)] = 1
    max: Annotated[int, Field(ge=1, le=100)] | None = None

    @property
    def most(self) -> int:
        """How many there are at most."""
        return self.max or self.min


class _Named(Model):
    name: str


class Variable(_Named):
    """An environment variable, readable by everyone who reads the claim."""

    name: EnvName
    value: Annotated[str, StringConstraints(max_length=4096)] = ""


class Secret(_Named):
    """An environment variable out of the secret store."""

    name: EnvName
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    property: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None


class BindingVariable(Model):
    """An environment variable out of a binding."""

    name: EnvName
    key: Key


class Database(_Named):
    """A database that is bound: of a PostgreSQL claim, or of one that the App makes."""

    name: PartName
    ref: Annotated[str, shape(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", f"a claim's name: at most 40 {LETTERS}")] | None = None
    database: Annotated[str, StringConstraints(max_length=40)] | None = None
    size: str | None = None
    provider: Literal["exoscale", "ovh", "scaleway", "kubernetes"] | None = None
    env: tuple[BindingVariable, ...] = ()

    @field_validator("ref", mode="before")
    @classmethod
    def _of_this_namespace(cls, ref: object) -> object:
        if isinstance(ref, str) and "/" in ref:
            raise ValueError("an App binds databases of its own namespace only; name the PostgreSQL claim without a namespace")
        return ref

    @model_validator(mode="after")
    def _one_way(self) -> "Database":
        if (self.ref is None) == (self.size is None):
            given = "has neither ref nor size" if self.ref is None else "has both ref and size"
            raise ValueError(f"{self.name} {given}; name a PostgreSQL claim with ref, or give a database of the App's own a size")
        if self.size is None and self.provider is not None:
            raise ValueError("provider goes with size; a PostgreSQL claim that ref names has its own")
        if self.ref is None and self.database is not None:
            raise ValueError("database goes with ref; a database of the App's own is the only one of its server")
        return self


class Tailscale(Model):
    """The name on the tailnet."""

    hostname: Label
    tags: tuple[Tag, ...] = ()


class Caller(Model):
    """An App that may reach this one."""

    name: Label
    namespace: Label | None = None


class Expose(Model):
    """Who may reach the App: the tailnet, and other Apps."""

    tailscale: Tailscale | None = None
    apps: tuple[Caller, ...] = ()


class Health(Model):
    """Where the App tells by HTTP how it is."""

    readiness: Path | None = None
    liveness: Path | None = None


class Metrics(Model):
    """Where the App tells Prometheus' format."""

    path: Path = "/metrics"
    port: Port | None = None


class Migrate(Model):
    """What runs before a new image takes traffic."""

    command: Annotated[Words, Field(min_length=1)]


class Volume(_Named):
    """A disk; its size in GiB."""

    name: PartName
    size_gb: Annotated[int, Field(ge=1, le=10_000)]
    mount_path: MountPath

    @field_validator("mount_path")
    @classmethod
    def _a_place_of_its_own(cls, path: str) -> str:
        if path == BINDINGS or path.startswith(f"{BINDINGS}/") or {".", ".."} & set(path.split("/")):
            raise ValueError(f"it must be a plain path outside of {BINDINGS}, where databases are bound")
        return path


class Claim(Model):
    """The spec of an App claim."""

    image: Annotated[str, StringConstraints(max_length=400)]
    size: str
    replicas: Replicas = Replicas()
    port: Port | None = None
    command: Words = ()
    args: Words = ()
    env: tuple[Variable, ...] = ()
    secrets: tuple[Secret, ...] = ()
    databases: tuple[Database, ...] = ()
    expose: Expose = Expose()
    health: Health = Health()
    metrics: Metrics | None = None
    migrate: Migrate | None = None
    volumes: tuple[Volume, ...] = ()
    deletion_protection: bool = True

    @field_validator("image")
    @classmethod
    def _one_version(cls, image: str) -> str:
        match = _IMAGE.fullmatch(image)
        if match is None:
            raise ValueError("it is no image reference; write one such as registry.example.org/team/app:1.4.2")
        if match["tag"] == "latest" or not (match["tag"] or match["digest"]):
            raise ValueError("that names no version, so that nobody can tell what runs or go back to it; name a tag or a digest")
        return image

    @field_validator("databases", "volumes", "env", "secrets")
    @classmethod
    def _names_once(cls, entries: tuple[_Named, ...]) -> tuple[_Named, ...]:
        _once([entry.name for entry in entries])
        return entries

    @field_validator("volumes")
    @classmethod
    def _places_once(cls, volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
        _once([volume.mount_path for volume in volumes])
        return volumes

    @property
    def version(self) -> str:
        """The image's tag, "" where it has none."""
        match = _IMAGE.fullmatch(self.image)
        return (match and match["tag"]) or ""


def read(request: Request) -> Claim:
    """Read the claim.

    Raises:
        Refusal: Where the claim is not valid.
    """
    check_claim_name(request.name)
    unquoted = ("env", "secrets", "command", "args", "migrate")
    claim = models.read(Claim, request.spec, path="spec", reason=INVALID_CLAIM, remedy="correct the claim", unquoted=unquoted)
    _check_replicas(claim)
    _check_ports(claim)
    _check_variables(claim)
    return claim


def _once(names: list[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"{quote(twice[0])} is listed twice")


def _check_replicas(claim: Claim) -> None:
    """Refuse more replicas than a volume can have, and a maximum below the minimum."""
    low, most = claim.replicas.min, claim.replicas.most
    if most < low:
        raise Refusal(INVALID_CLAIM, f"spec.replicas.max is {most}, less than min, which is {low}; write {low} or more")
    if claim.volumes and most > 1:
        raise Refusal(
            INVALID_CLAIM,
            f"spec.replicas allows {most} replicas, but spec.volumes has {claim.volumes[0].name}, and a volume is mounted on one "
            "node only; set min and max to 1, or keep the data in a database",
        )


def _check_ports(claim: Claim) -> None:
    """Refuse what needs a port where the App listens on none."""
    if claim.port is not None:
        return
    needs = {
        "expose": claim.expose.tailscale is not None or bool(claim.expose.apps),
        "health": claim.health.readiness is not None or claim.health.liveness is not None,
        "metrics": claim.metrics is not None and claim.metrics.port is None,
    }
    for field in (field for field, needed in needs.items() if needed):
        raise Refusal(INVALID_CLAIM, f"spec.port is missing; spec.{field} needs the port on which the App listens; set it")


def _check_variables(claim: Claim) -> None:
    """Refuse an environment variable that is set by two fields, of which one would win in silence."""
    names = [variable.name for variable in (*claim.env, *claim.secrets)]
    names += [variable.name for database in claim.databases for variable in database.env]
    if claim.databases:
        names.append(BINDING_ROOT)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        what = (
            "is the platform's own" if twice[0] == BINDING_ROOT else "is set by two of spec.env, spec.secrets and spec.databases"
        )
        raise Refusal(INVALID_CLAIM, f"the environment variable {twice[0]} {what}; give it another name")
