"""Secrets that functions compose."""

from base64 import b64decode, b64encode
from collections.abc import Mapping

from functions.kit.observed import ObservedResource
from functions.kit.structs import Json


def secret(name: str, labels: Mapping[str, str], data: Mapping[str, str], secret_type: str = "Opaque") -> dict[str, object]:  # noqa: S107  # a type, no password
    """Build a Secret.

    Args:
        name: Its metadata.name.
        labels: Its labels.
        data: Its values as text; encoded here.
        secret_type: Its type, which Kubernetes never lets change.
    """
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": secret_type,
        "data": encoded,
    }


def kept(observed: ObservedResource, name: str, labels: Mapping[str, str], secret_type: str = "Opaque") -> dict[str, object]:  # noqa: S107  # a type, no password
    """Build a Secret again as it was observed, for a pass in which its values are not to be had."""
    data = observed.at("data")
    same: Mapping[str, Json] = data if isinstance(data, dict) else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "type": secret_type,
        "data": same,
    }


def value(observed: ObservedResource, key: str) -> str:
    """Return a value of an observed Secret as text, "" where it is missing or no text."""
    try:
        return b64decode(observed.text("data", key), validate=True).decode()
    except ValueError:  # no base64, or no UTF-8 behind it
        return ""
