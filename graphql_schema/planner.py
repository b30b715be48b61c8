"""The planner: a validated document, to the query that the Reader answers.

Types and fields are known by the names that schema.py and types.py gave them; whatever else the schema holds (a field
written by hand, introspection) is not compiled, and the document as a whole goes down the general path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_location,
)
from pydantic_core import PydanticCustomError

from graphql_schema.batches import FIELD_ERROR, PROBLEM, ROW, Member, Members, result_name
from graphql_schema.fields import Collector, Fields
from graphql_schema.idempotency import asked_of
from graphql_schema.inputs import Coercers, Getter, UnfitError, Variables, gathered, is_constant
from graphql_schema.lists import list_arguments_of
from graphql_schema.naming import field_name
from graphql_schema.plans import Locations, MutationPlan, MutationStep, ReadPlan, Slot
from services.batching import ROWS
from services.catalogue import Catalogue, Kind, Operation, Query, Relation, Resource, ResultModel, Selection
from services.catalogue.costs import NODE_WEIGHT
from services.catalogue.limits import DEFAULTS, Limits
from services.catalogue.models import fields_of
from services.catalogue.naming import camel, pascal, snake
from services.catalogue.selections import (
    About,
    Constant,
    Cursor,
    EdgeNode,
    Edges,
    Fact,
    Facts,
    Input,
    Listing,
    ListRoot,
    Many,
    NodesRoot,
    One,
    Root,
    RowRoot,
    Rows,
    Tag,
    Value,
)
from services.catalogue.versions import ETAG
from services.storage.statement import MAX_PARTS, NotCompiledError

MAX_MEMBERS: Final = 2_000
"""Fields of one operation, once fragments are put in their places."""

_PAGE_INFO: Final = {
    "hasNextPage": About.HAS_NEXT,
    "hasPreviousPage": About.HAS_PREVIOUS,
    "startCursor": About.START,
    "endCursor": About.END,
}


class Planner:
    """Plans the operations of one schema."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, limits: Limits = DEFAULTS) -> None:
        self.schema, self.catalogue, self.limits, self.coercers = schema, catalogue, limits, Coercers()
        self.operations = {field_name(each): each for each in catalogue.operations.values()}
        self.fields = {each: {camel(name): name for name in each.fields} for each in catalogue.resources.values()}
        self.relations = {
            each: {camel(name): relation for name, relation in each.relations.items()}
            for each in catalogue.resources.values()
        }

    def plan(
        self, document: DocumentNode, operation: OperationDefinitionNode, conditions: Mapping[str, bool]
    ) -> tuple[ReadPlan | MutationPlan, int]:
        """The plan of one operation, and how many fields it has, given the values of the variables in its directives.

        Raises NotCompiledError.
        """
        document_plan = _DocumentPlan(self, Collector(document, conditions))
        if operation.operation is OperationType.QUERY:
            return document_plan.read(operation), document_plan.members
        if operation.operation is OperationType.MUTATION:
            return document_plan.mutation(operation), document_plan.members
        raise NotCompiledError("a subscription")


