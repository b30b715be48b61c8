"""The one table of scalars: for each Python type its GraphQL scalar, SQL, JSON form, JSON Schema and filters.

A read model, an input model or a result model is described field by field as `FieldType`s; both faces derive their own
types from these, so that a type is mapped in one place only.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite
from operator import attrgetter
from typing import Annotated, Any, Final, Union, get_args, get_origin
from uuid import UUID

import structlog
from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema
from sqlalchemy import ColumnElement, Text, case, cast, func, literal_column

from services.catalogue.identifiers import Identifier

log = structlog.get_logger(__name__)

INT32: Final = (-(2**31), 2**31 - 1)
"""Integers are those of GraphQL's Int on both faces."""

_NUMBER: Final = re.compile(r"(-?)(?=[0-9])0*+([0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?")
"""Possessive: zeros that are followed by something else would be tried both as zeros in front and as digits."""
_DIGITS: Final = 12
"""Of a longer integer the beginning is out of range, too."""
_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,32}))?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""RFC 3339, section 5.6, with ISO 8601's comma; what is behind the sixth digit of a second is cut off."""
_LEAP: Final = "60"


def integral(value: Any) -> Any:
    """The integer that a JSON number is, whichever way it is written (`2.0`, `2e0`, `-0.0`); others as they are.

    Numbers are what JSON Schema takes them for (2020-12, validation, 6.1.1): an integer has no fraction but zero.
    """
    return int(value) if type(value) is float and value.is_integer() else value


def written_number(text: str) -> Any:
    """The number that a text in a query string is, written as in JSON but for zeros in front; any other text as it is,
    and what is greater than a double. An integer of many digits comes as another that is out of range.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    sign, digits, *fraction = found.groups()
    if not any(fraction):
        return int(f"{sign}{digits[:_DIGITS] or 0}")
    value = float(text)
    return integral(value) if isfinite(value) else text


_INFINITIES: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""What asyncpg takes for PostgreSQL's -infinity and infinity, which are no instants."""


def parse_instant(text: str) -> datetime:
    """An RFC 3339 date-time with an offset, as UTC, cut to microseconds.

    A leap second is the second behind it, as in POSIX and PostgreSQL. Raises PydanticCustomError (a ValueError) for
    anything else.
    """
    match = _RFC3339.fullmatch(text)
    if match is not None:
        try:
            found = _instant(*match.groups())
        except (ValueError, OverflowError):
            pass
        else:
            if found not in _INFINITIES:
                return found
    raise PydanticCustomError(
        "instant", "This is not an RFC 3339 date-time with an offset, such as 2026-01-31T12:00:00Z."
    )


def _instant(date: str, minute: str, second: str, fraction: str | None, offset: str) -> datetime:
    """The instant of the parts of a text. Raises ValueError and OverflowError."""
    is_leap = second == _LEAP
    whole = f"{date}T{minute}:{'59' if is_leap else second}.{(fraction or '0')[:6]:0<6}{offset.upper()}"
    found = datetime.fromisoformat(whole).astimezone(UTC)
    if not is_leap:
        return found
    if (found.hour, found.minute) != (23, 59):
        raise ValueError("leap seconds are the last ones of a day")
    return found + timedelta(seconds=1)


