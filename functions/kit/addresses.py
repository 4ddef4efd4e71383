"""Which addresses may reach a service."""

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Final

from functions.kit.refusal import INVALID_CLAIM, OPEN_TO_THE_WORLD, Refusal, quote

# Two /1 are the world as well; no organisation owns more than a /8.
WIDEST: Final = 8


@lru_cache(maxsize=256)
def check_cidrs(path: str, cidrs: tuple[str, ...], *, allow_wide: bool) -> tuple[str, ...]:
    """Check IPv4 networks.

    Args:
        path: The field they stand in, for the message.
        cidrs: Networks in CIDR notation.
        allow_wide: Whether networks wider than a /8, such as 0.0.0.0/0, are let through.

    Returns:
        The networks, sorted by their text and without repeats, so that their order in a claim means nothing.

    Raises:
        Refusal: At the first that is no network or too wide.
    """
    networks = {_network(path, cidr) for cidr in cidrs}
    for network in sorted(networks):
        if network.prefixlen < WIDEST and not allow_wide:
            who = "everybody" if network.prefixlen == 0 else "a large part of the internet"
            raise Refusal(
                OPEN_TO_THE_WORLD,
                f"{path} holds {quote(network)}, which lets in {who}; "
                f"name networks of /{WIDEST} or narrower, or have the platform team set allowWideCIDRs in the settings",
            )
    return tuple(sorted(map(str, networks)))


def _network(path: str, cidr: str) -> IPv4Network:
    try:
        return IPv4Network(cidr)
    except (AddressValueError, NetmaskValueError):
        raise Refusal(INVALID_CLAIM, f"{path} holds {quote(cidr)}; write an IPv4 network such as 203.0.113.0/24") from None
    except ValueError:  # host bits are set
        whole = IPv4Network(cidr, strict=False)
        raise Refusal(INVALID_CLAIM, f"{path} holds {quote(cidr)}, an address inside a network; write {whole}") from None
