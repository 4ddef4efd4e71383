"""Names that are valid, short enough and never shared by two things."""

import hashlib
import re
from typing import Final

from functions.kit.refusal import INVALID_CLAIM, Refusal, quote

LIMIT: Final = 63
CLAIM_LIMIT: Final = 40
_DIGEST: Final = 8
_CLAIM: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def check_claim_name(name: str) -> None:
    """Check that a claim's name can stand in the names of all that is made for it.

    Raises:
        Refusal: Where it is longer than 40 characters or no lower-case DNS label that starts with a letter.
    """
    if len(name) > CLAIM_LIMIT or not _CLAIM.fullmatch(name):
        raise Refusal(
            INVALID_CLAIM,
            f"metadata.name is {quote(name)}; use at most {CLAIM_LIMIT} lower-case letters, digits and hyphens, "
            "starting with a letter; create the claim again under such a name",
        )


def join(*parts: str, limit: int = LIMIT) -> str:
    """Join parts to a name of a Kubernetes object.

    Underscores become hyphens. Where that or the limit loses something, a digest of the parts keeps the name unique.

    Args:
        parts: Lower-case letters, digits, hyphens and underscores.
        limit: How long the name may be; a claim's, at most CLAIM_LIMIT.
    """
    given = "-".join(parts)
    name = given.replace("_", "-")
    return name if name == given and len(name) <= limit else _cut(name, given, limit)


def unshared(*parts: str) -> str:
    """Join parts to a name that no other parts give, for what would be lost or told if two claims met in it.

    The digest is always there: without it, claim `b-c` of namespace `a` and claim `c` of namespace `a-b` would share a database.
    """
    return _cut("-".join(part for part in parts if part), "/".join(parts), LIMIT)


def _cut(name: str, identity: str, limit: int) -> str:
    digest = hashlib.sha256(identity.encode()).hexdigest()[:_DIGEST]
    return f"{name[: limit - _DIGEST - 1].rstrip('-.')}-{digest}"
