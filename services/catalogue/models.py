"""Pydantic base classes of inputs and outputs, and the validation of inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeVar, get_args

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
from services.catalogue.scalars import INT32, FieldType, coerce_integer, field_type
from services.catalogue.text import normalised

Model = TypeVar("Model", bound="InputModel")


def check_representable(value: Any) -> Any:
    """Return the value if PostgreSQL and GraphQL can represent it.

    Raises PydanticCustomError for a string with a NUL character and for an integer beyond 32 bits, in lists too.
    """
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str) and "\x00" in text:
        raise PydanticCustomError("nul", "This text holds a NUL character.")
    if type(value) is int and not INT32[0] <= value <= INT32[1]:
        raise PydanticCustomError("int32", "This integer is out of range.")
    if isinstance(text, (list, tuple)):
        for entry in text:
            check_representable(entry)
    return value


class InputModel(BaseModel):
    """Base class of operations' inputs: strict types, no unknown fields, NFC texts without NUL, 32-bit integers.

    Lengths and patterns apply to the normalised text. Secrets are not normalised.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _normalise(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name in _secrets(cls):
            return value
        value = normalised(value)
        # The table of scalars has no floats, so every number is meant as an integer.
        return [coerce_integer(entry) for entry in value] if type(value) is list else coerce_integer(value)

    _fits = field_validator("*", mode="after")(check_representable)

    def changes(self) -> dict[str, Any]:
        """Return the fields that the caller has sent, by name: JSON Merge Patch (RFC 7386) on the top level."""
        return {name: getattr(self, name) for name in self.model_fields_set}


@cache
def _secrets(model: type[BaseModel]) -> frozenset[str]:
    annotations = {name: info.annotation for name, info in model.model_fields.items()}
    return frozenset(name for name, kind in annotations.items() if SecretStr in (kind, *_arguments(kind)))


def _arguments(annotation: Any) -> Iterator[Any]:
    """Yield the types and the metadata that an annotation consists of, the outer ones first."""
    arguments = get_args(annotation)
    yield from arguments
    for argument in arguments:
        yield from _arguments(argument)


class NoInput(InputModel):
    """The input of an operation that takes none."""


def absent(description: str | None = None) -> Any:
    """Return the default of an optional field that is left unchanged when it is omitted: `title: Title = absent()`."""
    return Field(default_factory=lambda: None, description=description)


class ReadModel(BaseModel):
    """Base class of the public fields of a resource, an explicit allow-list."""


class ResultModel(BaseModel):
    """Base class of operations' results that are not resources."""

    model_config = ConfigDict(frozen=True)


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, FieldType]:
    """Return the fields of a model in order of declaration, described for both faces."""
    return {name: field_type(info) for name, info in model.model_fields.items()}


def description_of(model: type[BaseModel], name: str) -> str:
    """Return a field's description: its own, or that of its type (`Title`), or its name in words."""
    info = model.model_fields[name]
    nested = (part.description for part in _arguments(info.annotation) if isinstance(part, FieldInfo))
    fallback = "Its identifier, the same everywhere." if name == "id" else sentence(name)
    return info.description or next(filter(None, nested), fallback)


MAX_MESSAGE: Final = 300
MAX_LISTED: Final = 200
"""The number of validation errors beyond which no error is listed."""

_CODES: Final[Mapping[str, tuple[str, str | None]]] = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown", "There is no such field."),
    "one_of": ("choice", None),
    "enum": ("choice", "This is not one of the values allowed here."),
    "string_type": ("type", "This must be a string."),
    "int_type": ("type", "This must be an integer."),
    "int32": ("range", None),
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
"""Codes and messages by Pydantic's error types (None: Pydantic's own message). Other types have the code `format`."""


def _field_error(error: ErrorDetails, prefix: tuple[str | int, ...]) -> FieldError:
    code, fixed_message = _CODES.get(error["type"], ("format", None))
    message = fixed_message or error["msg"]
    if error["type"] in ("too_short", "too_long"):
        bound = "at least {min_length}" if error["type"] == "too_short" else "at most {max_length}"
        # Pydantic reports the length of a secret like that of a list, but for the type "Value".
        unit = "characters" if error["ctx"]["field_type"] == "Value" else "entries"
        message = f"This should have {bound.format(**error['ctx'])} {unit}."
    message = message.replace("Input should", "This should").replace("String should", "This should")
    return FieldError((*prefix, *error["loc"]), code, message[:MAX_MESSAGE].removesuffix(".") + ".")


def too_many_errors() -> Problem:
    return Problem(VALIDATION_FAILED, "Too much is not valid to be listed.")


def problem_of(error: ValidationError, prefix: tuple[str | int, ...] = (), *, most: int = MAX_LISTED) -> Problem:
    """Convert Pydantic's errors to a Problem that lists at most `most` of them and contains no input value."""
    if error.error_count() > most:
        return too_many_errors()
    errors = error.errors(include_url=False, include_input=False)
    # The caller has checked that the JSON is well-formed: only the depth of Pydantic's parser can be exceeded.
    if any(detail["type"] == "json_invalid" for detail in errors):
        return Problem(BAD_REQUEST, "The body is nested too deeply.")
    if not prefix and any(detail["loc"] == () and detail["type"] == "model_type" for detail in errors):
        return Problem(BAD_REQUEST, "The body must be a JSON object.")
    return Problem(VALIDATION_FAILED, errors=[_field_error(detail, prefix) for detail in errors])


def check_member_count(model: type[BaseModel], data: Mapping[str, Any]) -> None:
    """Raise `validation_failed` if there are more unknown members than validation would list."""
    if len(data) > len(model.model_fields) + MAX_LISTED:
        raise too_many_errors()


def parse_input(model: type[Model], data: bytes | Mapping[str, Any], *, most: int = MAX_LISTED) -> Model:
    """Validate an operation's input.

    `data` is a JSON body, or an equivalent mapping with the services' field names. Raises `bad_request` if it is not a
    JSON object or has duplicate names, `validation_failed` with every invalid field, if there are at most `most`.
    """
    if isinstance(data, bytes):
        read_json(data)  # Pydantic's parser accepts NaN and infinities, which are not JSON (RFC 8259, section 6)
    else:
        check_member_count(model, data)
    try:
        return model.model_validate_json(data if isinstance(data, bytes) else orjson.dumps(data))
    except ValidationError as error:
        raise problem_of(error, most=most) from None
    except TypeError:  # orjson: an integer beyond 64 bits, or too deep a nesting
        raise Problem(VALIDATION_FAILED, "A value is out of range, or nested too deeply.") from None


def parse_value(adapter: TypeAdapter[Any], value: Any, path: tuple[str | int, ...]) -> Any:
    """Validate one JSON value, such as an operand or an identifier. Raises `validation_failed` with the path."""
    try:
        return check_representable(adapter.validate_json(orjson.dumps(value), strict=True))
    except ValidationError as error:
        raise problem_of(error, path) from None
    except PydanticCustomError as error:
        raise Problem.field(path, "format", error.message()) from None
    except TypeError:  # orjson: an integer beyond 64 bits
        raise Problem.field(path, "range", "This value is out of range.") from None
