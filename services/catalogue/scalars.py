"""The table of scalars: for each Python type its GraphQL scalar, SQL, JSON form, JSON Schema and filters.

Read, input and result models are described field by field as `FieldType`s, from which both faces derive their types.
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
from pydantic import BaseModel, BeforeValidator, Field, GetPydanticSchema, SecretStr, TypeAdapter, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, Text, case, cast, func, literal_column

from services.catalogue.identifiers import Identifier, text_schema

log = structlog.get_logger(__name__)

INT32: Final = (-(2**31), 2**31 - 1)
"""The range of integers on both faces, which is that of GraphQL's Int."""

_NUMBER: Final = re.compile(r"(-?)(?=[0-9])0*+([0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?")
"""A number. Its quantifiers are possessive to avoid backtracking over leading zeros."""
_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,32}))?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""RFC 3339, section 5.6, with ISO 8601's comma. Digits of a second beyond the sixth are cut off."""


def coerce_integer(value: Any) -> Any:
    """Convert a float without a fraction (`2.0`, `2e0`, `-0.0`) to an integer; return other values unchanged.

    JSON Schema defines integers so (2020-12, validation, 6.1.1).
    """
    return int(value) if type(value) is float and value.is_integer() else value


def written_number(text: str) -> Any:
    """Return the number that a text in a query string represents: JSON syntax, with leading zeros allowed.

    Any other text, and a number beyond the range of a double, is returned unchanged. An integer of many digits is
    replaced by another one that is out of range too.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    sign, digits, *fraction = match.groups()
    if not any(fraction):
        return int(f"{sign}{digits[:12] or 0}")
    value = float(text)
    return coerce_integer(value) if isfinite(value) else text


_INFINITIES: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""The values by which asyncpg represents PostgreSQL's -infinity and infinity."""


def parse_instant(text: str) -> datetime:
    """Parse an RFC 3339 date-time with an offset; return it in UTC, truncated to microseconds.

    A leap second becomes the following second, as in POSIX and PostgreSQL. Raises PydanticCustomError (a ValueError)
    for any other text.
    """
    match = _RFC3339.fullmatch(text)
    try:
        instant = _instant(*match.groups()) if match is not None else None
    except (ValueError, OverflowError):
        instant = None
    if instant is None or instant in _INFINITIES:
        message = "This is not an RFC 3339 date-time with an offset, such as 2026-01-31T12:00:00Z."
        raise PydanticCustomError("instant", message)
    return instant


def _instant(date: str, minute: str, second: str, fraction: str | None, offset: str) -> datetime:
    """Return the instant of the parts of a text. Raises ValueError and OverflowError."""
    is_leap = second == "60"
    whole = f"{date}T{minute}:{'59' if is_leap else second}.{(fraction or '0')[:6]:0<6}{offset.upper()}"
    instant = datetime.fromisoformat(whole).astimezone(UTC)
    if not is_leap:
        return instant
    if (instant.hour, instant.minute) != (23, 59):
        raise ValueError("leap seconds are the last ones of a day")
    return instant + timedelta(seconds=1)


def format_instant(value: datetime) -> str:
    """Format an instant by RFC 3339 in UTC with microseconds and Z: `2026-01-31T12:00:00.000000Z`."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


Instant = Annotated[
    datetime,
    GetPydanticSchema(lambda source, handler: text_schema(datetime, parse_instant, format_instant)),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time; the only datetime type of models."""


class Operator(StrEnum):
    """The operators of filters."""

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


class EnumOutput(dict[Any, Any]):
    """Output values of an enum by the stored texts; null stays null.

    A text that the enum does not have maps to null and is logged once. A newer version may have written it during a
    rolling upgrade or before a rollback. GraphQL's enums are closed, and the rest of the page is still valid.
    """

    def __init__(self, kind: type[StrEnum], show: Callable[[StrEnum], str]) -> None:
        super().__init__({None: None} | {member.value: show(member) for member in kind})
        self._kind = kind

    def __missing__(self, value: Any) -> None:
        log.warning("unknown_enum_value", enum=self._kind.__name__, value=str(value))
        self[value] = None


IF_UNKNOWN: Final = "Null if this version of the service does not know its value."
"""A sentence of the contracts about the enum fields of a row."""

