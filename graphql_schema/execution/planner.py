"""The planner: a validated document, to the query that the Reader answers.

Types and fields are known by the names that schema.py and types.py gave them; whatever else the schema holds (a field
written by hand, introspection) is not compiled, and the document as a whole goes down the general path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import DocumentNode, FieldNode, GraphQLSchema, OperationDefinitionNode, OperationType, get_location
from pydantic_core import PydanticCustomError

from graphql_schema.execution.idempotency import asked_of
from graphql_schema.execution.inputs import NeedsGeneralPathError, Variables, is_constant
from graphql_schema.execution.plans import Locations, MutationPlan, MutationStep, ReadPlan, Slot
from graphql_schema.execution.selections import SchemaNames, SelectionPlanner
from graphql_schema.schema.batches import FIELD_ERROR, PROBLEM, ROW, Member, Members, result_name
from graphql_schema.schema.fields import Collector
from services.catalogue import Catalogue, Kind, Operation, ResultModel
from services.catalogue.models import fields_of
from services.catalogue.naming import camel, pascal, snake
from services.catalogue.resources import Resource
from services.engine.batching import ROWS
from services.queries.costs import NODE_WEIGHT
from services.queries.limits import DEFAULTS, Limits
from services.queries.selections import Constant, Input, ListRoot, NodesRoot, Query, Root, RowRoot, Selection
from services.reader.statement import NotCompiledError


class Planner:
    """Plans the operations of one schema."""

    def __init__(self, schema: GraphQLSchema, catalogue: Catalogue, limits: Limits = DEFAULTS) -> None:
        self._vocabulary = SchemaNames(schema, catalogue, limits)
        self.coercers = self._vocabulary.coercers

    def plan(
        self, document: DocumentNode, operation: OperationDefinitionNode, conditions: Mapping[str, bool], *,
        passing: bool = False,
    ) -> tuple[ReadPlan | MutationPlan, int]:  # fmt: skip
        """The plan of one operation, and how many fields it has, given the values of the variables in its directives.

        `passing` as of Query. Raises NotCompiledError.
        """
        planner = _OperationPlanner(self._vocabulary, Collector(document, conditions), passing=passing)
        if operation.operation is OperationType.QUERY:
            return planner.read(operation), planner.members
        if operation.operation is OperationType.MUTATION:
            return planner.mutation(operation), planner.members
        raise NotCompiledError("a subscription")


class _OperationPlanner(SelectionPlanner):
    """Plans one operation: its root fields and payloads; SelectionPlanner plans what is selected of rows and lists."""

    def __init__(self, vocabulary: SchemaNames, collector: Collector, *, passing: bool) -> None:
        super().__init__(vocabulary, collector)
        self._passing = passing

    def read(self, operation: OperationDefinitionNode) -> ReadPlan:
        fields = self.collector.of([operation.selection_set], frozenset({"Query"}))
        roots = tuple(self._root(key, nodes) for key, nodes in fields.items())
        called = [self.vocabulary.operations.get(nodes[0].name.value) for nodes in fields.values()]
        names = [each.name if each is not None else "node" for each in called]
        shown = dict.fromkeys(name for name, root in zip(names, roots, strict=True) if not isinstance(root, Constant))
        weight = sum(
            (each.cost if each is not None else NODE_WEIGHT)
            for each, root in zip(called, roots, strict=True)
            if not isinstance(root, Constant)
        )
        return ReadPlan(
            Query(roots, noted=",".join(shown), weight=weight, passing=self._passing), self.slots,
            {key: _locations(nodes) for key, nodes in fields.items()},
            rows=[root.key for root in roots if isinstance(root, RowRoot)],
        )  # fmt: skip

    def mutation(self, operation: OperationDefinitionNode) -> MutationPlan:
        fields = self.collector.of([operation.selection_set], frozenset({"Mutation"}))
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
        operation = self.vocabulary.operations.get(name)
        if operation is None or operation.resource is None or not operation.is_read:
            raise NotCompiledError(name)
        resource = operation.resource
        if operation.kind is Kind.LIST:
            slot = self.list_slot(resource, nodes[0], "Query")
            return ListRoot(key, resource, operation.where, slot, self.listing(resource, nodes))
        slot_of_key = self._key_slot(resource, nodes[0]) if operation.on_a_row else None
        return RowRoot(key, resource, operation.where, slot_of_key, self.selection(resource, nodes))

    def _nodes(self, key: str, nodes: list[FieldNode], *, many: bool) -> NodesRoot:
        getter = self.arguments(nodes[0], "Query")
        catalogue, name, most = self.vocabulary.catalogue, "ids" if many else "id", self.vocabulary.limits.nodes

        def make(variables: Variables) -> Input:
            given = getter(variables)[name]
            if not many:
                return [catalogue.locate(given)]
            found = [catalogue.resource_of(each) for each in given[: most + 1]]
            located = [each for each in found if each is not None]
            if len(found) > most or 0 < len(located) < len(found):
                raise NeedsGeneralPathError  # what is no identifier is an error in its own place
            return located if located or not found else [catalogue.locate(given[0], (name, 0))]

        def number(variables: Variables) -> int:
            return len(getter(variables)[name]) if many else 1

        slot = self.add_slot(Slot(make, fixed=False, most=number))
        selections = tuple((each, self.selection(each, nodes)) for each in catalogue.resources.values())
        return NodesRoot(key, many, slot, selections)

    def _step(self, key: str, nodes: list[FieldNode]) -> MutationStep:
        operation = self.vocabulary.operations.get(nodes[0].name.value)
        if operation is None or operation.is_read:
            raise NotCompiledError(nodes[0].name.value)
        getter = self.arguments(nodes[0], "Mutation")
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
        for key, each in self.below(nodes, type_name).items():
            name = each[0].name.value
            if name == "__typename":
                members.append((key, "constant", type_name))
            elif isinstance(result, Resource) and name == camel(result.name):
                roots.append(RowRoot(key, result, None, 0, self.selection(result, each)))
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
        return members, Query(tuple(roots), passing=self._passing) if roots else None

    def _outcomes(self, operation: Operation, nodes: list[FieldNode]) -> tuple[Members, Selection]:
        """What is shown of a batch's outcomes: values by name, and what is selected of their rows."""
        resource = operation.resource
        assert resource is not None
        name = result_name(resource)
        fields, selection = self.below(nodes, name), Selection((Constant("", None),))
        rows = [each for each in fields.values() if each[0].name.value == camel(resource.name)]
        if len(rows) > 1:
            raise NotCompiledError("several selections of the rows")
        if rows:
            selection = self.selection(resource, rows[0])
        return tuple(self._plain(name, key, each, resource) for key, each in fields.items()), selection

    def _plain(self, type_name: str, key: str, nodes: list[FieldNode], resource: Resource[Any]) -> Member:
        """A value of a batch's outcome by its name, with those below it."""
        name = nodes[0].name.value
        below = {"problem": PROBLEM, "errors": FIELD_ERROR}.get(name)
        if name == "__typename":
            return key, type_name, None
        if below is None:
            return key, ROW if name == camel(resource.name) else name, ()
        inner = self.below(nodes, below)
        return key, name, tuple(self._plain(below, each, found, resource) for each, found in inner.items())

    def _result(self, model: type[ResultModel], nodes: list[FieldNode]) -> list[tuple[str, str | None, Any]]:
        """The values of a result model: response name, attribute, and its type or a constant."""
        kinds = {camel(name): (name, kind) for name, kind in fields_of(model).items()}
        found: list[tuple[str, str | None, Any]] = []
        for key, each in self.below(nodes, model.__name__).items():
            name = each[0].name.value
            if name == "__typename":
                found.append((key, None, model.__name__))
            elif name in kinds and kinds[name][1].scalar is not None:
                found.append((key, *kinds[name]))
            else:
                raise NotCompiledError(f"{model.__name__}.{name}")
        return found

    def _key_slot(self, resource: Resource[Any], node: FieldNode) -> int:
        getter, identifier = self.arguments(node, "Query"), resource.fields["id"].identifier
        assert identifier is not None

        def make(variables: Variables) -> Input:
            try:
                return identifier.decode(getter(variables)["id"])
            except PydanticCustomError:
                raise NeedsGeneralPathError from None

        return self.add_slot(Slot(make, is_constant(getter)))


def _locations(nodes: list[FieldNode]) -> Locations:
    """Where a field is written, as GraphQL's errors tell it."""
    found = [get_location(each.loc.source, each.loc.start) for each in nodes if each.loc is not None]
    return [{"line": each.line, "column": each.column} for each in found]
