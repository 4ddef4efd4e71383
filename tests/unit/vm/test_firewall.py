"""Ingress becomes single rules, and nftables that a kernel takes."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.kit.refusal import Refusal
from functions.vm.claim import Ingress
from functions.vm.firewall import Rule, nftables, rules
from tests.programs import program

RULES: Final = [
    Rule("icmp", 0, 0, "192.0.2.1/32"),
    Rule("tcp", 1, 65535, "10.0.0.0/8"),
    Rule("tcp", 22, 22, "203.0.113.0/24"),
    Rule("udp", 60000, 61000, "198.51.100.0/24"),
]


def ingress(**fields: Any) -> Ingress:
    return Ingress.model_validate({"protocol": "tcp", "ports": "22", "from": ["203.0.113.0/24"]} | fields)


def in_a_network_of_its_own(script: str, ruleset: str, folder: Path) -> str:
    """Run nft on the file "ruleset" in a new network namespace, where it has the rights and does no harm."""
    program("nft", "nftables")
    (folder / "ruleset").write_text(ruleset)
    command = [program("unshare", "util-linux"), "--map-root-user", "--net", "sh", "-c", script]
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=path)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("tailnet", [True, False])
@pytest.mark.parametrize("wanted", [[], RULES], ids=["closed", "open to some"])
def test_nft_takes_the_ruleset(wanted: list[Rule], tmp_path: Path, *, tailnet: bool) -> None:
    in_a_network_of_its_own("nft --check -f ruleset", nftables(wanted, tailnet=tailnet), tmp_path)


def test_the_kernel_drops_all_but_the_rules_however_often_it_is_loaded(tmp_path: Path) -> None:
    script = "nft -f ruleset && nft -f ruleset && nft --json list ruleset"
    listed = json.loads(in_a_network_of_its_own(script, nftables(RULES, tailnet=False), tmp_path))["nftables"]
    chain = next(entry["chain"] for entry in listed if "chain" in entry)
    assert (chain["hook"], chain["policy"]) == ("input", "drop")
    assert sum("rule" in entry for entry in listed) == 3 + len(RULES), (
        "established, loopback, neighbour discovery, and the claim's"
    )


def test_without_ingress_no_port_is_open() -> None:
    assert "dport" not in nftables([], tailnet=True)


def test_order_and_repeats_mean_nothing() -> None:
    one = [ingress(**{"from": ["203.0.113.0/24", "192.0.2.1/32"]}), ingress(ports="443")]
    other = [ingress(ports="443"), ingress(**{"from": ["192.0.2.1/32"]}), ingress(), ingress()]
    assert rules(one, allow_wide=False) == rules(other, allow_wide=False)


ports = st.integers(1, 65535)
networks = st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)).map(
    lambda pair: (
        f"{'.'.join(str(pair[0] >> (32 - pair[1]) << (32 - pair[1]) >> shift & 255) for shift in (24, 16, 8, 0))}/{pair[1]}"
    )
)
any_rule = st.tuples(st.sampled_from(["tcp", "udp"]), ports, ports, networks).map(
    lambda parts: Rule(parts[0], min(parts[1:3]), max(parts[1:3]), parts[3])
)


@given(any_rule, any_rule)
def test_different_rules_have_different_names(one: Rule, other: Rule) -> None:
    assert (one.name == other.name) == (one == other)


@pytest.mark.parametrize(
    ("fields", "sentence", "why"),
    [
        ({"ports": "0"}, None, "the model refuses it, as the XRD does"),
        ({"ports": "70000"}, 'spec.ingress[0].ports is "70000"', "no such port"),
        ({"ports": "443-80"}, 'spec.ingress[0].ports is "443-80"', "from high to low"),
        ({"ports": None}, "spec.ingress[0].ports is missing", "every port is never meant"),
        ({"protocol": "icmp"}, "icmp has no ports", "a port of a ping"),
        ({"from": ["0.0.0.0/0"]}, "lets in everybody", "an open door"),
        ({"from": ["10.0.0.1/8"]}, "write 10.0.0.0/8", "an address in a network"),
    ],
)
def test_what_cannot_be_a_rule(fields: dict[str, Any], sentence: str | None, why: str) -> None:
    if sentence is None:
        with pytest.raises(ValueError, match="it must be a port"):
            ingress(**fields)
        return
    with pytest.raises(Refusal) as refused:
        rules([ingress(**fields)], allow_wide=False)
    assert sentence in refused.value.sentence, why
