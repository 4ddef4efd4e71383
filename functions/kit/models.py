"""Typed, frozen models of small things: claims and settings."""

import re
from collections.abc import Collection
from typing import Annotated, Final, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
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


def shape(pattern: str, words: str) -> AfterValidator:
    """Return what checks that a text matches a pattern as a whole, and else says in words what it must be."""
    whole = re.compile(pattern)

    def check(text: str) -> str:
        if whole.fullmatch(text) is None:
            raise ValueError(f"it must be {words}")
        return text

    return AfterValidator(check)


# What names are made of, for messages.
LETTERS: Final = "lower-case letters, digits and hyphens, beginning with a letter and not ending in a hyphen"

Text = Annotated[str, StringConstraints(min_length=1)]

# The name of something within a claim: a disk, a volume, a binding.
PartName = Annotated[str, shape(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?", f"a name of at most 20 {LETTERS}")]

Tag = Annotated[str, shape(r"tag:[a-z][a-z0-9-]{0,58}", "a tag of the tailnet, such as tag:web")]

# A time of day in UTC, HH:MM.
Time = Annotated[str, shape(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a time of day in UTC, such as 02:30, in quotes")]

# What pydantic says of a type, a bound or a choice, in the words of those who write YAML.
_WORDS: Final = {
    "string_type": 'it must be text, in quotes where it looks like something else, such as "17"',
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_parsing_size": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "finite_number": "it must be a whole number",
    "tuple_type": "it must be a list, such as [a, b]",
    "model_type": "it must be an object, such as {{field: value}}",
    "dict_type": "it must be an object, such as {{key: value}}",
    "literal_error": "it must be {expected}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
    "string_too_short": "it must not be empty",
    "string_too_long": "it must have at most {max_length} characters",
    "too_short": "it must have at least one entry",
}

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
        parts = error.errors()[:3]
        unknown = next((part for part in parts if part["type"] == "extra_forbidden"), None)
        known = "" if unknown is None else f"; known are {', '.join(_known(model, unknown['loc'][:-1]))}"
        wrong = "; ".join(_sentence(path, part, unquoted) + (known if part is unknown else "") for part in parts)
        more = f" (and {error.error_count() - 3} more)" if error.error_count() > 3 else ""  # noqa: PLR2004  # as cut above
        raise Refusal(reason, f"{wrong}{more}; {remedy}") from None


def _sentence(path: str, part: ErrorDetails, unquoted: Collection[str]) -> str:
    where, given, context = part["loc"], part["input"], part.get("ctx", {})
    field = path + "".join(f"[{step}]" if isinstance(step, int) else f".{step[:63]}" for step in where)
    if part["type"] == "missing":
        return f"{field} is missing"
    if part["type"] == "extra_forbidden":
        return f"{field} is not a known field"
    message = _WORDS[part["type"]].format(**context) if part["type"] in _WORDS else part["msg"].removeprefix("Value error, ")
    hidden = isinstance(given, dict | list) or (where and where[0] in unquoted)
    what = field if hidden else f"{field} is {quote(given)}"
    return f"{what}: {message}"


def _known(model: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    """Return the fields of the model at a place; the steps into lists and mappings name no field."""
    for step in where:
        inside = [_model_of(field.annotation) for field in model.model_fields.values() if field.alias == step]
        model = next(filter(None, inside), model)
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _model_of(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_of, get_args(annotation))), None)
