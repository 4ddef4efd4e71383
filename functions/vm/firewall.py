"""What may reach a machine: a claim's ingress as single rules, and as nftables where the cloud has no firewall."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from functions.kit.addresses import check_cidrs
from functions.kit.refusal import INVALID_CLAIM, Refusal, quote
from functions.vm.claim import Ingress

_LAST_PORT: Final = 65_535


class Rule(NamedTuple):
    """One way in.

    Attributes:
        protocol: tcp, udp or icmp; icmp is the echo request alone.
        first: The first port, 0 for icmp.
        last: The last port, 0 for icmp.
        cidr: Who may come, an IPv4 network.
    """

    protocol: str
    first: int
    last: int
    cidr: str

    @property
    def ports(self) -> str:
        """One port, or a range with a hyphen; "" for icmp."""
        return "" if not self.first else str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def name(self) -> str:
        """A name from the rule's content: another rule is another resource, and the order in a claim means nothing."""
        parts = (self.protocol, self.ports, self.cidr.replace(".", "-").replace("/", "-"))
        return "-".join(part for part in parts if part)


def rules(ingress: Iterable[Ingress], *, allow_wide: bool) -> tuple[Rule, ...]:
    """Take a claim's ingress apart.

    Args:
        ingress: `spec.ingress`.
        allow_wide: Whether networks wider than a /8, such as 0.0.0.0/0, are let through.

    Returns:
        The rules, each once, in an order that does not depend on the claim's.

    Raises:
        Refusal: Where ports or networks are not valid, or open too much.
    """
    found: set[Rule] = set()
    for number, entry in enumerate(ingress):
        path = f"spec.ingress[{number}]"
        first, last = _ports(f"{path}.ports", entry)
        found |= {
            Rule(entry.protocol, first, last, cidr) for cidr in check_cidrs(f"{path}.from", entry.sources, allow_wide=allow_wide)
        }
    return tuple(sorted(found))


def _ports(path: str, entry: Ingress) -> tuple[int, int]:
    if entry.protocol == "icmp":
        if entry.ports is not None:
            raise Refusal(INVALID_CLAIM, f"{path} is {quote(entry.ports)}; icmp has no ports; remove the field")
        return 0, 0
    if entry.ports is None:
        raise Refusal(
            INVALID_CLAIM, f'{path} is missing; {entry.protocol} needs a port such as "443" or a range such as "8000-8100"'
        )
    low, _, high = entry.ports.partition("-")
    first, last = int(low), int(high or low)
    if not first <= last <= _LAST_PORT:
        raise Refusal(
            INVALID_CLAIM, f"{path} is {quote(entry.ports)}; write a port from 1 to {_LAST_PORT}, or a range from low to high"
        )
    return first, last


def nftables(wanted: Iterable[Rule], *, tailnet: bool) -> str:
    """Write a ruleset that drops all that comes in, but for the rules.

    Loading it again replaces it as a whole. Neighbour discovery stays, or IPv6 would not work at all.

    Args:
        wanted: The rules.
        tailnet: Whether what comes through the tailnet is let in; the tailnet's own rules decide there.
    """
    accepted = ['iifname "tailscale0" accept'] if tailnet else []
    for rule in wanted:
        what = "icmp type echo-request" if rule.protocol == "icmp" else f"{rule.protocol} dport {rule.ports}"
        accepted.append(f"ip saddr {rule.cidr} {what} accept")
    lines = [
        "type filter hook input priority filter; policy drop;",
        "ct state established,related accept",
        'iif "lo" accept',
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
        *accepted,
    ]
    chain = "\n".join(f"    {line}" for line in lines)
    return f"table inet gravitek\ndelete table inet gravitek\ntable inet gravitek {{\n  chain input {{\n{chain}\n  }}\n}}\n"
