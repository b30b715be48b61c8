"""Pydantic bases of everything that goes in and out, and the one validation of input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from services.catalogue.json_input import read_json
from services.catalogue.naming import sentence
from services.catalogue.problems import BAD_REQUEST, VALIDATION_FAILED, FieldError, Problem
from services.catalogue.scalars import INT32, FieldType, field_type, integral
from services.catalogue.text import normalised

Model = TypeVar("Model", bound="InputModel")


def refuse_unfit(value: Any) -> Any:
    """PostgreSQL has no NUL in texts, and GraphQL no integers beyond 32 bits.

    Raises PydanticCustomError when a string has one or an integer is one, in lists too.
    """
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str) and "\x00" in text:
        raise PydanticCustomError("nul", "This text holds a NUL character.")
    if type(value) is int and not INT32[0] <= value <= INT32[1]:
        raise PydanticCustomError("int32", "This integer is out of range.")
    if isinstance(text, (list, tuple)):
        for each in text:
            refuse_unfit(each)
    return value


class InputModel(BaseModel):
    """What an operation takes: strict types, no unknown fields, every text in NFC and without NUL, integers of 32 bits.

    Lengths and patterns are those of the normalised text. Secrets are left as they are.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _in_one_form(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name in _secrets(cls):
            return value
        # The table of scalars has no floats, so that what a number is meant for needs no looking up.
        return [integral(each) for each in normalised(value)] if type(value) is list else integral(normalised(value))

    @field_validator("*", mode="after")
    @classmethod
    def _fits(cls, value: Any) -> Any:
        return refuse_unfit(value)

    def changes(self) -> dict[str, Any]:
        """The fields that the caller has sent, by name: JSON Merge Patch (RFC 7386) on the top level."""
        return {name: getattr(self, name) for name in self.model_fields_set}


@cache
def _secrets(model: type[BaseModel]) -> frozenset[str]:
    """The names of a model's fields that hold secrets."""
    return frozenset(name for name, info in model.model_fields.items() if _mentions(info.annotation, SecretStr))


def _mentions(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_mentions(each, kind) for each in get_args(annotation))


class NoInput(InputModel):
    """The input of an operation that takes none: nothing may be sent."""


def absent(description: str | None = None) -> Any:
    """Default of a field that may be left out, and then is not changed: `title: Title = absent()`."""
    return Field(default_factory=lambda: None, description=description)


class ReadModel(BaseModel):
    """The public fields of a resource: an allow-list, explicit field by field."""


class ResultModel(BaseModel):
    """What an operation returns when it isn't a resource."""

    model_config = ConfigDict(frozen=True)


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, FieldType]:
    """The fields of a model in order of declaration, described for both faces."""
    return {name: field_type(info) for name, info in model.model_fields.items()}


def description_of(model: type[BaseModel], name: str) -> str:
    """What a field is for: its own description, or that of its type (`Title`), or its name in words."""
    info = model.model_fields[name]
    nested = (each.description for each in _annotations(info.annotation) if isinstance(each, FieldInfo))
    fallback = "Its identifier, the same everywhere." if name == "id" else sentence(name)
    return info.description or next((each for each in nested if each), None) or fallback


def _annotations(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
    for each in get_args(annotation):
        yield from _annotations(each)


MAX_MESSAGE: Final = 300
MAX_LISTED: Final = 200
"""Errors beyond which it is not worth the time to look at any."""

_CODES: Final[Mapping[str, tuple[str, str | None]]] = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown", "There is no such field."),
    "one_of": ("choice", None),
    "enum": ("choice", "This is not one of the values allowed here."),
    "string_type": ("type", "This must be a string."),
    "string_sub_type": ("type", "This must be a string."),
    "int_type": ("type", "This must be an integer."),
    "int_from_float": ("type", "This must be an integer."),
    "int32": ("range", None),
    "int_parsing_size": ("range", "This integer is out of range."),
    "bool_type": ("type", "This must be true or false."),
    "list_type": ("type", "This must be a list."),
    "model_type": ("type", "This must be an object."),
    "dict_type": ("type", "This must be an object."),
    "string_too_short": ("length", None),
    "string_too_long": ("length", None),
    "too_short": ("length", None),
    "too_long": ("length", None),
    "greater_than": ("range", None),
    "greater_than_equal": ("range", None),
    "less_than": ("range", None),
    "less_than_equal": ("range", None),
    "string_pattern_mismatch": ("format", "This does not have the required form."),
}
"""Pydantic's error types, as our codes and sentences (None: Pydantic's own sentence). Others are about the format."""