class _DocumentPlan:
    """One operation being planned."""

    def __init__(self, planner: Planner, collector: Collector) -> None:
        self.planner, self.collector = planner, collector
        self.slots: list[Slot] = []
        self.members = self._parts = 0

    def read(self, operation: OperationDefinitionNode) -> ReadPlan:
        fields = self.collector.of([operation.selection_set], frozenset({"Query"}))
        if len(fields) > self.planner.limits.query_fields:
            raise NotCompiledError("too many fields")
        roots = tuple(self._root(key, nodes) for key, nodes in fields.items())
        query = Query(roots)
        called = [self.planner.operations.get(nodes[0].name.value) for nodes in fields.values()]
        names = [each.name if each is not None else "node" for each in called]
        shown = dict.fromkeys(name for name, root in zip(names, roots, strict=True) if not isinstance(root, Constant))
        return ReadPlan(
            query, self.slots, {key: _locations(nodes) for key, nodes in fields.items()},
            scopes=frozenset(each.read_scope for each in query.resources),
            nodes=[root.slot for root in roots if isinstance(root, NodesRoot)],
            rows=[root.key for root in roots if isinstance(root, RowRoot)],
            noted=",".join(shown),
            weight=sum(
                (each.cost if each is not None else NODE_WEIGHT)
                for each, root in zip(called, roots, strict=True)
                if not isinstance(root, Constant)
            ),
        )  # fmt: skip

    def mutation(self, operation: OperationDefinitionNode) -> MutationPlan:
        fields = self.collector.of([operation.selection_set], frozenset({"Mutation"}))
        if len(fields) > self.planner.limits.mutation_fields:
            raise NotCompiledError("too many fields")
        steps: list[MutationStep | Constant] = []
        for key, nodes in fields.items():
            name = nodes[0].name.value
            steps.append(Constant(key, "Mutation") if name == "__typename" else self._step(key, nodes))
        return MutationPlan(steps)

    def _root(self, key: str, nodes: list[FieldNode]) -> Root:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, "Query")
        if name in ("node", "nodes"):
            return self._nodes(key, nodes, many=name == "nodes")
        operation = self.planner.operations.get(name)
        if operation is None or operation.resource is None or not operation.is_read:
            raise NotCompiledError(name)
        resource = operation.resource
        if operation.kind is Kind.LIST:
            slot = self._list_slot(resource, nodes[0], "Query")
            return ListRoot(key, resource, operation.where, slot, self._listing(resource, nodes))
        slot_of_key = self._key_slot(resource, nodes[0]) if operation.on_a_row else None
        return RowRoot(key, resource, operation.where, slot_of_key, self._selection(resource, nodes))

    def _nodes(self, key: str, nodes: list[FieldNode], *, many: bool) -> NodesRoot:
        getter = self._arguments(nodes[0], "Query")
        catalogue, name, most = self.planner.catalogue, "ids" if many else "id", self.planner.limits.nodes

        def make(variables: Variables) -> Input:
            given = getter(variables)[name]
            if not many:
                return [catalogue.locate(given)]
            found = [catalogue.resource_of(each) for each in given[: most + 1]]
            located = [each for each in found if each is not None]
            if len(found) > most or len(located) < len(found):
                raise UnfitError  # what is no identifier is an error in its own place
            return located

        slot = self._slot(Slot(make, fixed=False))
        selections = tuple((each, self._selection(each, nodes)) for each in catalogue.resources.values())
        return NodesRoot(key, many, slot, selections)

    def _selection(self, resource: Resource[Any], nodes: list[FieldNode]) -> Selection:
        """What is selected below fields of a resource's type."""
        name = pascal(resource.name)
        fields = self.collector.below(nodes, frozenset({name, "Node"}))
        self._count(len(fields))
        return Selection(tuple(self._member(resource, name, key, each) for key, each in fields.items()))

    def _member(
        self, resource: Resource[Any], type_name: str, key: str, nodes: list[FieldNode]
    ) -> Constant | Value | Tag | One | Many:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, type_name)
        if name in self.planner.fields[resource]:
            return Value(key, self.planner.fields[resource][name], by_name=True)
        if name == ETAG:
            return Tag(key)
        relation: Relation | None = self.planner.relations[resource].get(name)
        if relation is None:
            raise NotCompiledError(f"{type_name}.{name}")
        self._count(0, parts=1)
        if not relation.many:
            return One(key, relation, self._selection(relation.target, nodes))
        slot = self._list_slot(relation.target, nodes[0], type_name)
        return Many(key, relation, slot, self._listing(relation.target, nodes))

    def _listing(self, resource: Resource[Any], nodes: list[FieldNode]) -> Listing:
        """What is selected below fields of a connection's type."""
        name = f"{pascal(resource.name)}Connection"
        fields = self.collector.below(nodes, frozenset({name}))
        return tuple(self._part(resource, name, key, each) for key, each in fields.items())

    def _part(
        self, resource: Resource[Any], type_name: str, key: str, nodes: list[FieldNode]
    ) -> Constant | Fact | Facts | Rows | Edges:
        name = nodes[0].name.value
        if name == "__typename":
            return Constant(key, type_name)
        if name == "nodes":
            return Rows(key, self._selection(resource, nodes))
        if name == "totalCount":
            return Fact(key, About.TOTAL)
        if name == "pageInfo":
            return Facts(key, tuple(_page_fact(each, inner) for each, inner in self._below(nodes, "PageInfo").items()))
        if name == "edges":
            edge = f"{pascal(resource.name)}Edge"
            return Edges(key, tuple(
                self._edge_member(resource, edge, each, inner) for each, inner in self._below(nodes, edge).items()
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
            return EdgeNode(key, self._selection(resource, nodes))
        raise NotCompiledError(f"{type_name}.{name}")

    def _step(self, key: str, nodes: list[FieldNode]) -> MutationStep:
        operation = self.planner.operations.get(nodes[0].name.value)
        if operation is None or operation.is_read:
            raise NotCompiledError(nodes[0].name.value)
        getter = self._arguments(nodes[0], "Mutation")
        self.slots = []
        payload, shown = self._payload(operation, nodes)
        if operation.scope is None and shown is not None and shown.related:
            raise NotCompiledError("relations of what is open to everybody")
        asked = asked_of(nodes, self.collector.fragments)
        return MutationStep(key, operation, getter, payload, shown, self.slots[1:], _locations(nodes), asked)

    def _payload(self, operation: Operation, nodes: list[FieldNode]) -> tuple[list[tuple[str, str, Any]], Query | None]:
        type_name, result = f"{pascal(operation.name)}Payload", operation.result
        members: list[tuple[str, str, Any]] = []
        roots: list[Root] = []
        # The first slot is that of the result's key.
        self.slots.append(Slot(lambda variables: (), fixed=True))
        for key, each in self._below(nodes, type_name).items():
            name = each[0].name.value
            if name == "__typename":
                members.append((key, "constant", type_name))
            elif isinstance(result, Resource) and name == camel(result.name):
                roots.append(RowRoot(key, result, None, 0, self._selection(result, each)))
                members.append((key, "row", None))
            elif isinstance(result, type) and name == camel(snake(result.__name__)):
                members.append((key, "result", self._result(result, each)))
            elif operation.kind is Kind.BATCH and name == "results" and not roots:
                planned, selection = self._outcomes(operation, each)
                assert operation.resource is not None
                roots.append(NodesRoot(ROWS, True, 0, ((operation.resource, selection),)))
                members.append((key, "results", planned))
            elif result is None and name in ("id", "ok"):
                members.append((key, name, None))
            else:
                raise NotCompiledError(f"{type_name}.{name}")
        if operation.kind is Kind.BATCH and not roots:
            raise NotCompiledError("nothing of the results")
        if isinstance(result, Resource) and not roots:
            roots.append(RowRoot("", result, None, 0, Selection((Constant("", None),))))
        return members, Query(tuple(roots)) if roots else None

    def _outcomes(self, operation: Operation, nodes: list[FieldNode]) -> tuple[Members, Selection]:
        """What is shown of a batch's outcomes: values by name, and what is selected of their rows."""
        resource = operation.resource
        assert resource is not None
        name = result_name(resource)
        fields, selection = self._below(nodes, name), Selection((Constant("", None),))
        rows = [each for each in fields.values() if each[0].name.value == camel(resource.name)]
        if len(rows) > 1:
            raise NotCompiledError("several selections of the rows")
        if rows:
            selection = self._selection(resource, rows[0])
        return tuple(self._plain(name, key, each, resource) for key, each in fields.items()), selection

    def _plain(self, type_name: str, key: str, nodes: list[FieldNode], resource: Resource[Any]) -> Member:
        """A value of a batch's outcome by its name, with those below it."""
        name = nodes[0].name.value
        below = {"problem": PROBLEM, "errors": FIELD_ERROR}.get(name)
        if name == "__typename":
            return key, type_name, None
        if below is None:
            return key, ROW if name == camel(resource.name) else name, ()
        inner = self._below(nodes, below)
        return key, name, tuple(self._plain(below, each, found, resource) for each, found in inner.items())

    def _result(self, model: type[ResultModel], nodes: list[FieldNode]) -> list[tuple[str, str | None, Any]]:
        """The values of a result model: response name, attribute, and its type or a constant."""
        kinds = {camel(name): (name, kind) for name, kind in fields_of(model).items()}
        found: list[tuple[str, str | None, Any]] = []
        for key, each in self._below(nodes, model.__name__).items():
            name = each[0].name.value
            if name == "__typename":
                found.append((key, None, model.__name__))
            elif name in kinds and kinds[name][1].scalar is not None:
                found.append((key, *kinds[name]))
            else:
                raise NotCompiledError(f"{model.__name__}.{name}")
        return found

    def _count(self, members: int, *, parts: int = 0) -> None:
        """Fragments within fragments multiply: what gets too large is left at once. Raises NotCompiledError."""
        self.members += members
        self._parts += parts
        if self.members > MAX_MEMBERS or self._parts > MAX_PARTS:
            raise NotCompiledError("too large")

    def _below(self, nodes: list[FieldNode], type_name: str) -> Fields:
        return self.collector.below(nodes, frozenset({type_name}))

    def _arguments(self, node: FieldNode, type_name: str) -> Getter:
        """The getter of a field's arguments, by the services' names."""
        parent: Any = self.planner.schema.get_type(type_name)
        definition = parent.fields[node.name.value]
        return gathered({
            snake(each.name.value): self.planner.coercers.literal(each.value, definition.args[each.name.value].type)
            for each in node.arguments or ()
        })  # fmt: skip

    def _slot(self, slot: Slot) -> int:
        self.slots.append(slot)
        return len(self.slots) - 1

    def _list_slot(self, resource: Resource[Any], node: FieldNode, type_name: str) -> int:
        getter, limits = self._arguments(node, type_name), self.planner.limits
        return self._slot(
            Slot(
                lambda variables: list_arguments_of(resource, getter(variables), limits), is_constant(getter), resource
            )
        )

    def _key_slot(self, resource: Resource[Any], node: FieldNode) -> int:
        getter, identifier = self._arguments(node, "Query"), resource.fields["id"].identifier
        assert identifier is not None

        def make(variables: Variables) -> Input:
            try:
                return identifier.decode(getter(variables)["id"])
            except PydanticCustomError:
                raise UnfitError from None

        return self._slot(Slot(make, is_constant(getter)))


def _page_fact(key: str, nodes: list[FieldNode]) -> Constant | Fact:
    name = nodes[0].name.value
    if name == "__typename":
        return Constant(key, "PageInfo")
    if name not in _PAGE_INFO:
        raise NotCompiledError(f"PageInfo.{name}")
    return Fact(key, _PAGE_INFO[name])


def _locations(nodes: list[FieldNode]) -> Locations:
    """Where a field is written, as GraphQL's errors tell it."""
    found = [get_location(each.loc.source, each.loc.start) for each in nodes if each.loc is not None]
    return [{"line": each.line, "column": each.column} for each in found]
