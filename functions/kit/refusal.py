"""The one expected error: a claim that must not be composed as it is."""

import json
import re
from collections.abc import Iterable
from typing import Final

# Reasons of Accepted=False. Documented in docs/status.md.
INVALID_CLAIM: Final = "InvalidClaim"
NOT_OFFERED: Final = "NotOffered"
NOT_CHANGEABLE: Final = "NotChangeable"
OPEN_TO_THE_WORLD: Final = "OpenToTheWorld"
PROVIDER_SWITCH: Final = "ProviderSwitch"
SETTINGS_MISSING: Final = "SettingsMissing"
SETTINGS_INVALID: Final = "SettingsInvalid"
NAME_TAKEN: Final = "NameTaken"
SERVER_LOST: Final = "ServerLost"
WOULD_REMOVE: Final = "WouldRemove"
INTERNAL_ERROR: Final = "InternalError"

_LONGEST_QUOTE: Final = 80
_LOGIN: Final = re.compile(r"://[^/\s]*@")


class Refusal(Exception):  # noqa: N818  # the word users see in the docs
    """Nothing is composed, changed or removed, and the user reads why.

    Attributes:
        reason: The reason of the condition `Accepted`, one of this module's constants.
        sentence: The field's path, what was given, what is allowed, what to do. Never a secret.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


def not_changeable(path: str, given: object, why: str, back: str) -> Refusal:
    """Return the refusal of a change that what is live cannot follow.

    Args:
        path: The field.
        given: Its value.
        why: What is live and why it stays.
        back: What to put back.
    """
    return Refusal(NOT_CHANGEABLE, f"{path} is {quote(given)}; {why}; put {back} back, or create a new claim and move the data")


def not_offered(path: str, given: object, provider: str, offered: Iterable[str]) -> Refusal:
    """Return the refusal of something that a provider does not have.

    Args:
        path: The field.
        given: Its value.
        provider: The provider.
        offered: What it has.
    """
    return Refusal(NOT_OFFERED, f"{path} is {quote(given)}; {provider} offers {', '.join(sorted(offered))}; use one of these")


def quote(given: object) -> str:
    """Quote what a user gave, as YAML spells it: one line, cut where it would drown the sentence, no password of a URL."""
    if given is None or isinstance(given, bool | int | float):
        return _cut(json.dumps(given))
    text = "".join(letter if letter.isprintable() else " " for letter in _LOGIN.sub("://…@", str(given)))
    return f'"{_cut(text)}"'


def _cut(text: str) -> str:
    return f"{text[:_LONGEST_QUOTE]}…" if len(text) > _LONGEST_QUOTE else text
