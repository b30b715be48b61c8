"""Arguments and variables on the compiled path: functions, made once for a document, that give plain data.

Plain data is what the services take: their own names, enums by value, absent members left out. The functions accept
only values that are right beyond doubt. For any other they raise UnfitError, and the general path judges them; it is
slower, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)

from services.catalogue.scalars import INT32, integral
from services.reader.statement import NotCompiledError

Variables = Mapping[str, Any]
Coerce = Callable[[Any], Any]
Getter = Callable[[Variables], Any]

ABSENT: Final = object()
"""The value of a variable that was not given, and of an argument that is such a variable."""
MAX_ENTRIES: Final = 500
"""Of a list; what is longer is refused somewhere."""


class UnfitError(Exception):
    """A value that the general path has to judge."""


def constant(value: Any) -> Getter:
    """The getter of a value that is written in the document."""
    return _Constant(value)


def is_constant(getter: Getter) -> bool:
    """Whether a getter needs no variables."""
    return isinstance(getter, _Constant)


class _Constant:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, variables: Variables) -> Any:
        return self.value


class Coercers:
    """Makes the functions for the input types of one schema."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, tuple[str, Coerce, bool]]] = {}

    def of(self, kind: Any) -> Coerce:
        """From a JSON value of the type to plain data, which raises UnfitError. Raises NotCompiledError."""
        if is_non_null_type(kind):
            return _required(self.of(kind.of_type))
        if is_list_type(kind):
            return _nullable(_listed(self.of(kind.of_type)))
        if is_enum_type(kind):
            return _nullable(_chosen(enum_values(kind)))
        if is_input_object_type(kind):
            return _nullable(self._object(kind))
        if kind.name not in _SCALARS:
            raise NotCompiledError(f"values of {kind.name}")
        return _nullable(_SCALARS[kind.name])

    def _object(self, kind: GraphQLInputObjectType) -> Coerce:
        if kind.name not in self._objects:
            members = self._objects[kind.name] = {}
            for name, each in kind.fields.items():
                if each.default_value is not Undefined:
                    raise NotCompiledError(f"{kind.name}.{name} has a default")
                members[name] = (plain_name(each), self.of(each.type), is_non_null_type(each.type))
        members = self._objects[kind.name]

        def coerce(value: Any) -> Any:
            if type(value) is not dict or len(value) > len(members):
                raise UnfitError
            found = {}
            for name, each in value.items():
                if name not in members:
                    raise UnfitError
                plain, inner, _ = members[name]
                found[plain] = inner(each)
            if any(required and plain not in found for plain, _, required in members.values()):
                raise UnfitError
            return found

        return coerce

    def literal(self, node: ValueNode, kind: Any) -> Getter:
        """The getter of a value in a document, as plain data. Raises NotCompiledError."""
        if isinstance(node, VariableNode):
            return _variable(node.name.value, required=is_non_null_type(kind))
        if is_non_null_type(kind):
            return self.literal(node, kind.of_type)
        if isinstance(node, NullValueNode):
            return constant(None)
        if is_list_type(kind):
            nodes = node.values if isinstance(node, ListValueNode) else (node,)
            return _collected([self.literal(each, kind.of_type) for each in nodes])
        if is_input_object_type(kind) and isinstance(node, ObjectValueNode):
            members = {
                plain_name(kind.fields[each.name.value]): self.literal(each.value, kind.fields[each.name.value].type)
                for each in node.fields
            }
            return gathered(members)
        return constant(_leaf(node, kind))


def gathered(members: Mapping[str, Getter]) -> Getter:
    """The getter of an object without its absent members."""
    if all(is_constant(each) for each in members.values()):
        return constant({name: each({}) for name, each in members.items()})
    pairs = list(members.items())

    def get(variables: Variables) -> Any:
        found = {}
        for name, each in pairs:
            value = each(variables)
            if value is not ABSENT:
                found[name] = value
        return found

    return get


def enum_values(kind: GraphQLEnumType) -> dict[str, Any]:
    """The services' values of an enum's names."""
    return {
        name: each.value.value if isinstance(each.value, Enum) else each.value for name, each in kind.values.items()
    }


def plain_name(field: Any) -> str:
    """What the services call a member of an input."""
    name: str = field.extensions["strawberry-definition"].python_name
    return name.rstrip("_")


def _collected(getters: list[Getter]) -> Getter:
    if all(is_constant(each) for each in getters):
        return constant([each({}) for each in getters])

    def get(variables: Variables) -> Any:
        found = [each(variables) for each in getters]
        if any(each is ABSENT for each in found):
            raise UnfitError
        return found

    return get


def _variable(name: str, *, required: bool) -> Getter:
    if not required:
        return lambda variables: variables.get(name, ABSENT)

    def get(variables: Variables) -> Any:
        value = variables.get(name)
        if value is None:
            raise UnfitError
        return value

    return get


def _leaf(node: ValueNode, kind: Any) -> Any:
    if is_enum_type(kind) and isinstance(node, EnumValueNode):
        return enum_values(kind)[node.value]
    if isinstance(node, IntValueNode) and kind.name in ("Int", "ID"):
        return int(node.value) if kind.name == "Int" else node.value
    if isinstance(node, StringValueNode) and kind.name in ("String", "ID", "DateTime"):
        return node.value
    if isinstance(node, BooleanValueNode) and kind.name == "Boolean":
        return node.value
    raise NotCompiledError(f"a literal of {kind.name}")


def _required(inner: Coerce) -> Coerce:
    def coerce(value: Any) -> Any:
        if value is None:
            raise UnfitError
        return inner(value)

    return coerce


def _nullable(inner: Coerce) -> Coerce:
    return lambda value: None if value is None else inner(value)


def _listed(inner: Coerce) -> Coerce:
    def coerce(value: Any) -> Any:
        if type(value) is not list:
            return [inner(value)]
        if len(value) > MAX_ENTRIES:
            raise UnfitError
        return [inner(each) for each in value]

    return coerce


def _chosen(values: Mapping[str, Any]) -> Coerce:
    def coerce(value: Any) -> Any:
        if type(value) is not str or value not in values:
            raise UnfitError
        return values[value]

    return coerce


def _text(value: Any) -> Any:
    if type(value) is not str:
        raise UnfitError
    return value


def _integer(value: Any) -> Any:
    value = integral(value)
    if type(value) is not int or not INT32[0] <= value <= INT32[1]:
        raise UnfitError
    return value


def _boolean(value: Any) -> Any:
    if type(value) is not bool:
        raise UnfitError
    return value


_SCALARS: Final[Mapping[str, Coerce]] = {
    "String": _text, "ID": _text, "DateTime": _text, "Int": _integer, "Boolean": _boolean,
}  # fmt: skip
