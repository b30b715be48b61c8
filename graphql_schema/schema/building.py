"""Strawberry types and fields, made at run time."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from typing import Annotated, Any, NewType, Optional

import strawberry
from strawberry.types.field import StrawberryField

from graphql_schema.schema.context import Info
from services.catalogue.naming import sentence
from services.catalogue.scalars import FieldType

DateTime = NewType("DateTime", str)
SCALAR_MAP: dict[object, Any] = {
    # The services have formatted the value on its way out, and check it on its way in: texts pass through.
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
    """An argument of a field. `name` is in the services' habit; Strawberry writes it in GraphQL's."""

    name: str
    type: Any
    description: str
    required: bool = False
    deprecated: str | None = None
    """Why it should not be used any more."""


@cache
def graphql_enum(kind: type[StrEnum]) -> Any:
    """The GraphQL enum of a Python one."""
    return described_enum(kind, " ".join((kind.__doc__ or kind.__name__).split()))


def described_enum(kind: type[Enum], description: str) -> Any:
    """A GraphQL enum whose members are described by their values in words."""
    made: Any = strawberry.enum(kind, description=description)
    for each in made.__strawberry_definition__.values:
        each.description = sentence(str(each.value))
    return made


def nullable(kind: Any) -> Any:
    """The annotation of a value of the kind, or null."""
    return _OPTIONAL[kind]


def list_of(kind: Any) -> Any:
    """The annotation of a list of the kind."""
    return _LIST[kind]


def annotation(kind: FieldType) -> Any:
    """The annotation that Strawberry needs for a scalar field."""
    if kind.enum is not None:
        inner: Any = graphql_enum(kind.enum)
    else:
        assert kind.scalar is not None
        inner = _SCALARS[kind.scalar.graphql]
    if kind.many:
        inner = list_of(inner)
    return nullable(inner) if kind.nullable else inner


def shown_annotation(kind: FieldType) -> Any:
    """The annotation of a row's field: a value of an enum is null where this version doesn't know it."""
    if kind.enum is None:
        return annotation(kind)
    inner = nullable(graphql_enum(kind.enum))
    if not kind.many:
        return inner
    return nullable(list_of(inner)) if kind.nullable else list_of(inner)


def attribute(
    name: str, result: Any, description: str, read: Callable[[Any], Any], *, deprecated: str | None = None
) -> StrawberryField:
    """A field that is read off its object without waiting."""

    def resolver(self: Any) -> Any:
        return read(self)

    return _field(name, resolver, result, description, with_info=False, arguments=(), deprecated=deprecated)


def field(
    name: str, result: Any, description: str, resolve: Resolve, arguments: Sequence[Argument] = (), *,
    deprecated: str | None = None,
) -> StrawberryField:  # fmt: skip
    """A field with an async resolver `resolve(object, info, arguments by name)`; absent arguments are left out."""

    async def resolver(self: Any, info: Info, **values: Any) -> Any:
        return await resolve(self, info, {k: v for k, v in values.items() if v is not strawberry.UNSET})

    return _field(name, resolver, result, description, with_info=True, arguments=arguments, deprecated=deprecated)


def _field(
    name: str,
    resolver: Callable[..., Any],
    result: Any,
    description: str,
    *,
    with_info: bool,
    arguments: Sequence[Argument],
    deprecated: str | None,
) -> StrawberryField:
    word = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("self", word)]
    if with_info:
        parameters.append(inspect.Parameter("info", word, annotation=Info))
    for each in arguments:
        about = strawberry.argument(description=each.description, deprecation_reason=each.deprecated)
        parameters.append(
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[each.type if each.required else nullable(each.type), about],
                default=inspect.Parameter.empty if each.required else strawberry.UNSET,
            )
        )
    resolver.__name__ = name
    resolver.__signature__ = inspect.Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]
    resolver.__annotations__ = {p.name: p.annotation for p in parameters if p.name != "self"} | {"return": result}
    found: StrawberryField = strawberry.field(resolver=resolver, description=description, deprecation_reason=deprecated)
    found.python_name = name
    return found


def add_fields(cls: type, fields: Sequence[StrawberryField]) -> None:
    """Put fields on a class that is about to become a Strawberry type."""
    for each in fields:
        assert each.python_name is not None
        setattr(cls, each.python_name, each)


def input_type(name: str, description: str, members: Sequence[Argument], cls: type | None = None) -> Any:
    """An input object type. Members whose name is a Python keyword get an underscore inside.

    `cls` is the class to make it of, for a type whose members are of the type itself.
    """
    cls = cls or type(name, (), {})
    cls.__annotations__ = {}
    for each in members:
        inner = f"{each.name}_" if each.name in ("in", "and", "or", "not") else each.name
        options: dict[str, Any] = {} if each.required else {"default": strawberry.UNSET}
        if inner != each.name:
            options["name"] = each.name
        member = strawberry.field(description=each.description, deprecation_reason=each.deprecated, **options)
        setattr(cls, inner, member)
        cls.__annotations__[inner] = each.type if each.required else nullable(each.type)
    return strawberry.input(cls, name=name, description=description)


def plain(value: Any) -> Any:
    """An input as the services take it: mappings, lists and JSON values in their own names, without what is absent."""
    if isinstance(value, Enum):
        return value.value
    definition = getattr(type(value), "__strawberry_definition__", None)
    if definition is not None:
        found = {each.python_name: getattr(value, each.python_name) for each in definition.fields}
        return {name.rstrip("_"): plain(each) for name, each in found.items() if each is not strawberry.UNSET}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value
