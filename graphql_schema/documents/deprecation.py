"""Counts the deprecated members of the schema that requests use.

The members that a document itself uses are computed once and remembered; each request only searches the values of the
variables that may hold deprecated members.
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

from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.schema.fields import NameFinder
from graphql_schema.schema.naming import root_field_name
from services.catalogue import Catalogue, Problem
from services.catalogue.deprecation import deprecations_of
from services.catalogue.naming import camel, pascal
from services.process import observation

FACE: Final = "graphql"
REMEMBERED: Final = 500
LONGEST: Final = 20_000
"""The longest document that is remembered, in characters."""


@dataclass(frozen=True, slots=True)
class Uses:
    """The deprecated members in a document, and the types of the variables that may hold others."""

    members: tuple[str, ...]
    variables: Mapping[str, Any]


class DeprecatedUses:
    """Records the uses of deprecated members, under the same names as REST (`item.title`, `create_item`)."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, documents: DocumentCache) -> None:
        self._schema, self._documents = schema, documents
        self._names = dict(_member_names(catalogue))
        self._input_types = _input_types_with(schema, {type_name for type_name, _ in self._names})
        self._remembered: LRUCache[tuple[str, str | None], Uses] = LRUCache(REMEMBERED)

    def __bool__(self) -> bool:
        """Whether anything is deprecated."""
        return bool(self._names)

    def note(self, text: str, name: str | None, variables: Mapping[str, Any]) -> None:
        """Record the uses of a request. A document that is not valid is ignored."""
        uses = self._remembered.get((text, name))
        if uses is None:
            uses = self._uses_in(text, name)
            if uses is None:
                return
            if len(text) <= LONGEST:
                self._remembered[text, name] = uses
        members = list(uses.members)
        for variable, kind in uses.variables.items():
            members += self._members_in(kind, variables.get(variable))
        if members:
            observation.note_deprecated(FACE, members)

    def _uses_in(self, text: str, name: str | None) -> Uses | None:
        prepared = self._documents.prepare(text)
        if prepared.document is None or prepared.structure:
            return None
        try:
            operation = prepared.operation(name)
        except Problem:
            return None
        info = TypeInfo(self._schema)
        finder = _MemberFinder(info, self._names)
        for definition in NameFinder(prepared.document).reach(operation):
            visit(definition, TypeInfoVisitor(info, finder))
        return Uses(tuple(finder.members), self._variables(operation))

    def _variables(self, operation: OperationDefinitionNode) -> dict[str, Any]:
        types = {
            definition.variable.name.value: get_named_type(type_from_ast(self._schema, definition.type))
            for definition in operation.variable_definitions or ()
        }
        return {name: kind for name, kind in types.items() if kind is not None and kind.name in self._input_types}

    def _members_in(self, kind: Any, value: Any) -> Iterator[str]:
        """Yield the deprecated members in a variable's value."""
        pending = [(kind, value)]
        while pending:
            kind, value = pending.pop()
            if isinstance(value, list):
                pending += [(kind, element) for element in value]
            elif isinstance(kind, GraphQLEnumType) and isinstance(value, str) and (kind.name, value) in self._names:
                yield self._names[kind.name, value]
            elif isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
                for name, member in value.items():
                    if (kind.name, name) in self._names:
                        yield self._names[kind.name, name]
                    if name in kind.fields:
                        pending.append((get_named_type(kind.fields[name].type), member))


class _MemberFinder(Visitor):
    """Collects the deprecated members in a document."""

    def __init__(self, info: TypeInfo, names: Mapping[tuple[str, str], str]) -> None:
        super().__init__()
        self._info, self._names = info, names
        self.members: dict[str, None] = {}

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self._check(self._info.get_parent_type(), node.name.value)

    def enter_object_field(self, node: ObjectFieldNode, *_: object) -> None:
        self._check(get_named_type(self._info.get_parent_input_type()), node.name.value)

    def enter_enum_value(self, node: EnumValueNode, *_: object) -> None:
        self._check(get_named_type(self._info.get_input_type()), node.value)

    def _check(self, kind: Any, name: str) -> None:
        member = self._names.get((kind.name, name)) if kind is not None else None
        if member is not None:
            self.members[member] = None


def _member_names(catalogue: Catalogue) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each deprecated member of the schema, as its type and its name, with the name that it is counted under."""
    for operation in catalogue.operations.values():
        if operation.deprecated is not None:
            yield ("Query" if operation.is_read else "Mutation", root_field_name(operation)), operation.name
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


def _input_types_with(schema: GraphQLSchema, names: set[str]) -> set[str]:
    """Return the named types of a schema, and the input types that lead to one of them."""
    inputs = {
        kind.name: {get_named_type(member.type).name for member in kind.fields.values()}
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLInputObjectType)
    }
    reached = names & set(schema.type_map)
    while more := {name for name, members in inputs.items() if members & reached} - reached:
        reached |= more
    return reached