_SIZES: Final[Mapping[str, tuple[str, str]]] = {
    "too_short": ("at least", "min_length"),
    "too_long": ("at most", "max_length"),
}
_WORDS = {"Input should": "This should", "String should": "This should"}


def _field_error(error: ErrorDetails, prefix: tuple[str | int, ...]) -> FieldError:
    code, message = _CODES.get(error["type"], ("format", None))
    text = message or error["msg"]
    if error["type"] in _SIZES:
        least_or_most, name = _SIZES[error["type"]]
        context = error["ctx"]
        # A secret is measured like a list, and "Value" is all that tells it from one.
        what = "characters" if context["field_type"] == "Value" else "entries"
        text = f"This should have {least_or_most} {context[name]} {what}."
    for ours, theirs in _WORDS.items():
        text = text.replace(ours, theirs)
    return FieldError((*prefix, *error["loc"]), code, text[:MAX_MESSAGE].removesuffix(".") + ".")


def too_much() -> Problem:
    """What is said where more is not valid than can be listed."""
    return Problem(VALIDATION_FAILED, "Too much is not valid to be listed.")


def problem_of(error: ValidationError, prefix: tuple[str | int, ...] = (), *, most: int = MAX_LISTED) -> Problem:
    """The Problem that Pydantic's errors amount to, `most` of them listed. No input value is in it."""
    if error.error_count() > most:
        return too_much()
    errors = error.errors(include_url=False, include_input=False)
    # Whoever asks Pydantic has found it well-formed: only its parser's depth is left.
    if any(each["type"] == "json_invalid" for each in errors):
        return Problem(BAD_REQUEST, "The body is nested too deeply.")
    if not prefix and any(
        each["loc"] == () and each["type"] in {"model_type", "model_attributes_type"} for each in errors
    ):
        return Problem(BAD_REQUEST, "The body must be a JSON object.")
    return Problem(VALIDATION_FAILED, errors=[_field_error(each, prefix) for each in errors])


def refuse_crowd(model: type[BaseModel], data: Mapping[str, Any]) -> None:
    """Raises `validation_failed` for more unknown members than would be listed, as validation would: for less."""
    if len(data) > len(model.model_fields) + MAX_LISTED:
        raise too_much()


def parse_input(model: type[Model], data: bytes | Mapping[str, Any], *, most: int = MAX_LISTED) -> Model:
    """Validate an operation's input, once, whichever face it came through.

    `data` is a JSON body, or the same as a mapping in the services' own names. Raises `bad_request` when it is no JSON
    object or has a name twice, `validation_failed` with every field at fault, if they are not more than `most`.
    """
    if isinstance(data, bytes):
        read_json(data)  # Pydantic's parser takes NaN and infinities, which are no JSON (RFC 8259, section 6)
    else:
        refuse_crowd(model, data)
    try:
        return model.model_validate_json(data if isinstance(data, bytes) else orjson.dumps(data))
    except ValidationError as error:
        raise problem_of(error, most=most) from None
    except TypeError:  # orjson: an integer beyond 64 bits, or lists within lists without end
        raise Problem(VALIDATION_FAILED, "A value is out of range, or nested too deeply.") from None


def unfit(error: PydanticCustomError, path: Sequence[str | int]) -> Problem:
    """What is said of a value that `refuse_unfit` or `normalised` refuses."""
    return Problem(VALIDATION_FAILED, errors=[FieldError(tuple(path), "format", error.message())])


def parse_value(adapter: TypeAdapter[Any], value: Any, path: Sequence[str | int]) -> Any:
    """Validate one JSON value (of a filter, or an identifier). Raises `validation_failed` naming the path."""
    try:
        return refuse_unfit(adapter.validate_json(orjson.dumps(value), strict=True))
    except ValidationError as error:
        raise problem_of(error, tuple(path)) from None
    except PydanticCustomError as error:
        raise unfit(error, path) from None
    except TypeError:  # orjson: an integer beyond 64 bits
        raise Problem.field(tuple(path), "range", "This value is out of range.") from None
