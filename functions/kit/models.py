"""Typed, frozen models of small things: claims and settings."""

import re
from collections.abc import Collection
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from functions.kit.refusal import Refusal, quote
from functions.kit.structs import Json


def _outside(field: str) -> str:
    """Spell a field as Kubernetes does: camelCase, and abbreviations all in capitals."""
    return re.sub(r"(Gb|Cidrs)$", lambda match: {"Gb": "GB", "Cidrs": "CIDRs"}[match[0]], to_camel(field))


class Model(BaseModel):
    """Fields are snake_case here and camelCase outside; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=_outside)


Text = Annotated[str, StringConstraints(min_length=1)]

# A time of day in UTC, HH:MM.
Time = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]

M = TypeVar("M", bound=Model)


def read(model: type[M], data: dict[str, Json], *, path: str, reason: str, remedy: str, unquoted: Collection[str] = ()) -> M:
    """Read plain data into a model.

    Args:
        model: What it must be.
        data: What was given.
        path: Where it stands, such as "spec".
        reason: The refusal's reason.
        remedy: What the reader should do, the end of the sentence.
        unquoted: Fields of the top level that are never quoted, for a secret may have been put there by mistake.

    Raises:
        Refusal: With every field that is wrong; what was given is quoted, cut to a readable length.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = "; ".join(_sentence(path, part, unquoted) for part in error.errors()[:3])
        more = f" (and {error.error_count() - 3} more)" if error.error_count() > 3 else ""  # noqa: PLR2004  # as cut above
        raise Refusal(reason, f"{wrong}{more}; {remedy}") from None


def _sentence(path: str, part: ErrorDetails, unquoted: Collection[str]) -> str:
    where, given, message = part["loc"], part["input"], part["msg"].removeprefix("Value error, ")
    field = path + "".join(f"[{step}]" if isinstance(step, int) else f".{step[:63]}" for step in where)
    if part["type"] == "missing":
        return f"{field} is missing"
    if part["type"] == "extra_forbidden":
        return f"{field} is not a known field"
    hidden = isinstance(given, dict | list) or (where and where[0] in unquoted)
    what = field if hidden else f"{field} is {quote(given)}"
    return f"{what}: {message[:1].lower()}{message[1:]}"
