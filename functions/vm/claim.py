"""The claim as the function reads it. Its fields are documented where users see them: apis/vm.yaml.

The API server has checked a claim by the XRD before we see it; what is checked here again is what would lose data or open a door.
"""

import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from functions.kit import models
from functions.kit.models import Model, PartName, Tag, shape
from functions.kit.names import check_claim_name
from functions.kit.refusal import INVALID_CLAIM, Refusal
from functions.kit.request import Request

Ports = Annotated[str, shape(r"[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?", 'a port or a range of ports, such as "443" or 8000-8010')]

_PUBLIC_KEY: Final = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
    r" ([A-Za-z0-9+/]+={0,3})( [^\r\n\x00]*)?"
)


class Disk(Model):
    """A data disk; its size in the cloud's own gigabytes: GiB on Exoscale and OVH, 10^9 bytes on Scaleway."""

    name: PartName
    size_gb: Annotated[int, Field(ge=10, le=10_000)]


class Ingress(Model):
    """What may reach the machine: a protocol, a port or a range of ports, and IPv4 networks."""

    protocol: Literal["tcp", "udp", "icmp"]
    ports: Ports | None = None
    sources: Annotated[tuple[str, ...], Field(alias="from", min_length=1)]


class SecretKey(Model):
    """A key in the data of a Secret in the claim's namespace."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)]


class Tailscale(Model):
    """How the machine joins the tailnet."""

    enabled: bool = False
    tags: tuple[Tag, ...] = ()
    auth_key_secret_ref: SecretKey | None = None


class Claim(Model):
    """The spec of a VM claim."""

    size: str
    image: str
    disk_gb: Annotated[int, Field(ge=10, le=400)] | None = None
    data_disks: tuple[Disk, ...] = ()
    ssh_keys: tuple[str, ...] = ()
    user_data: str = ""
    public: bool = False
    ingress: tuple[Ingress, ...] = ()
    tailscale: Tailscale = Tailscale()
    region: str | None = None
    recreate: Annotated[int, Field(ge=1)] | None = None
    deletion_protection: bool = True

    @field_validator("data_disks")
    @classmethod
    def _names_once(cls, disks: tuple[Disk, ...]) -> tuple[Disk, ...]:
        if len({disk.name for disk in disks}) < len(disks):
            raise ValueError("a disk is listed twice")
        return disks

    @property
    def keys(self) -> Mapping[str, str]:
        """The ssh keys by their fingerprints; the same key under two comments is one."""
        return {fingerprint(key): key for key in self.ssh_keys}


def read(request: Request) -> Claim:
    """Read the claim.

    Raises:
        Refusal: Where the claim is not valid.
    """
    check_claim_name(request.name)
    claim = models.read(
        Claim, request.spec, path="spec", reason=INVALID_CLAIM, remedy="correct the claim", unquoted=("sshKeys", "userData")
    )
    for number, key in enumerate(claim.ssh_keys):
        _check_ssh_key(f"spec.sshKeys[{number}]", key)
    if claim.tailscale.enabled and claim.tailscale.auth_key_secret_ref is None:
        raise Refusal(INVALID_CLAIM, "spec.tailscale.authKeySecretRef is missing; name the Secret with the tailnet's auth key")
    return claim


def fingerprint(public_key: str) -> str:
    """Return a short name of a public key, which its comment does not change."""
    return hashlib.sha256(public_key.split(" ")[1].encode()).hexdigest()[:8]


def _check_ssh_key(path: str, key: str) -> None:
    """Refuse what is no public key, without repeating it."""
    if "PRIVATE KEY" in key:
        raise Refusal(
            INVALID_CLAIM,
            f"{path} is a private key; take it as known to others, make a new pair, and write the line of its .pub file here",
        )
    match = _PUBLIC_KEY.fullmatch(key)
    if match is None or not _is_whole(match[2], match[1]):
        raise Refusal(
            INVALID_CLAIM,
            f"{path} is no SSH public key (what was given is not repeated here); "
            'write the line of a .pub file, such as "ssh-ed25519 AAAA… name"',
        )


def _is_whole(blob: str, key_type: str) -> bool:
    """Tell whether a key's blob is what RFC 4253 (6.6) wants: strings with their lengths, the first of them the type."""
    try:
        rest = b64decode(blob, validate=True)
    except ValueError:
        return False
    strings = []
    while rest:
        end = 4 + int.from_bytes(rest[:4])
        if end > len(rest):
            return False
        strings.append(rest[4:end])
        rest = rest[end:]
    return len(strings) > 1 and strings[0] == key_type.encode()
