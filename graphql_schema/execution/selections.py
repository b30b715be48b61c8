"""Translates selections on a resource's type, or on a connection, into the services' selections.

Types and fields are recognised by the names that schema.py and types.py give them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from graphql import FieldNode, GraphQLSchema, OperationDefinitionNode

from graphql_schema.execution.inputs import Fixed, Getter, Variables, gathered, literal
from graphql_schema.execution.plans import Slot
from graphql_schema.schema.fields import Collector
from graphql_schema.schema.lists import parse_list_arguments, rows_asked
from graphql_schema.schema.naming import root_field_name
from services.catalogue import Catalogue
from services.catalogue.naming import ETAG, camel, pascal, snake
from services.catalogue.resources import Resource
from services.queries.limits import DEFAULTS, Limits
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

_PAGE_PROPERTIES: Final = {
    "totalCount": PageProperty.TOTAL,
    "hasNextPage": PageProperty.HAS_NEXT,
    "hasPreviousPage": PageProperty.HAS_PREVIOUS,
    "startCursor": PageProperty.START,
    "endCursor": PageProperty.END,
}


class SchemaNames:
    """The operations, fields and relations of a schema by their GraphQL names."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, limits: Limits = DEFAULTS) -> None:
        self.schema, self.catalogue, self.limits = schema, catalogue, limits
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

    def __init__(self, names: SchemaNames, collector: Collector) -> None:
        self.names, self.collector = names, collector
        self.slots: list[Slot] = []
        self.members = self._parts = 0

    def selection(self, resource: Resource[Any], nodes: list[FieldNode]) -> Selection:
        """Return the selection below fields of a resource's type."""
        return Selection(self.below(nodes, pascal(resource.name), partial(self._member, resource), "Node"))

    def listing(self, resource: Resource[Any], nodes: list[FieldNode]) -> Listing:
        """Return the selection below fields of a connection's type."""
        return self.below(nodes, f"{pascal(resource.name)}Connection", partial(self._part, resource))

    def below(
        self, nodes: Iterable[FieldNode | OperationDefinitionNode], type_name: str,
        plan: Callable[[str, str, list[FieldNode]], Any], *interfaces: str,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Plan the fields selected of a type: `plan` takes a field's response name, its name and its nodes."""
        fields = self.collector.below(nodes, type_name, *interfaces)
        self._count(len(fields))
        named = [(key, each[0].name.value, each) for key, each in fields.items()]
        return tuple(
            Constant(key, type_name) if name == "__typename" else plan(key, name, each) for key, name, each in named
        )

    def arguments(self, node: FieldNode, type_name: str) -> Getter:
        """Return a function from the variables to a field's arguments, by the services' names."""
        parent: Any = self.names.schema.get_type(type_name)
        parameters = parent.fields[node.name.value].args
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
        getter, limits = self.arguments(node, type_name), self.names.limits

        def list_input(variables: Variables) -> ListArguments:
            return parse_list_arguments(resource, getter(variables), limits)

        def page_size(variables: Variables) -> int:
            return rows_asked(getter(variables), limits)

        return self.add_slot(Slot(list_input, isinstance(getter, Fixed), resource, page_size))

    def _member(
        self, resource: Resource[Any], key: str, name: str, nodes: list[FieldNode]
    ) -> Value | Tag | One | Many:  # fmt: skip
        if name in self.names.fields[resource]:
            return Value(key, self.names.fields[resource][name], by_name=True)
        if name == ETAG:
            return Tag(key)
        relation = self.names.relations[resource].get(name)
        if relation is None:
            raise NotCompiledError(f"{pascal(resource.name)}.{name}")
        self._count(0, parts=1)
        if not relation.many:
            return One(key, relation, self.selection(relation.target, nodes))
        slot = self.list_slot(relation.target, nodes[0], pascal(resource.name))
        return Many(key, relation, slot, self.listing(relation.target, nodes))

    def _part(
        self, resource: Resource[Any], key: str, name: str, nodes: list[FieldNode]
    ) -> PageValue | PageObject | Rows | Edges:
        if name == "nodes":
            return Rows(key, self.selection(resource, nodes))
        if name == "edges":
            return Edges(key, self.below(nodes, f"{pascal(resource.name)}Edge", partial(self._edge_member, resource)))
        if name == "pageInfo":
            return PageObject(key, self.below(nodes, "PageInfo", _page_value))
        return _page_value(key, name, nodes)

    def _edge_member(self, resource: Resource[Any], key: str, name: str, nodes: list[FieldNode]) -> Cursor | EdgeNode:
        return Cursor(key) if name == "cursor" else EdgeNode(key, self.selection(resource, nodes))

    def _count(self, members: int, *, parts: int = 0) -> None:
        """Count fields while they are collected, because nested fragments multiply. Raises NotCompiledError."""
        self.members += members
        self._parts += parts
        if self.members > MAX_MEMBERS or self._parts > MAX_PARTS:
            raise NotCompiledError("too large")


def _page_value(key: str, name: str, nodes: list[FieldNode]) -> PageValue:
    return PageValue(key, _PAGE_PROPERTIES[name])
