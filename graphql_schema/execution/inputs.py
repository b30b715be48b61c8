"""Compiles the arguments of a document into functions that return plain data.

Plain data is what the services accept: their own names, enums by value, absent members left out. The functions accept
only values that are certainly valid. For any other they raise NeedsGeneralPathError, and the general path, which is
slower, validates the value and reports the error. graphql-core's `coerce_input_value` and `value_from_ast` do not
serve: they walk the type at every request, and know nothing of the services' names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)

from graphql_schema.schema.json_schema import json_value
from services.catalogue.scalars import INT32, coerce_integer
from services.reader.statement import NotCompiledError

Variables = Mapping[str, Any]
Coerce = Callable[[Any], Any]
Getter = Callable[[Variables], Any]

UNDEFINED: Final = object()
"""The value of a variable that was not sent, and of an argument that is such a variable."""
MAX_ENTRIES: Final = 500
"""The longest list that is coerced here. The general path refuses longer ones."""


class NeedsGeneralPathError(Exception):
    """Raised for a value that the general path has to validate."""


def is_constant(getter: Getter) -> bool:
    """Whether a getter ignores the variables."""
    return isinstance(getter, _Constant)


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Any

    def __call__(self, variables: Variables) -> Any:
        return self.value


class Coercers:
    """Creates the functions for the input types of one schema."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, tuple[str, Coerce, bool]]] = {}

    def of(self, kind: Any) -> Coerce:
        """Return a function from a JSON value of a type to plain data. It raises NeedsGeneralPathError.

        Raises NotCompiledError for types with defaults and for other scalars than `_SCALARS`.
        """
        if is_non_null_type(kind):
            return _required(self.of(kind.of_type))
        if is_list_type(kind):
            return _nullable(_list(self.of(kind.of_type)))
        if is_enum_type(kind):
            return _nullable(_enum(_enum_values(kind)))
        if is_input_object_type(kind):
            return _nullable(self._object(kind))
        if kind.name not in _SCALARS:
            raise NotCompiledError(f"values of {kind.name}")
        return _nullable(_SCALARS[kind.name])

    def _object(self, kind: GraphQLInputObjectType) -> Coerce:
        if kind.name not in self._objects:
            members = self._objects[kind.name] = {}
            for name, field in kind.fields.items():
                if field.default_value is not Undefined:
                    raise NotCompiledError(f"{kind.name}.{name} has a default")
                members[name] = (_plain_name(field), self.of(field.type), is_non_null_type(field.type))
        members = self._objects[kind.name]

        def coerce(value: Any) -> Any:
            if type(value) is not dict or len(value) > len(members):
                raise NeedsGeneralPathError
            data = {}
            for name, member in value.items():
                if name not in members:
                    raise NeedsGeneralPathError
                plain_name, coerce_member, _ = members[name]
                data[plain_name] = coerce_member(member)
            if any(required and plain_name not in data for plain_name, _, required in members.values()):
                raise NeedsGeneralPathError
            return data

        return coerce

    def literal(self, node: ValueNode, kind: Any) -> Getter:
        """Return a function from the variables to a literal of a document as plain data. Raises NotCompiledError."""
        if isinstance(node, VariableNode):
            return _variable(node.name.value, required=is_non_null_type(kind))
        if is_non_null_type(kind):
            return self.literal(node, kind.of_type)
        if isinstance(node, NullValueNode):
            return _Constant(None)
        if is_list_type(kind):
            nodes = node.values if isinstance(node, ListValueNode) else (node,)
            return _list_getter([self.literal(element, kind.of_type) for element in nodes])
        if is_input_object_type(kind) and isinstance(node, ObjectValueNode):
            fields = [(kind.fields[member.name.value], member.value) for member in node.fields]
            return gathered({_plain_name(field): self.literal(value, field.type) for field, value in fields})
        try:
            return _Constant(self.of(kind)(json_value(node, kind)))
        except NeedsGeneralPathError:
            raise NotCompiledError(f"a literal of {kind.name}") from None


def gathered(members: Mapping[str, Getter]) -> Getter:
    """Return a function from the variables to an object without its absent members."""
    getters = list(members.items())

    def get(variables: Variables) -> Any:
        data = {}
        for name, getter in getters:
            value = getter(variables)
            if value is not UNDEFINED:
                data[name] = value
        return data

    return _Constant(get({})) if all(is_constant(getter) for _, getter in getters) else get


def _list_getter(getters: list[Getter]) -> Getter:
    def get(variables: Variables) -> Any:
        elements = [getter(variables) for getter in getters]
        if any(element is UNDEFINED for element in elements):
            raise NeedsGeneralPathError
        return elements

    return _Constant(get({})) if all(is_constant(getter) for getter in getters) else get


def _enum_values(kind: GraphQLEnumType) -> dict[str, Any]:
    return {
        name: member.value.value if isinstance(member.value, Enum) else member.value
        for name, member in kind.values.items()
    }


def _plain_name(field: Any) -> str:
    name: str = field.extensions["strawberry-definition"].python_name
    return name.rstrip("_")


def _variable(name: str, *, required: bool) -> Getter:
    if not required:
        return lambda variables: variables.get(name, UNDEFINED)

    def get(variables: Variables) -> Any:
        value = variables.get(name)
        if value is None:
            raise NeedsGeneralPathError
        return value

    return get


def _required(inner: Coerce) -> Coerce:
    def coerce(value: Any) -> Any:
        if value is None:
            raise NeedsGeneralPathError
        return inner(value)

    return coerce


def _nullable(inner: Coerce) -> Coerce:
    return lambda value: None if value is None else inner(value)


def _list(inner: Coerce) -> Coerce:
    def coerce(value: Any) -> Any:
        if type(value) is not list:
            return [inner(value)]
        if len(value) > MAX_ENTRIES:
            raise NeedsGeneralPathError
        return [inner(element) for element in value]

    return coerce


def _enum(values: Mapping[str, Any]) -> Coerce:
    def coerce(value: Any) -> Any:
        if type(value) is not str or value not in values:
            raise NeedsGeneralPathError
        return values[value]

    return coerce


def _exactly(expected: type) -> Coerce:
    def coerce(value: Any) -> Any:
        if type(value) is not expected:
            raise NeedsGeneralPathError
        return value

    return coerce


def _integer(value: Any) -> Any:
    value = coerce_integer(value)
    if type(value) is not int or not INT32[0] <= value <= INT32[1]:
        raise NeedsGeneralPathError
    return value


_SCALARS: Final[Mapping[str, Coerce]] = {
    "String": _exactly(str),
    "ID": _exactly(str),
    "DateTime": _exactly(str),
    "Int": _integer,
    "Boolean": _exactly(bool),
}
