"""What a claim may still ask of something that is live."""

from collections.abc import Sequence

from functions.kit.refusal import NOT_CHANGEABLE, Refusal, not_changeable, not_offered
from functions.kit.request import Request


def settled_region(request: Request, offered: Sequence[str], wanted: str | None, stands: str) -> str:
    """Settle the region: where something stands it stays, whatever the default has become.

    Args:
        request: For the provider's name, and for the region of an earlier pass.
        offered: The regions that may be chosen; the first is the default.
        wanted: `spec.region`.
        stands: Where it stands according to what was observed, "" where that does not tell.

    Raises:
        Refusal: Where the region is not offered, or is another than where the claim's resources stand.
    """
    stands = stands or request.status("region")
    if stands:
        if wanted not in {None, stands}:
            raise not_changeable("spec.region", wanted, f"what is live stands in {stands} and cannot move", stands)
        return stands
    if wanted is not None and wanted not in offered:
        raise not_offered("spec.region", wanted, request.provider, offered)
    return wanted or offered[0]


def grown(path: str, wanted: int | None, default: int | None, there: int | None) -> int | None:
    """Settle a size of storage: the claim's, else the default, but never less than there is.

    Args:
        path: The field, for the message.
        wanted: What the claim asks for.
        default: What it gets where it asks for nothing, None where the cloud decides.
        there: What is live, None before that.

    Raises:
        Refusal: Where the claim asks for less than there is.
    """
    there = there or 0
    if wanted is None:
        return max(there, default or 0) or None
    if wanted < there:
        raise Refusal(NOT_CHANGEABLE, f"{path} is {wanted}; there are {there} and storage only grows; write {there} or more")
    return wanted
