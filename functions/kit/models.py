"""Typed, frozen models of small things: claims and settings."""

import re
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

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


def read(model: type[M], data: dict[str, Json], *, path: str, reason: str, remedy: str) -> M:
    """Read plain data into a model.

    Args:
        model: What it must be.
        data: What was given.
        path: Where it stands, such as "spec".
        reason: The refusal's reason.
        remedy: What the reader should do, the end of the sentence.

    Raises:
        Refusal: With every field that is wrong; what was given is quoted, cut to a readable length.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = "; ".join(_sentence(path, part["type"], part["loc"], part["msg"], part["input"]) for part in error.errors()[:3])
        more = f" (and {error.error_count() - 3} more)" if error.error_count() > 3 else ""  # noqa: PLR2004  # as cut above
        raise Refusal(reason, f"{wrong}{more}; {remedy}") from None


def _sentence(path: str, kind: str, where: tuple[int | str, ...], message: str, given: object) -> str:
    field = path + "".join(f"[{step}]" if isinstance(step, int) else f".{step[:63]}" for step in where)
    if kind == "missing":
        return f"{field} is missing"
    if kind == "extra_forbidden":
        return f"{field} is not a known field"
    wanted = message.removeprefix("Value error, ")
    what = field if isinstance(given, dict | list) else f"{field} is {quote(given)}"
    return f"{what}: {wanted[:1].lower()}{wanted[1:]}"
