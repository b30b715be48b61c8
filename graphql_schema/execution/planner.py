"""The planner: a validated document, to the query that the Reader answers.

Types and fields are known by the names that schema.py and types.py gave them; whatever else the schema holds (a field
written by hand, introspection) is not compiled, and the document as a whole goes down the general path.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter, itemgetter
from typing import Any

from graphql import DocumentNode, FieldNode, OperationDefinitionNode, OperationType, get_location
from pydantic_core import PydanticCustomError

from graphql_schema.execution.idempotency import asked_of
from graphql_schema.execution.inputs import Fixed, NeedsGeneralPathError, Variables
from graphql_schema.execution.plans import Locations, MutationPlan, MutationStep, Plan, ReadPlan, Shown, Slot, shown
from graphql_schema.execution.selections import SchemaNames, SelectionPlanner
from graphql_schema.schema.batches import FIELD_ERROR, PROBLEM, outcome_readers, result_name
from graphql_schema.schema.fields import Collector
from graphql_schema.schema.types import result_reader
from services.catalogue import Kind, Operation, ResultModel
from services.catalogue.models import fields_of
from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from services.engine.batching import ROWS
from services.queries.costs import NODE_WEIGHT
from services.queries.selections import Constant, Input, ListRoot, NodesRoot, Query, RowRoot, Selection
from services.reader.statement import NotCompiledError

_NOTHING = Selection((Constant("", None),))
"""Selects no more of a row than that it is there."""


class Planner(SelectionPlanner):
    """Plans one operation: its root fields and payloads; SelectionPlanner plans what is selected of rows and lists.

    `conditions` are the values of the variables in its directives; `passing` is as of Query.
    """

    def __init__(
        self, names: SchemaNames, document: DocumentNode, conditions: Mapping[str, bool], *, passing: bool = False
    ) -> None:  # fmt: skip
        super().__init__(names, Collector(document, conditions))
        self._document, self._passing, self._weight = document, passing, 0
        self._noted: dict[str, None] = {}
        self._places: dict[str, Locations] = {}

    def plan(self, operation: OperationDefinitionNode) -> Plan:
        """Return the plan of an operation of the document. Raises NotCompiledError."""
        if operation.operation is OperationType.QUERY:
            roots = self.below([operation], "Query", self._root)
            query = Query(roots, noted=",".join(self._noted), weight=self._weight, passing=self._passing)
            rows = [root.key for root in roots if isinstance(root, RowRoot)]
            return ReadPlan(query, self.slots, self._places, rows, self.members)
        if operation.operation is OperationType.MUTATION:
            found = self.below([operation], "Mutation", self._step)
            steps = [each for each in found if isinstance(each, MutationStep)]
            data = {each.key: each.value if isinstance(each, Constant) else None for each in found}
            return MutationPlan(steps, data, self.members)
        raise NotCompiledError("a subscription")

    def _root(self, key: str, name: str, nodes: list[FieldNode]) -> ListRoot | RowRoot | NodesRoot:
        self._places[key] = _locations(nodes)
        if name in ("node", "nodes"):
            self._noted["node"] = None
            self._weight += NODE_WEIGHT
            return self._nodes(key, nodes, many=name == "nodes")
        operation = self.names.operations.get(name)
        if operation is None or operation.resource is None or not operation.is_read:
            raise NotCompiledError(name)
        self._noted[operation.name] = None
        self._weight += operation.cost
        resource = operation.resource
        if operation.kind is Kind.LIST:
            slot = self.list_slot(resource, nodes[0], "Query")
            return ListRoot(key, resource, operation.where, slot, self.listing(resource, nodes))
        slot_of_key = self._key_slot(resource, nodes[0]) if operation.on_a_row else None
        return RowRoot(key, resource, operation.where, slot_of_key, self.selection(resource, nodes))

    def _nodes(self, key: str, nodes: list[FieldNode], *, many: bool) -> NodesRoot:
        getter = self.arguments(nodes[0], "Query")
        catalogue, name, most = self.names.catalogue, "ids" if many else "id", self.names.limits.GRAPHQL_MAX_NODES

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

    def _key_slot(self, resource: Resource[Any], node: FieldNode) -> int:
        getter, identifier = self.arguments(node, "Query"), resource.fields["id"].identifier
        assert identifier is not None

        def make(variables: Variables) -> Input:
            try:
                return identifier.decode(getter(variables)["id"])
            except PydanticCustomError:
                raise NeedsGeneralPathError from None

        return self.add_slot(Slot(make, isinstance(getter, Fixed)))

    def _step(self, key: str, name: str, nodes: list[FieldNode]) -> MutationStep:
        operation = self.names.operations.get(name)
        if operation is None or operation.is_read:
            raise NotCompiledError(name)
        getter = self.arguments(nodes[0], "Mutation")
        # The first slot is that of the result's key.
        self.slots = [Slot(lambda variables: (), fixed=True)]
        payload, rows = self._payload(operation, nodes)
        if operation.scope is None and rows is not None and rows.related:
            raise NotCompiledError("relations of what is open to everybody")
        asked = asked_of(nodes, self._document)
        return MutationStep(key, operation, getter, payload, rows, self.slots[1:], _locations(nodes), asked)

    def _payload(self, operation: Operation, nodes: list[FieldNode]) -> tuple[list[Constant | Shown], Query | None]:
        """Plan what is shown of an operation's result and the row's key, and what is read of rows for it."""
        resource, result = operation.resource, operation.result
        roots: list[RowRoot | NodesRoot] = []

        def member(key: str, name: str, each: list[FieldNode]) -> Shown:
            if isinstance(result, Resource):
                roots.append(RowRoot(key, result, None, 0, self.selection(result, each)))
                return Shown(key, lambda done: done[0].answer[key])
            if operation.kind is Kind.BATCH and resource is not None:
                if roots:
                    raise NotCompiledError("several selections of the results")
                outcome, selection = self._outcome(resource, each)
                roots.append(NodesRoot(ROWS, True, 0, ((resource, selection),)))
                return Shown(key, lambda done: [shown(outcome, one) for one in done[0]])
            if result is not None:
                members = self._result(result, each)
                return Shown(key, lambda done: shown(members, done[0]))
            if name == "id" and resource is not None:
                return Shown(key, lambda done: resource.encode(done[1]))
            return Shown(key, lambda done: True)

        payload = list(self.below(nodes, f"{pascal(operation.name)}Payload", member))
        if operation.kind is Kind.BATCH and not roots:
            raise NotCompiledError("nothing of the results")
        if isinstance(result, Resource) and not roots:
            roots.append(RowRoot("", result, None, 0, _NOTHING))
        return payload, Query(tuple(roots), passing=self._passing) if roots else None

    def _outcome(self, resource: Resource[Any], nodes: list[FieldNode]) -> tuple[list[Constant | Shown], Selection]:
        """Plan what is shown of an entry of a batch, and what is selected of its row."""
        selections: list[Selection] = []
        readers = outcome_readers(resource)

        def member(key: str, name: str, each: list[FieldNode]) -> Shown:
            if name == camel(resource.name):
                selections.append(self.selection(resource, each))
                return Shown(key, attrgetter("row"))
            read = readers[name]
            if name != "problem":
                return Shown(key, read)
            members = self.below(each, PROBLEM, self._problem_member)
            return Shown(key, lambda outcome: shown(members, read(outcome)) if outcome.problem is not None else None)

        members = self.below(nodes, result_name(resource), member)
        if len(selections) > 1:
            raise NotCompiledError("several selections of the rows")
        return list(members), selections[0] if selections else _NOTHING

    def _problem_member(self, key: str, name: str, nodes: list[FieldNode]) -> Shown:
        if name != "errors":
            return Shown(key, itemgetter(name))
        members = self.below(nodes, FIELD_ERROR, lambda below, field, _: Shown(below, itemgetter(field)))
        return Shown(key, lambda problem: [shown(members, error) for error in problem["errors"]])

    def _result(self, model: type[ResultModel], nodes: list[FieldNode]) -> tuple[Constant | Shown, ...]:
        kinds = {camel(name): (name, kind) for name, kind in fields_of(model).items()}

        def member(key: str, name: str, _: list[FieldNode]) -> Shown:
            attribute, kind = kinds[name]
            serialise = attrgetter("name") if kind.enum is not None else kind.serialiser()
            return Shown(key, result_reader(attribute, kind, serialise))

        return self.below(nodes, model.__name__, member)


def _locations(nodes: list[FieldNode]) -> Locations:
    """Where a field is written, as GraphQL's errors tell it."""
    found = [get_location(each.loc.source, each.loc.start) for each in nodes if each.loc is not None]
    return [{"line": each.line, "column": each.column} for each in found]
