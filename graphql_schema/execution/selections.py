"""Translates selections on a resource's type, or on a connection, into the services' selections.

Types and fields are recognised by the names that schema.py and types.py give them.
"""

from __future__ import annotations

from typing import Any, Final

from graphql import FieldNode, GraphQLSchema

from graphql_schema.execution.inputs import Coercers, Getter, Variables, gathered, is_constant
from graphql_schema.execution.plans import Slot
from graphql_schema.schema.fields import Collector, Fields
from graphql_schema.schema.lists import parse_plain_list_arguments, rows_asked
from graphql_schema.schema.naming import root_field_name
from services.catalogue import Catalogue, Relation
from services.catalogue.naming import ETAG, camel, pascal, snake
from services.catalogue.resources import Resource
from services.queries.limits import Limits
from services.queries.lists import ListArguments
from services.queries.selections import (
    Constant,
    Cursor,
    EdgeNode,
    Edges,
    Listing,
    Many,
    One,
    PageObject,
    PageProperty,
    PageValue,
    Rows,
    Selection,
    Tag,
    Value,
)
from services.reader.statement import MAX_PARTS, NotCompiledError

MAX_MEMBERS: Final = 2_000
"""The most fields of one operation, with its fragments expanded."""

_PAGE_INFO: Final = {
    "hasNextPage": PageProperty.HAS_NEXT,
    "hasPreviousPage": PageProperty.HAS_PREVIOUS,
    "startCursor": PageProperty.START,
    "endCursor": PageProperty.END,
}


class SchemaNames:
    """The operations, fields and relations of a schema by their GraphQL names."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, limits: Limits) -> None:
        self.schema, self.catalogue, self.limits, self.coercers = schema, catalogue, limits, Coercers()
        resources = catalogue.resources.values()
        self.operations = {root_field_name(operation): operation for operation in catalogue.operations.values()}
        self.fields = {resource: {camel(name): name for name in resource.fields} for resource in resources}
        self.relations = {
            resource: {camel(name): relation for name, relation in resource.relations.items()} for resource in resources
        }


class SelectionPlanner:
    """Plans the selections of one operation. `slots` are the inputs that they need, `members` counts their fields.

    Its methods raise NotCompiledError.
    """

    def __init__(self, vocabulary: SchemaNames, collector: Collector) -> None:
        self.vocabulary, self.collector = vocabulary, collector
        self.slots: list[Slot] = []
        self.members = self._parts = 0

    def selection(self, resource: Resource[Any], nodes: list[FieldNode]) -> Selection:
        """Return the selection below fields of a resource's type."""
        name = pascal(resource.name)
        fields = self.collector.below(nodes, frozenset({name, "Node"}))
        self._count(len(fields))
        return Selection(tuple(self._member(resource, name, key, selected) for key, selected in fields.items()))

    def listing(self, resource: Resource[Any], nodes: list[FieldNode]) -> Listing:
        """Return the selection below fields of a connection's type."""
        name = f"{pascal(resource.name)}Connection"
        return tuple(self._part(resource, name, key, selected) for key, selected in self.below(nodes, name).items())

    def below(self, nodes: list[FieldNode], type_name: str) -> Fields:
        """Return the fields selected below fields whose values are of the type."""
        fields = self.collector.below(nodes, frozenset({type_name}))
        self._count(len(fields))
        return fields

    def arguments(self, node: FieldNode, type_name: str) -> Getter:
        """Return a function from the variables to a field's arguments, by the services' names."""
        parent: Any = self.vocabulary.schema.get_type(type_name)
        parameters = parent.fields[node.name.value].args
        literal = self.vocabulary.coercers.literal
        return gathered({
            snake(argument.name.value): literal(argument.value, parameters[argument.name.value].type)
            for argument in node.arguments or ()
        })  # fmt: skip

    def add_slot(self, slot: Slot) -> int:
        """Add a slot and return its index."""
        self.slots.append(slot)
        return len(self.slots) - 1

    def list_slot(self, resource: Resource[Any], node: FieldNode, type_name: str) -> int:
        """Add a slot for the arguments of a list, which is a field of the type, and return its index."""
        getter, limits = self.arguments(node, type_name), self.vocabulary.limits

        def list_input(variables: Variables) -> ListArguments:
            return parse_plain_list_arguments(resource, getter(variables), limits)

        def page_size(variables: Variables) -> int:
            return rows_asked(getter(variables), limits)

        return self.add_slot(Slot(list_input, is_constant(getter), resource, page_size))

    def _member(
        self, resource: Resource[Any], type_name: str, key: str, nodes: list[FieldNode]
    ) -> Constant | Value | Tag | One | Many:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, type_name)
        if name in self.vocabulary.fields[resource]:
            return Value(key, self.vocabulary.fields[resource][name], by_name=True)
        if name == ETAG:
            return Tag(key)
        relation: Relation | None = self.vocabulary.relations[resource].get(name)
        if relation is None:
            raise NotCompiledError(f"{type_name}.{name}")
        self._count(0, parts=1)
        if not relation.many:
            return One(key, relation, self.selection(relation.target, nodes))
        slot = self.list_slot(relation.target, nodes[0], type_name)
        return Many(key, relation, slot, self.listing(relation.target, nodes))

    def _part(
        self, resource: Resource[Any], type_name: str, key: str, nodes: list[FieldNode]
    ) -> Constant | PageValue | PageObject | Rows | Edges:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, type_name)
        if name == "nodes":
            return Rows(key, self.selection(resource, nodes))
        if name == "totalCount":
            return PageValue(key, PageProperty.TOTAL)
        if name == "pageInfo":
            page_info = self.below(nodes, "PageInfo")
            return PageObject(key, tuple(_page_fact(*member) for member in page_info.items()))
        if name == "edges":
            edge_type = f"{pascal(resource.name)}Edge"
            edge = self.below(nodes, edge_type)
            return Edges(key, tuple(self._edge_member(resource, edge_type, *member) for member in edge.items()))
        raise NotCompiledError(f"{type_name}.{name}")

    def _edge_member(
        self, resource: Resource[Any], type_name: str, key: str, nodes: list[FieldNode]
    ) -> Constant | Cursor | EdgeNode:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, type_name)
        if name == "cursor":
            return Cursor(key)
        if name == "node":
            return EdgeNode(key, self.selection(resource, nodes))
        raise NotCompiledError(f"{type_name}.{name}")

    def _count(self, members: int, *, parts: int = 0) -> None:
        """Count fields while they are collected, because nested fragments multiply. Raises NotCompiledError."""
        self.members += members
        self._parts += parts
        if self.members > MAX_MEMBERS or self._parts > MAX_PARTS:
            raise NotCompiledError("too large")


def _page_fact(key: str, nodes: list[FieldNode]) -> Constant | PageValue:
    name = nodes[0].name.value
    if name == "__typename":
        return Constant(key, "PageInfo")
    if name not in _PAGE_INFO:
        raise NotCompiledError(f"PageInfo.{name}")
    return PageValue(key, _PAGE_INFO[name])
