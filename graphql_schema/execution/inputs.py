"""Turns the arguments of a document into plain data, for the operations that are planned.

Plain data is what the services accept: their own names, enums by value, absent members left out. Only values that are
certainly valid are accepted. For any other NeedsGeneralPathError is raised, and the general path, which is slower,
validates the value and reports the error. graphql-core's `coerce_input_value` does not serve: it knows nothing of the
services' names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
)

from graphql_schema.schema.json_schema import json_value
from services.catalogue.scalars import INT32, coerce_integer
from services.reader.statement import NotCompiledError

Variables = Mapping[str, Any]
Getter = Callable[[Variables], Any]

UNDEFINED: Final = object()
"""The value of a variable that was not sent, and of an argument that is such a variable."""
MAX_ENTRIES: Final = 500
"""The longest list that is coerced here. The general path refuses longer ones."""
_SCALARS: Final[Mapping[str, type]] = {"String": str, "ID": str, "DateTime": str, "Boolean": bool}


class NeedsGeneralPathError(Exception):
    """Raised for a value that the general path has to validate."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Gives the same value whatever the variables are."""

    value: Any

    def __call__(self, variables: Variables) -> Any:
        return self.value


def coerced(value: Any, kind: Any) -> Any:
    """Return a JSON value of an input type as plain data. Raises NeedsGeneralPathError."""
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            raise NeedsGeneralPathError
        kind = kind.of_type
    if value is None:
        return None
    if isinstance(kind, GraphQLList):
        elements = value if type(value) is list else [value]
        if len(elements) > MAX_ENTRIES:
            raise NeedsGeneralPathError
        return [coerced(element, kind.of_type) for element in elements]
    return _coerced_object(value, kind) if isinstance(kind, GraphQLInputObjectType) else _coerced_leaf(value, kind)


def _coerced_object(value: Any, kind: GraphQLInputObjectType) -> dict[str, Any]:
    members, required = _members(kind)
    if type(value) is not dict or not required <= value.keys() <= members.keys():
        raise NeedsGeneralPathError
    data = {}
    for name, member in value.items():
        plain_name, member_kind = members[name]
        data[plain_name] = coerced(member, member_kind)
    return data


@cache
def _members(kind: GraphQLInputObjectType) -> tuple[dict[str, tuple[str, Any]], set[str]]:
    """Return the plain names and the types of an input type's members, and which of these are required."""
    members = {name: (_plain_name(field), field.type) for name, field in kind.fields.items()}
    return members, {name for name, field in kind.fields.items() if isinstance(field.type, GraphQLNonNull)}


def _coerced_leaf(value: Any, kind: Any) -> Any:
    if isinstance(kind, GraphQLEnumType):
        if type(value) is not str or value not in kind.values:
            raise NeedsGeneralPathError
        member = kind.values[value].value
        return getattr(member, "value", member)
    if kind.name == "Int":
        value = coerce_integer(value)
        if type(value) is not int or not INT32[0] <= value <= INT32[1]:
            raise NeedsGeneralPathError
    elif type(value) is not _SCALARS.get(kind.name):
        raise NeedsGeneralPathError
    return value


def literal(node: ValueNode, kind: Any) -> Getter:
    """Return a function from the variables to a literal of a document as plain data. Raises NotCompiledError."""
    if isinstance(node, VariableNode):
        return _variable(node.name.value, required=isinstance(kind, GraphQLNonNull))
    if isinstance(kind, GraphQLNonNull):
        return literal(node, kind.of_type)
    if isinstance(node, NullValueNode):
        return Fixed(None)
    if isinstance(kind, GraphQLList):
        nodes = node.values if isinstance(node, ListValueNode) else (node,)
        return _list_getter([literal(element, kind.of_type) for element in nodes])
    if isinstance(kind, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
        fields = [(kind.fields[member.name.value], member.value) for member in node.fields]
        return gathered({_plain_name(field): literal(value, field.type) for field, value in fields})
    try:
        return Fixed(coerced(json_value(node, kind), kind))
    except NeedsGeneralPathError:
        raise NotCompiledError(f"a literal of {kind.name}") from None


def gathered(members: Mapping[str, Getter]) -> Getter:
    """Return a function from the variables to an object without its absent members."""

    def get(variables: Variables) -> Any:
        data = {name: getter(variables) for name, getter in members.items()}
        return {name: value for name, value in data.items() if value is not UNDEFINED}

    return Fixed(get({})) if all(isinstance(each, Fixed) for each in members.values()) else get


def _list_getter(getters: list[Getter]) -> Getter:
    def get(variables: Variables) -> Any:
        elements = [getter(variables) for getter in getters]
        if any(element is UNDEFINED for element in elements):
            raise NeedsGeneralPathError
        return elements

    return Fixed(get({})) if all(isinstance(each, Fixed) for each in getters) else get


def _plain_name(field: Any) -> str:
    name: str = field.extensions["strawberry-definition"].python_name
    return name.rstrip("_")


def _variable(name: str, *, required: bool) -> Getter:
    def get(variables: Variables) -> Any:
        value = variables.get(name, UNDEFINED)
        if required and (value is None or value is UNDEFINED):
            raise NeedsGeneralPathError
        return value

    return get