def format_instant(value: datetime) -> str:
    """RFC 3339, UTC, microseconds and Z: `2026-01-31T12:00:00.000000Z`."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


class _InstantSchema:
    """Pydantic's view of an instant: a string in JSON, an aware datetime in Python."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        text = core_schema.chain_schema(
            [core_schema.str_schema(strict=True), core_schema.no_info_plain_validator_function(parse_instant)]
        )
        return core_schema.json_or_python_schema(
            json_schema=text,
            python_schema=core_schema.is_instance_schema(datetime),
            serialization=core_schema.plain_serializer_function_ser_schema(format_instant, when_used="json"),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time"}


Instant = Annotated[datetime, _InstantSchema()]
"""A point in time; the only datetime that models may use."""


class Operator(StrEnum):
    """What a filter can ask of a field."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "not_in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    IS_NULL = "is_null"


class Known(dict[Any, Any]):
    """How values of an enum are shown, by their texts; null stays null.

    A value that the enum doesn't have is shown as null, and logged once. Another version has written it: while versions
    are exchanged, or before one was rolled back. Neither face has a word for it (GraphQL's enums are closed), and the
    rest of the row, and of the page, is worth showing.
    """

    def __init__(self, kind: type[StrEnum], show: Callable[[StrEnum], str]) -> None:
        super().__init__({None: None} | {each.value: show(each) for each in kind})
        self._kind = kind

    def __missing__(self, value: Any) -> None:
        log.warning("unknown_enum_value", enum=self._kind.__name__, value=str(value))
        self[value] = None


IF_UNKNOWN: Final = "Null if this version of the service does not know its value."
"""What contracts say of a row's enums."""

_EQUALITY = (Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN)
_ORDER = (Operator.GT, Operator.GTE, Operator.LT, Operator.LTE)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One row of the table.

    `graphql` names the GraphQL scalar, `schema` is the JSON Schema, `serialise` turns the Python value into the JSON
    value (None: it is one already), `operators` are the filters it allows (`is_null` comes with nullable fields). `sql`
    is how the Reader selects a column of it: what comes out has the JSON form already, or (UUID) is cheaply made it.
    """

    graphql: str
    schema: dict[str, Any]
    operators: tuple[Operator, ...]
    serialise: Callable[[Any], Any] | None = None
    sql: Callable[[ColumnElement[Any]], ColumnElement[Any]] | None = None


def _instant_sql(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """As `format_instant`; making a datetime of each value and a text of that takes longer than PostgreSQL does."""
    utc = func.timezone(literal_column("'UTC'"), column)
    return func.to_char(utc, literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""))


SCALARS: Final[dict[type, Scalar]] = {
    str: Scalar("String", {"type": "string"}, (*_EQUALITY, Operator.CONTAINS, Operator.STARTS_WITH)),
    SecretStr: Scalar("String", {"type": "string", "format": "password"}, ()),
    bool: Scalar("Boolean", {"type": "boolean"}, (Operator.EQ, Operator.NE)),
    int: Scalar("Int", {"type": "integer", "format": "int32"}, (*_EQUALITY, *_ORDER)),
    datetime: Scalar(
        "DateTime", {"type": "string", "format": "date-time"}, (*_EQUALITY, *_ORDER), format_instant, _instant_sql
    ),
    StrEnum: Scalar("Enum", {"type": "string"}, _EQUALITY),
    UUID: Scalar("ID", {"type": "string"}, _EQUALITY, sql=func.uuid_send),
}


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of one field of a model: a scalar or a nested model, perhaps null, perhaps a list."""

    python: type
    nullable: bool = False
    many: bool = False
    identifier: Identifier | None = None

    @property
    def scalar(self) -> Scalar | None:
        """Its row of the table, or None for a nested model."""
        if issubclass(self.python, StrEnum):
            return SCALARS[StrEnum]
        return SCALARS.get(self.python)

    @property
    def enum(self) -> type[StrEnum] | None:
        """The enum, where the field has one."""
        return self.python if issubclass(self.python, StrEnum) else None

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The filters that the type allows."""
        if self.scalar is None or self.many:
            return ()
        return (*self.scalar.operators, Operator.IS_NULL) if self.nullable else self.scalar.operators

    def sort_key(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """What a list is sorted by: the value itself; of an enum, the place of the member in its declaration.

        Values of which the enum has no member (a newer version may have written them) come behind the others, by
        themselves. Text is sorted as the database's collation has it.
        """
        if self.enum is None:
            return value
        text, digits = cast(value, Text), len(str(len(self.enum)))
        places: dict[Any, ColumnElement[str]] = {
            member.value: literal_column(f"'{place:0{digits}}'", Text) for place, member in enumerate(self.enum)
        }
        return case(places, value=text, else_=literal_column("'~'", Text).concat(text)).collate("C")

    def serialiser(self) -> Callable[[Any], Any] | None:
        """From a Python value that is not None to its JSON value; None where they are the same."""
        if self.identifier is not None:
            return self.identifier.encode
        if self.enum is not None:
            return Known(self.enum, attrgetter("value")).__getitem__
        return self.scalar.serialise if self.scalar else None

    def adapter(self) -> TypeAdapter[Any]:
        """A strict validator of one JSON value of the type, null and lists left aside."""
        annotation: Any = self.python
        if self.identifier is not None:
            annotation = Annotated[UUID, self.identifier]
        elif self.python is datetime:
            annotation = Instant
        elif self.python is int:
            annotation = Int32
        return TypeAdapter(annotation)


class _Int32Schema:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        number = core_schema.int_schema(strict=True, ge=INT32[0], le=INT32[1])
        return core_schema.no_info_before_validator_function(integral, number)


Int32 = Annotated[int, _Int32Schema()]
"""An integer as both faces can carry it."""


def field_type(field: FieldInfo) -> FieldType:
    """Describe a Pydantic field. Raises TypeError with a sentence when the table has no row for its type."""
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return _describe(annotation, nullable=False, many=False, identifier=None)


def _describe(annotation: Any, *, nullable: bool, many: bool, identifier: Identifier | None) -> FieldType:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        found = next((each for each in arguments[1:] if isinstance(each, Identifier)), identifier)
        return _describe(arguments[0], nullable=nullable, many=many, identifier=found)
    if origin in (Union, types.UnionType):
        rest = [each for each in arguments if each is not type(None)]
        if len(rest) == 1:
            return _describe(rest[0], nullable=len(rest) < len(arguments), many=many, identifier=identifier)
    if origin in (list, tuple) and not many:
        return _describe(arguments[0], nullable=nullable, many=True, identifier=identifier)
    if isinstance(annotation, type):
        result = FieldType(annotation, nullable, many, identifier)
        known = issubclass(annotation, BaseModel) or result.scalar is not None
        if known and (annotation is not UUID or identifier is not None):
            return result
    raise TypeError(f"the type {annotation!r} is not in the table of scalars (a UUID needs an Identifier)")
