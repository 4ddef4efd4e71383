"""User data: what a machine does at its first boot, ours and the claim's."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from email.generator import Generator
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from functools import lru_cache
from typing import Final

import yaml

from functions.kit.refusal import INVALID_CLAIM, Refusal
from functions.kit.structs import Json
from functions.vm.firewall import Rule, nftables

# How user data begins, and the MIME type that cloud-init handles it as (cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP).
_TYPES: Final = {
    "#cloud-config": "cloud-config",
    "#!": "x-shellscript",
    "#cloud-boothook": "cloud-boothook",
    "## template: jinja": "jinja2",
}
# Ours comes first and wins; lists, such as write_files, get the user's entries behind ours.
_MERGE: Final = "list(append)+dict(no_replace,recurse_list)+str()"

_AUTH_KEY_FILE: Final = "/run/gravitek/tailscale-auth-key"
_RULESET_FILE: Final = "/etc/gravitek/firewall.nft"

_FIREWALL_UNIT: Final = f"""\
[Unit]
Description=Firewall of the VM claim
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {_RULESET_FILE}
[Install]
WantedBy=multi-user.target
"""


def user_data(ours: Mapping[str, Json], theirs: str) -> str:
    """Put the platform's cloud-config and the claim's user data together.

    Args:
        ours: A cloud-config.
        theirs: The claim's user data, "" where it has none.

    Returns:
        A cloud-config, or a MIME multi-part with the claim's user data as it was given.

    Raises:
        Refusal: Where cloud-init would ignore the claim's: an unknown beginning, or YAML that is broken, with line and column.
    """
    config = "#cloud-config\n" + yaml.dump(dict(ours), Dumper=_Dumper, sort_keys=False, width=1000)
    if not theirs:
        return config
    kind = _kind(theirs)
    if kind == "cloud-config":
        _check_cloud_config(theirs)
    part = MIMEText(theirs, kind)
    part["Merge-Type"] = _MERGE
    boundary = f"gravitek-{hashlib.sha256((config + theirs).encode()).hexdigest()[:32]}"
    whole = MIMEMultipart(boundary=boundary)
    whole.attach(MIMEText(config, "cloud-config"))
    whole.attach(part)
    out = io.StringIO()
    Generator(out, mangle_from_=False, maxheaderlen=0).flatten(whole)
    return out.getvalue()


def login(ssh_keys: Iterable[str]) -> dict[str, Json]:
    """Return the cloud-config of who may log in: these keys, never a password."""
    keys: list[Json] = [*ssh_keys]
    return {"ssh_pwauth": False, **({"ssh_authorized_keys": keys} if keys else {})}


def firewall(rules: Iterable[Rule], *, tailnet: bool) -> dict[str, Json]:
    """Return the cloud-config of a firewall on the machine itself.

    `bootcmd` runs before sshd starts; the unit loads the ruleset at every later boot, with or without cloud-init.
    """
    ruleset = nftables(rules, tailnet=tailnet)
    return {
        "bootcmd": [
            ["mkdir", "-p", "/etc/gravitek"],
            ["sh", "-c", f"cat > {_RULESET_FILE} <<'END'\n{ruleset}END\n"],
            ["nft", "-f", _RULESET_FILE],
        ],
        "packages": ["nftables"],
        "write_files": [{"path": "/etc/systemd/system/gravitek-firewall.service", "content": _FIREWALL_UNIT}],
        "runcmd": [["systemctl", "enable", "--now", "gravitek-firewall.service"]],
    }


def tailnet(hostname: str, tags: Iterable[str], auth_key: str) -> dict[str, Json]:
    """Return the cloud-config that joins a tailnet with a key, which is gone from the disk's files afterwards."""
    advertised = ",".join(tags)
    up = ["tailscale", "up", f"--auth-key=file:{_AUTH_KEY_FILE}", f"--hostname={hostname}"]
    joins: list[Json] = [*up, *([f"--advertise-tags={advertised}"] if advertised else [])]
    return {
        "packages": ["curl"],
        "write_files": [{"path": _AUTH_KEY_FILE, "permissions": "0600", "content": auth_key}],
        "runcmd": [
            ["sh", "-c", "curl -fsSL https://tailscale.com/install.sh | sh"],
            joins,
            ["rm", "-f", _AUTH_KEY_FILE],
        ],
    }


def merged(*configs: Mapping[str, Json]) -> dict[str, Json]:
    """Merge cloud-configs of ours: lists one behind the other."""
    result: dict[str, Json] = {}
    for config in configs:
        for key, value in config.items():
            there = result.get(key)
            result[key] = [*there, *value] if isinstance(there, list) and isinstance(value, list) else value
    return result


class _Dumper(yaml.CSafeDumper):
    """Writes text of several lines as a block, so that people can read it."""


def _write_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)


def _kind(theirs: str) -> str:
    """Return the MIME subtype of user data."""
    for beginning, kind in _TYPES.items():
        if theirs.startswith(beginning):
            return kind
    raise Refusal(
        INVALID_CLAIM,
        f"spec.userData begins with none of {', '.join(_TYPES)}; cloud-init would ignore it; "
        "put the fitting one into its first line",
    )


@lru_cache(maxsize=256)
def _check_cloud_config(text: str) -> None:
    # Only composed, never constructed: constructing expands aliases, and a few lines can ask for gigabytes.
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Refusal(INVALID_CLAIM, f"spec.userData is no valid YAML: {where}{error.problem}; correct it there") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        raise Refusal(
            INVALID_CLAIM, f"spec.userData is no valid YAML: line {line}, column {column}: a control character; remove it"
        ) from None
    except RecursionError:
        raise Refusal(INVALID_CLAIM, "spec.userData is nested too deeply; make it flatter") from None
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise Refusal(INVALID_CLAIM, "spec.userData is no cloud-config: its top level must be keys with values; correct it")
