"""What the API server says of a VM claim: CEL rules, and what may change in a live one."""

from typing import Any, Final

import pytest

from tests.api import Change, assert_judged
from tests.cases import EXAMPLES, load, merged
from tools.crossplane import judge

BASE: Final = load(EXAMPLES / "claims" / "vm" / "exoscale-small.yaml")
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJW5JA2OMfz7BhsNffpU0Kg2AuJIdknZmnhj9sk/AnrI ada@example.org"
PRIVATE: Final = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"


def by_label(provider: str) -> dict[str, Any]:
    return {"spec": {"crossplane": {"compositionSelector": {"matchLabels": {"provider": provider}}}}}


def by_ref(name: str) -> dict[str, Any]:
    return {"spec": {"crossplane": {"compositionSelector": None, "compositionRef": {"name": name}}}}


def disks(**sizes: int) -> dict[str, Any]:
    return {"spec": {"dataDisks": [{"name": name, "sizeGB": size} for name, size in sizes.items()]}}


def ingress(**fields: Any) -> dict[str, Any]:
    return {"spec": {"ingress": [{"protocol": "tcp", "ports": "443", "from": ["203.0.113.0/24"]} | fields]}}


LIVE: Final = {"status": {"region": "ch-gva-2", "dataDisks": [{"name": "data", "sizeGB": 50}]}}

CHANGES: Final = [
    Change("no provider: the default", {"spec": {"crossplane": None}}),
    Change(
        "a provider that has no VMs",
        by_label("kubernetes"),
        refused="must be one of exoscale, ovh, scaleway",
    ),
    Change(
        "a Composition of another kind",
        by_ref("postgresql-ovh"),
        refused="compositionRef must be vm-PROVIDER",
    ),
    Change("the provider changes", by_label("ovh"), {}, refused="the provider of a claim cannot change"),
    Change("a size that nobody sells", {"spec": {"size": "huge"}}, refused="Unsupported value"),
    Change("an image that nobody has", {"spec": {"image": "windows-11"}}, refused="Unsupported value"),
    Change("a name with a dot", {"metadata": {"name": "web.v2"}}, refused="metadata.name must be"),
    Change("the region of a live machine", {"spec": {"region": "de-fra-1"}}, LIVE, refused="region cannot change"),
    Change("the region of a live machine, written out", {"spec": {"region": "ch-gva-2"}}, LIVE),
    Change("a disk grows", disks(data=60), merged(disks(data=50), LIVE)),
    Change("a disk shrinks", disks(data=40), merged(disks(data=50), LIVE), refused="a data disk can only grow"),
    Change("a growth that was refused is taken back", disks(data=50), merged(disks(data=9000), LIVE)),
    Change("a disk leaves the list", disks(logs=20), merged(disks(data=50, logs=20), LIVE)),
    Change(
        "a disk twice",
        {"spec": {"dataDisks": [{"name": "a", "sizeGB": 10}] * 2}},
        refused="Duplicate value",
    ),
    Change("a rule", ingress()),
    Change("a range of ports", ingress(ports="8000-8100")),
    Change("a rule without ports", ingress(ports=None) | {}, refused="tcp and udp need ports"),
    Change("a ping", {"spec": {"ingress": [{"protocol": "icmp", "from": ["203.0.113.0/24"]}]}}),
    Change("a ping with ports", ingress(protocol="icmp"), refused="icmp has none"),
    Change("ports that are no number", ingress(ports="https"), refused="should match"),
    Change("a rule for nobody", ingress(**{"from": []}), refused="should have at least 1 items"),
    Change("an IPv6 network", ingress(**{"from": ["::/0"]}), refused="should match"),
    Change("a tailnet without a key", {"spec": {"tailscale": {"enabled": True}}}, refused="authKeySecretRef is needed"),
    Change("a tailnet that is switched off", {"spec": {"tailscale": {"enabled": False}}}),
    Change("a tag without tag:", {"spec": {"tailscale": {"tags": ["server"]}}}, refused="should match"),
    Change("no key at all", {"spec": {"sshKeys": None}}),
    Change("a key of a security token", {"spec": {"sshKeys": [KEY.replace("ssh-ed25519", "sk-ssh-ed25519@openssh.com")]}}),
    Change("a key without a comment", {"spec": {"sshKeys": [KEY.rpartition(" ")[0]]}}),
    Change("a private key", {"spec": {"sshKeys": [PRIVATE]}}, refused="each must be an SSH public key"),
    Change("the machine is replaced", {"spec": {"recreate": 3}}, {}),
    Change("a generation that never was", {"spec": {"recreate": 0}}, refused="should be greater than or equal to 1"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.why)
def test_change(change: Change) -> None:
    assert_judged(change, CHANGES, BASE)


@pytest.mark.parametrize(
    "given", [[PRIVATE], [PRIVATE, PRIVATE], [PRIVATE * 40], PRIVATE, [[PRIVATE]], {"key": PRIVATE}], ids=str
)
def test_a_private_key_is_not_repeated(given: object) -> None:
    verdict = judge("vm", [{"name": "private key", "new": merged(BASE, {"spec": {"sshKeys": given}})}])[0]
    assert verdict["errors"]
    assert "c2VjcmV0" not in str(verdict)
