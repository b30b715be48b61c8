"""What is selected below a field of a resource's type, or of a connection's, as the services have it.

Types and fields are known by the names that schema.py and types.py gave them.
"""

from __future__ import annotations

from typing import Any, Final

from graphql import FieldNode, GraphQLSchema

from graphql_schema.execution.inputs import Coercers, Getter, gathered, is_constant
from graphql_schema.execution.plans import Slot
from graphql_schema.schema.fields import Collector, Fields
from graphql_schema.schema.lists import list_arguments_of
from graphql_schema.schema.naming import field_name
from services.catalogue import Catalogue, Relation
from services.catalogue.naming import ETAG, camel, pascal, snake
from services.catalogue.resources import Resource
from services.queries.limits import Limits
from services.queries.selections import (
    About,
    Constant,
    Cursor,
    EdgeNode,
    Edges,
    Fact,
    Facts,
    Listing,
    Many,
    One,
    Rows,
    Selection,
    Tag,
    Value,
)
from services.reader.statement import MAX_PARTS, NotCompiledError

MAX_MEMBERS: Final = 2_000
"""Fields of one operation, once fragments are put in their places."""

_PAGE_INFO: Final = {
    "hasNextPage": About.HAS_NEXT,
    "hasPreviousPage": About.HAS_PREVIOUS,
    "startCursor": About.START,
    "endCursor": About.END,
}


class Vocabulary:
    """The operations, fields and relations of a schema by the names that documents have for them."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, limits: Limits) -> None:
        self.schema, self.catalogue, self.limits, self.coercers = schema, catalogue, limits, Coercers()
        self.operations = {field_name(each): each for each in catalogue.operations.values()}
        self.fields = {each: {camel(name): name for name in each.fields} for each in catalogue.resources.values()}
        self.relations = {
            each: {camel(name): relation for name, relation in each.relations.items()}
            for each in catalogue.resources.values()
        }


class SelectionPlanner:
    """Plans the selections of one operation. `slots` are the inputs they need; `members` counts their fields.

    Its methods raise NotCompiledError.
    """

    def __init__(self, vocabulary: Vocabulary, collector: Collector) -> None:
        self.vocabulary, self.collector = vocabulary, collector
        self.slots: list[Slot] = []
        self.members = self._parts = 0

    def selection(self, resource: Resource[Any], nodes: list[FieldNode]) -> Selection:
        """What is selected below fields of a resource's type."""
        name = pascal(resource.name)
        fields = self.collector.below(nodes, frozenset({name, "Node"}))
        self._count(len(fields))
        return Selection(tuple(self._member(resource, name, key, each) for key, each in fields.items()))

    def listing(self, resource: Resource[Any], nodes: list[FieldNode]) -> Listing:
        """What is selected below fields of a connection's type."""
        name = f"{pascal(resource.name)}Connection"
        fields = self.collector.below(nodes, frozenset({name}))
        return tuple(self._part(resource, name, key, each) for key, each in fields.items())

    def below(self, nodes: list[FieldNode], type_name: str) -> Fields:
        """The fields selected below fields whose values are of the type."""
        return self.collector.below(nodes, frozenset({type_name}))

    def arguments(self, node: FieldNode, type_name: str) -> Getter:
        """The getter of a field's arguments, by the services' names."""
        parent: Any = self.vocabulary.schema.get_type(type_name)
        definition = parent.fields[node.name.value]
        return gathered({
            snake(each.name.value): self.vocabulary.coercers.literal(each.value, definition.args[each.name.value].type)
            for each in node.arguments or ()
        })  # fmt: skip

    def add_slot(self, slot: Slot) -> int:
        """Its place."""
        self.slots.append(slot)
        return len(self.slots) - 1

    def list_slot(self, resource: Resource[Any], node: FieldNode, type_name: str) -> int:
        """The place of the slot for the arguments of a list, which is a field of the type."""
        getter, limits = self.arguments(node, type_name), self.vocabulary.limits
        return self.add_slot(
            Slot(
                lambda variables: list_arguments_of(resource, getter(variables), limits), is_constant(getter), resource
            )
        )

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
    ) -> Constant | Fact | Facts | Rows | Edges:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, type_name)
        if name == "nodes":
            return Rows(key, self.selection(resource, nodes))
        if name == "totalCount":
            return Fact(key, About.TOTAL)
        if name == "pageInfo":
            return Facts(key, tuple(_page_fact(each, inner) for each, inner in self.below(nodes, "PageInfo").items()))
        if name == "edges":
            edge = f"{pascal(resource.name)}Edge"
            return Edges(key, tuple(
                self._edge_member(resource, edge, each, inner) for each, inner in self.below(nodes, edge).items()
            ))  # fmt: skip
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
        """Fragments within fragments multiply: what gets too large is left at once. Raises NotCompiledError."""
        self.members += members
        self._parts += parts
        if self.members > MAX_MEMBERS or self._parts > MAX_PARTS:
            raise NotCompiledError("too large")


def _page_fact(key: str, nodes: list[FieldNode]) -> Constant | Fact:
    name = nodes[0].name.value
    if name == "__typename":
        return Constant(key, "PageInfo")
    if name not in _PAGE_INFO:
        raise NotCompiledError(f"PageInfo.{name}")
    return Fact(key, _PAGE_INFO[name])
