"""Creates Strawberry types and fields at run time."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from keyword import iskeyword
from typing import Annotated, Any, NewType, Optional

import strawberry
from strawberry.types.field import StrawberryField

from graphql_schema.schema.context import Info
from services.catalogue.deprecation import Deprecation
from services.catalogue.naming import sentence
from services.catalogue.scalars import FieldType

DateTime = NewType("DateTime", str)
SCALAR_MAP: dict[object, Any] = {
    # The services format the values of responses and validate those of requests, so strings pass through.
    DateTime: strawberry.scalar(
        name="DateTime",
        description="An instant: RFC 3339, UTC, microseconds and Z on the way out; any offset on the way in, and any "
        "digits of a second, which are cut to six.",
        serialize=str,
        parse_value=lambda value: value,
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    )
}
_SCALARS: Mapping[str, Any] = {
    "String": str,
    "Int": int,
    "Boolean": bool,
    "DateTime": DateTime,
    "ID": strawberry.ID,
}

_OPTIONAL: Any = Optional
_LIST: Any = list

Resolve = Callable[[Any, Info, dict[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a field. `name` is in snake case; Strawberry turns it into camel case."""

    name: str
    type: Any
    description: str
    required: bool = False
    deprecated: Deprecation | None = None


@cache
def graphql_enum(kind: type[StrEnum]) -> Any:
    """Return the GraphQL enum of a Python enum, described by its docstring."""
    return described_enum(kind, " ".join((kind.__doc__ or kind.__name__).split()))


def described_enum(kind: type[Enum], description: str) -> Any:
    """Return the GraphQL enum of a Python enum, with its values as the descriptions of its members."""
    enum: Any = strawberry.enum(kind, description=description)
    for member in enum.__strawberry_definition__.values:
        member.description = sentence(str(member.value))
    return enum


def nullable(kind: Any) -> Any:
    return _OPTIONAL[kind]


def list_of(kind: Any) -> Any:
    return _LIST[kind]


def annotation(kind: FieldType, *, stored: bool = False) -> Any:
    """Return the annotation of a scalar field for Strawberry.

    The members of enums that are `stored` are nullable: a newer version may have stored an unknown value.
    """
    if kind.enum is not None:
        inner = nullable(graphql_enum(kind.enum)) if stored else graphql_enum(kind.enum)
    else:
        assert kind.scalar is not None
        inner = _SCALARS[kind.scalar.graphql]
    if kind.many:
        inner = list_of(inner)
    return nullable(inner) if kind.nullable else inner


def attribute(
    name: str, result: Any, description: str, read: Callable[[Any], Any], *, deprecated: Deprecation | None = None
) -> StrawberryField:
    """Return a field with a synchronous resolver `read(object)`."""

    def resolver(self: Any) -> Any:
        return read(self)

    return _field(name, resolver, [_SELF], result, description, deprecated)


def field(
    name: str, result: Any, description: str, resolve: Resolve, arguments: Sequence[Argument] = (), *,
    deprecated: Deprecation | None = None,
) -> StrawberryField:  # fmt: skip
    """Return a field with an async resolver `resolve(object, info, arguments)`, which takes them as plain data."""

    async def resolver(self: Any, info: Info, **values: Any) -> Any:
        present = {name: plain(value) for name, value in values.items() if value is not strawberry.UNSET}
        return await resolve(self, info, present)

    parameters = [_SELF, _INFO, *(_parameter(argument) for argument in arguments)]
    return _field(name, resolver, parameters, result, description, deprecated)


_SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
_INFO = inspect.Parameter("info", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Info)


def _parameter(argument: Argument) -> inspect.Parameter:
    options = strawberry.argument(description=argument.description, deprecation_reason=_reason(argument.deprecated))
    return inspect.Parameter(
        argument.name,
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[_annotation_of(argument), options],
        default=inspect.Parameter.empty if argument.required else strawberry.UNSET,
    )


def _field(
    name: str, resolver: Callable[..., Any], parameters: list[inspect.Parameter], result: Any, description: str,
    deprecated: Deprecation | None,
) -> StrawberryField:  # fmt: skip
    resolver.__name__ = name
    resolver.__signature__ = inspect.Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]
    resolver.__annotations__ = {p.name: p.annotation for p in parameters if p.name != "self"} | {"return": result}
    reason = _reason(deprecated)
    field: StrawberryField = strawberry.field(resolver=resolver, description=description, deprecation_reason=reason)
    field.python_name = name
    return field


def _reason(deprecated: Deprecation | None) -> str | None:
    return deprecated.reason if deprecated is not None else None


def _annotation_of(argument: Argument) -> Any:
    return argument.type if argument.required else nullable(argument.type)


def object_type(name: str, description: str, fields: Iterable[StrawberryField], cls: type | None = None) -> Any:
    """Return an object type with the fields. `cls` is the class to turn into the type, if there is one already."""
    cls = cls or type(name, (), {})
    for field in fields:
        setattr(cls, str(field.python_name), field)
    return strawberry.type(cls, name=name, description=description)


def input_type(name: str, description: str, members: Sequence[Argument], cls: type | None = None) -> Any:
    """Return an input object type. The Python names of keywords such as `in` end in an underscore.

    `cls` is the class to turn into the type; pass one if members are of the type itself.
    """
    cls = cls or type(name, (), {})
    cls.__annotations__ = {}
    for member in members:
        python_name = f"{member.name}_" if iskeyword(member.name) else member.name
        options: dict[str, Any] = {} if member.required else {"default": strawberry.UNSET}
        if python_name != member.name:
            options["name"] = member.name
        reason = _reason(member.deprecated)
        field = strawberry.field(description=member.description, deprecation_reason=reason, **options)
        setattr(cls, python_name, field)
        cls.__annotations__[python_name] = _annotation_of(member)
    return strawberry.input(cls, name=name, description=description)


def plain(value: Any) -> Any:
    """Return an input as the services expect it: JSON values under their own names, without absent members."""
    if isinstance(value, Enum):
        return value.value
    definition = getattr(type(value), "__strawberry_definition__", None)
    if definition is not None:
        members = {field.python_name: getattr(value, field.python_name) for field in definition.fields}
        return {name.rstrip("_"): plain(member) for name, member in members.items() if member is not strawberry.UNSET}
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value