_EQUALITY = (Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN)
_ORDER = (Operator.GT, Operator.GTE, Operator.LT, Operator.LTE)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One row of the table of scalars.

    `graphql` names the GraphQL scalar, `schema` is the JSON Schema, `serialise` converts the Python value to the JSON
    value (None if they are equal), `operators` are its filters (nullable fields have `is_null` too). `sql` is the
    expression by which the Reader selects a column: its value is in the JSON form, or (UUID) easily converted to it.
    """

    graphql: str
    schema: dict[str, Any]
    operators: tuple[Operator, ...]
    serialise: Callable[[Any], Any] | None = None
    sql: Callable[[ColumnElement[Any]], ColumnElement[Any]] | None = None


def _instant_sql(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Format an instant as `format_instant` does, which is faster in PostgreSQL than in Python."""
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
    """The type of a model's field: a scalar or a nested model, optionally nullable or a list."""

    python: type
    nullable: bool = False
    many: bool = False
    identifier: Identifier | None = None

    @property
    def scalar(self) -> Scalar | None:
        """Its row of the table, or None for a nested model."""
        return SCALARS.get(self.python if self.enum is None else StrEnum)

    @property
    def enum(self) -> type[StrEnum] | None:
        return self.python if issubclass(self.python, StrEnum) else None

    @property
    def operators(self) -> tuple[Operator, ...]:
        if self.scalar is None or self.many:
            return ()
        return (*self.scalar.operators, Operator.IS_NULL) if self.nullable else self.scalar.operators

    def sort_key(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the expression that lists are sorted by: the value, or an enum member's position in its declaration.

        Texts that the enum does not have (a newer version may have written them) sort after its members. Text is sorted
        by the database's collation.
        """
        if self.enum is None:
            return value
        text, digits = cast(value, Text), len(str(len(self.enum)))
        places: dict[Any, ColumnElement[str]] = {
            member.value: literal_column(f"'{position:0{digits}}'", Text) for position, member in enumerate(self.enum)
        }
        return case(places, value=text, else_=literal_column("'~'", Text).concat(text)).collate("C")

    def serialiser(self) -> Callable[[Any], Any] | None:
        """Return the conversion of a non-null Python value to its JSON value; None if they are equal."""
        if self.identifier is not None:
            return self.identifier.encode
        if self.enum is not None:
            return EnumOutput(self.enum, attrgetter("value")).__getitem__
        return self.scalar.serialise if self.scalar else None

    def adapter(self) -> TypeAdapter[Any]:
        """Return a strict validator of one JSON value, regardless of nullability and lists."""
        annotation: Any = {datetime: Instant, int: Int32}.get(self.python, self.python)
        return TypeAdapter(annotation if self.identifier is None else Annotated[annotation, self.identifier])


Int32 = Annotated[int, Field(strict=True, ge=INT32[0], le=INT32[1]), BeforeValidator(coerce_integer)]
"""A 32-bit integer."""


def field_type(field: FieldInfo) -> FieldType:
    """Describe a Pydantic field. Raises TypeError with a sentence if its type is not in the table."""
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return _describe(annotation, nullable=False, many=False, identifier=None)


def _describe(annotation: Any, *, nullable: bool, many: bool, identifier: Identifier | None) -> FieldType:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        own_identifier = next((item for item in arguments[1:] if isinstance(item, Identifier)), identifier)
        return _describe(arguments[0], nullable=nullable, many=many, identifier=own_identifier)
    if origin in (Union, types.UnionType):
        members = [argument for argument in arguments if argument is not type(None)]
        if len(members) == 1:
            return _describe(members[0], nullable=len(members) < len(arguments), many=many, identifier=identifier)
    if origin in (list, tuple) and not many:
        return _describe(arguments[0], nullable=nullable, many=True, identifier=identifier)
    if isinstance(annotation, type):
        result = FieldType(annotation, nullable, many, identifier)
        is_known = issubclass(annotation, BaseModel) or result.scalar is not None
        if is_known and (annotation is not UUID or identifier is not None):
            return result
    raise TypeError(f"the type {annotation!r} is not in the table of scalars (a UUID needs an Identifier)")
