"""Deprecated members of the schema, and which of them a request uses.

What a document uses is known once it has been looked at, and remembered; only the values of variables that may hold
deprecated members are looked into at every request. Nothing of this happens where nothing is deprecated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLSchema,
    ObjectFieldNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    get_named_type,
    type_from_ast,
    visit,
)
from graphql.language import EnumValueNode, Visitor

from graphql_schema.documents.parsing import Documents
from graphql_schema.schema.fields import parts_of
from graphql_schema.schema.naming import field_name
from services.catalogue import Catalogue, Problem
from services.catalogue.deprecation import deprecations_of
from services.catalogue.naming import camel, pascal
from services.process import observation

FACE: Final = "graphql"
REMEMBERED: Final = 500
LONGEST: Final = 20_000
"""Characters of a document that may be remembered."""


@dataclass(frozen=True, slots=True)
class Uses:
    """The deprecated members in a document, and the variables that may hold others, with their types."""

    members: tuple[str, ...]
    variables: Mapping[str, Any]


class DeprecatedUses:
    """Notes what requests use that is deprecated, under the names that services/catalogue/deprecation.py gives it."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, documents: Documents) -> None:
        self._schema, self._documents = schema, documents
        self._names = dict(_names(catalogue))
        self._telling = _holders(schema, {kind for kind, _ in self._names})
        self._remembered: LRUCache[tuple[str, str | None], Uses] = LRUCache(REMEMBERED)

    def __bool__(self) -> bool:
        """Whether anything is deprecated."""
        return bool(self._names)

    def note(self, text: str, name: str | None, variables: Mapping[str, Any]) -> None:
        """Note the uses of a request; a document that is not valid uses nothing."""
        found = self._remembered.get((text, name))
        if found is None:
            found = self._of(text, name)
            if found is None:
                return
            if len(text) <= LONGEST:
                self._remembered[text, name] = found
        members = list(found.members)
        for variable, kind in found.variables.items():
            members += self._within(kind, variables.get(variable))
        if members:
            observation.note_deprecated(FACE, members)

    def _of(self, text: str, name: str | None) -> Uses | None:
        prepared = self._documents.prepare(text)
        if prepared.document is None or prepared.structure:
            return None
        try:
            operation = prepared.operation(name)
        except Problem:
            return None
        finder = _Finder(TypeInfo(self._schema), self._names)
        for part in parts_of(prepared.document, operation):
            visit(part, TypeInfoVisitor(finder.types, finder))
        return Uses(tuple(dict.fromkeys(finder.found)), self._variables(operation))

    def _variables(self, operation: OperationDefinitionNode) -> dict[str, Any]:
        kinds = {
            each.variable.name.value: get_named_type(type_from_ast(self._schema, each.type))
            for each in operation.variable_definitions or ()
        }
        return {name: kind for name, kind in kinds.items() if kind is not None and kind.name in self._telling}

    def _within(self, kind: Any, value: Any) -> Iterator[str]:
        """The deprecated members in a variable's value."""
        waiting = [(kind, value)]
        while waiting:
            kind, value = waiting.pop()
            if isinstance(value, list):
                waiting += [(kind, each) for each in value]
            elif isinstance(kind, GraphQLEnumType) and isinstance(value, str) and (kind.name, value) in self._names:
                yield self._names[kind.name, value]
            elif isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
                for name, each in value.items():
                    if (kind.name, name) in self._names:
                        yield self._names[kind.name, name]
                    if name in kind.fields:
                        waiting.append((get_named_type(kind.fields[name].type), each))


class _Finder(Visitor):
    """Visits a document for deprecated members."""

    def __init__(self, types: TypeInfo, names: Mapping[tuple[str, str], str]) -> None:
        super().__init__()
        self.types, self._names = types, names
        self.found: list[str] = []

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """A field of an object."""
        self._note(self.types.get_parent_type(), node.name.value)

    def enter_object_field(self, node: ObjectFieldNode, *_: object) -> None:
        """A member of an input."""
        self._note(get_named_type(self.types.get_parent_input_type()), node.name.value)

    def enter_enum_value(self, node: EnumValueNode, *_: object) -> None:
        """A value of an enum."""
        self._note(get_named_type(self.types.get_input_type()), node.value)

    def _note(self, kind: Any, name: str) -> None:
        member = self._names.get((kind.name, name)) if kind is not None else None
        if member is not None:
            self.found.append(member)


def _names(catalogue: Catalogue) -> Iterator[tuple[tuple[str, str], str]]:
    """What each deprecated member of the schema (its type and its name) is counted as."""
    for operation in catalogue.operations.values():
        if operation.deprecated is not None:
            yield ("Query" if operation.is_read else "Mutation", field_name(operation)), operation.name
        for name in deprecations_of(operation.input) if operation.input is not None else ():
            yield (f"{pascal(operation.name)}Input", camel(name)), f"{operation.name}.{name}"
        for verb, entry in operation.entries.items():
            if entry.deprecated is not None:
                yield (f"{pascal(operation.name)}Operation", verb), entry.name
    for resource in catalogue.resources.values():
        kind = pascal(resource.name)
        for name in deprecations_of(resource.read):
            member = f"{resource.name}.{name}"
            yield (kind, camel(name)), member
            yield (f"{kind}Filter", camel(name)), member
            yield (f"{kind}OrderField", name.upper()), member


def _holders(schema: GraphQLSchema, kinds: set[str]) -> set[str]:
    """The input types that have deprecated members, or hold types that have."""
    found = kinds & set(schema.type_map)
    grown = True
    while grown:
        more = {
            each.name
            for each in schema.type_map.values()
            if isinstance(each, GraphQLInputObjectType)
            and any(get_named_type(member.type).name in found for member in each.fields.values())
        }
        grown = not more <= found
        found |= more
    return found
