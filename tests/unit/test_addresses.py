"""Which networks are let in."""

import pytest

from functions.kit.addresses import check_cidrs
from functions.kit.refusal import Refusal


@pytest.mark.parametrize(
    ("cidrs", "said", "why"),
    [
        (("0.0.0.0/0",), "everybody", "the world"),
        (("0.0.0.0/1",), "large part", "two of these are the world"),
        (("10.0.0.0/7",), "large part", "wider than any organisation"),
        (("203.0.113.9/24",), "write 203.0.113.0/24", "host bits are set"),
        (("::/0",), "write an IPv4 network", "IPv6 is not let in"),
        (("localhost",), "write an IPv4 network", "a name"),
        (("203.0.113.0/33",), "write an IPv4 network", "no such prefix"),
        (
            (
                "203.0.113.0/24",
                "0.0.0.0/0",
            ),
            "everybody",
            "one open door among good ones",
        ),
    ],
)
def test_refused(cidrs: tuple[str, ...], said: str, why: str) -> None:
    with pytest.raises(Refusal, match=said):
        check_cidrs("spec.allowedCIDRs", cidrs, allow_wide=False)
    assert why


@pytest.mark.parametrize(
    ("cidrs", "networks", "why"),
    [
        (("10.0.0.0/8",), ("10.0.0.0/8",), "the widest"),
        (("203.0.113.9",), ("203.0.113.9/32",), "an address alone is a network of one"),
        (("10.0.0.0/255.0.0.0",), ("10.0.0.0/8",), "clouds know prefixes only"),
        (
            (
                "192.0.2.0/24",
                "10.0.0.0/8",
                "192.0.2.0/24",
            ),
            ("10.0.0.0/8", "192.0.2.0/24"),
            "order and repeats mean nothing",
        ),
    ],
)
def test_let_in(cidrs: tuple[str, ...], networks: tuple[str, ...], why: str) -> None:
    assert check_cidrs("spec.allowedCIDRs", cidrs, allow_wide=False) == networks, why


def test_settings_may_allow_more() -> None:
    assert check_cidrs("spec.allowedCIDRs", ("0.0.0.0/0",), allow_wide=True) == ("0.0.0.0/0",)
