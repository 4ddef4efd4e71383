"""Secrets out of the platform's store: External Secrets v2.9."""

import re
from collections.abc import Iterator
from typing import Final

from functions.app.claim import Claim
from functions.app.order import Order, Part
from functions.kit import names
from functions.kit.manifests import manifest
from functions.kit.observed import ObservedResource

KEY: Final = "secrets"
EXTERNAL_SECRET: Final = ("external-secrets.io/v1", "ExternalSecret")

_NAME: Final = re.compile(
    r"(^|_|PG)(PASSWORD|PASSWD|PASS|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE
)
_VALUE: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|^[a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\$\()[^/\s@]+@"  # a URL with a password in it, and not that of a variable
    r"|^eyJ[\w-]{10,}\.[\w-]+\.[\w-]*$"  # a JSON web token
    r"|^(gh[pousr]_|github_pat_|glpat-|xox[abp]-|sk_live_|rk_live_|AKIA|tskey-|EXO[0-9a-f]{20})"
)
# What stands in a secret's place, and is none: a variable, a number, true or false.
_NONE: Final = re.compile(r"(?s).*\$\(.*|[0-9]+|.{0,5}")
# In a command also a shell's variable, and the path of a file.
_NONE_IN_COMMAND: Final = re.compile(r"[\"']?\$.*|(/[\w.-]+){2,}")


def part(order: Order) -> list[Part]:
    """Compose what fetches the claim's secrets, and those that pods of before may still read; nothing where there are none."""
    store, seen, name = order.settings.secret_store, order.live.get(KEY), secret_name(order)
    data: list[object] = [
        {
            "secretKey": secret.name,
            "remoteRef": {"key": secret.key} | ({"property": secret.property} if secret.property else {}),
        }
        for secret in order.claim.secrets
    ]
    wanted = {secret.name for secret in order.claim.secrets}
    data += [
        entry.plain
        for entry in (seen.objects("spec", "data") if seen else [])
        if entry.text("secretKey") not in wanted and order.may_be_read(name, entry.text("secretKey"))
    ]
    if not data:
        return []
    spec = {
        "refreshInterval": "1h0m0s",
        "secretStoreRef": {"kind": store.kind, "name": store.name} if store else seen and seen.at("spec", "secretStoreRef"),
        "target": {"name": name, "creationPolicy": "Owner"},
        "data": data,
    }
    return [Part(KEY, manifest(EXTERNAL_SECRET, name, order.labels, spec), synced, fails)]


def secret_name(order: Order) -> str:
    """Return the name of the Secret that holds the claim's secrets."""
    return names.unshared(order.name, "secrets")


def synced(seen: ObservedResource) -> str:
    """Say what an ExternalSecret or a PushSecret still waits for.

    What was synced stays where the store is down later. The operator tells of which generation that was: GetResourceVersion in
    runtime/util/ctrlutil, v2.9.
    """
    generation, version = seen.number("metadata", "generation"), seen.text("status", "syncedResourceVersion")
    done = version.startswith(f"{generation}-") if version and generation else seen.is_true("Ready")
    return "" if done else seen.trouble() or "it is not synced yet"


def fails(seen: ObservedResource) -> str:
    """Say why an ExternalSecret or a PushSecret cannot be synced again."""
    return seen.said("Ready")


def waits(order: Order) -> str:
    """Say what the claim's secrets wait for, "" where they are there or there are none."""
    if not order.claim.secrets:
        return ""
    seen = order.live.get(KEY)
    entries = seen.objects("spec", "data") if seen else []
    asked = {(entry.text("secretKey"), entry.text("remoteRef", "key"), entry.text("remoteRef", "property")) for entry in entries}
    if seen is None or not asked.issuperset((secret.name, secret.key, secret.property or "") for secret in order.claim.secrets):
        told = "it is being made" if seen is None else "it is being changed"
    else:
        told = synced(seen)
    return f"ExternalSecret {secret_name(order)}: {told}" if told else ""


def env(order: Order) -> list[dict[str, object]]:
    """Return the claim's secrets as environment variables."""
    return [
        {"name": secret.name, "valueFrom": {"secretKeyRef": {"name": secret_name(order), "key": secret.name}}}
        for secret in order.claim.secrets
    ]


def warnings(claim: Claim) -> Iterator[str]:
    """Warn of values that look like secrets, without repeating them."""
    found = [f"env[{number}] ({entry.name})" for number, entry in enumerate(claim.env) if _is_secret(entry.name, entry.value)]
    migrate = claim.migrate.command if claim.migrate else ()
    for field, words in (("command", claim.command), ("args", claim.args), ("migrate.command", migrate)):
        found += [f"{field}[{number}]" for number in _secret_words(words)]
    for field in found:
        yield (
            f"spec.{field} looks like a secret, and who reads Git or the cluster can read it: "
            "take it as known to others, put a new one into the secret store and name it under spec.secrets"
        )


def _secret_words(words: tuple[str, ...]) -> Iterator[int]:
    """Find NAME=value, --name=value, --name value, and values that look like secrets by themselves."""
    option = ""
    for number, word in enumerate(words):
        looks = bool(_VALUE.search(word))
        for part in word.split():
            name, equals, value = part.partition("=")
            opens = part.startswith("-") and not equals  # its value is the next word
            if not equals and not opens:
                name, value = option, part
            looks |= not _NONE_IN_COMMAND.fullmatch(value) and _is_secret(name, value)
            option = name if opens else ""
        if looks:
            yield number


def _is_secret(name: str, value: str) -> bool:
    value = value.strip("\"'")
    named = _NAME.search(name.lstrip("-").replace("-", "_")) and not _NONE.fullmatch(value)
    return bool(named or _VALUE.search(value))
