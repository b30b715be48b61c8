"""Documents as plans: what is judged before anything runs, and answered as a whole, without resolvers.

Every valid document is planned. The plan is remembered when the document is sent for the second time (the setting
PLAN_ON_SIGHT), so that clients who write values into their documents do not fill the memory with plans that nobody uses
again. Operations are remembered by document and name, those used last; one has a variant for each combination of values
in its @skip and @include, and a variant's statement is made for each shape that its inputs come in more than once
(services/reader/plans.py).

Whatever is not beyond doubt (a value that might be wrong, an argument that a list refuses, a scope that is missing)
sends the whole document to the resolvers, which know how to say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableDefinitionNode,
    is_non_null_type,
    type_from_ast,
)

from graphql_schema.documents.complexity import fields_at_the_top
from graphql_schema.documents.operation_inputs import called_operations, is_open_to_all
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.execution.inputs import UNDEFINED, NeedsGeneralPathError, Variables, coerced, literal
from graphql_schema.execution.planner import Planner
from graphql_schema.execution.plans import MutationPlan, Plan
from graphql_schema.execution.running import ExecutionCaller, ExecutionResult, mutate, read
from graphql_schema.execution.selections import SchemaNames
from graphql_schema.schema.fields import condition_names
from services.catalogue import Actor, Catalogue, Problem
from services.engine.gateway import Gateway
from services.queries.limits import DEFAULTS, Limits
from services.reader.statement import NotCompiledError

LONGEST: Final = 20_000
"""Characters of a document that may be remembered."""
USUAL: Final = 500
"""Characters of a document that counts as one of those remembered; longer ones count as several."""
USUAL_MEMBERS: Final = 50
"""Fields of an operation that counts as one of those remembered, once its fragments are put in their places."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an operation: its type, and what it is if it is left out (UNDEFINED: nothing)."""

    name: str
    kind: Any
    default: Any


@dataclass(slots=True)
class CompiledOperation:
    """One operation of one document. `conditions` are the variables in its @skip and @include.

    The parsed document is not kept: it takes some 200 times the text.
    """

    text: str
    name: str | None
    variables: Sequence[Variable]
    conditions: Sequence[str]
    is_query: bool
    open_to_all: bool
    """Whether credentials are not even looked at."""
    remembered: bool
    plan: Plan | None = None
    """Of one that is not remembered, once it is planned."""


class CompiledOperations:
    """Plans and runs operations. `size`: how many are remembered; `sight`: when a document is planned."""

    def __init__(
        self, schema: GraphQLSchema, catalogue: Catalogue, documents: DocumentCache, *, size: int, sight: int,
        limits: Limits = DEFAULTS,
    ) -> None:  # fmt: skip
        self._schema, self._documents, self._limits = schema, documents, limits
        self._names = SchemaNames(schema, catalogue, limits)
        self._remembered: LRUCache[tuple[str, str | None], CompiledOperation | None] = LRUCache(
            size, lambda operation: -(-len(operation.text) // USUAL) if operation is not None else 1
        )
        self._variants: LRUCache[tuple[str, str | None, tuple[bool, ...]], Plan | None] = LRUCache(
            size, lambda plan: 1 + plan.members // USUAL_MEMBERS if plan is not None else 1
        )
        self._seen: LRUCache[int, int] = LRUCache(8 * size)
        self._sight = sight

    def find(self, text: str, name: str | None) -> tuple[CompiledOperation | None, bool]:
        """An operation, None where it cannot be compiled, and whether it is remembered from now on.

        Raises what is wrong with a document as a whole.
        """
        found = self._remembered.get((text, name))
        if found is not None:
            return found, False
        prepared = self._documents.prepare(text)
        if prepared.errors or prepared.document is None:
            return None, False
        is_new = self._is_worth_remembering(text, name)
        found = self._compile(text, name, prepared.document, prepared.operation(name), remembered=is_new)
        if is_new:
            self._remembered[text, name] = found
        return found, is_new

    def _is_worth_remembering(self, text: str, name: str | None) -> bool:
        """Whether an operation is not remembered, and has been sent often enough."""
        if len(text) > min(LONGEST, USUAL * self._remembered.maxsize) or (text, name) in self._remembered:
            return False
        key = hash((text, name))
        times = self._seen.get(key, 0) + 1
        self._seen[key] = times
        return times >= self._sight

    def _compile(
        self, text: str, name: str | None, document: DocumentNode, operation: OperationDefinitionNode, *,
        remembered: bool,
    ) -> CompiledOperation | None:  # fmt: skip
        try:
            fields_at_the_top(document, operation, self._limits)
            variables = [self._variable(each) for each in operation.variable_definitions or ()]
        except (NotCompiledError, Problem):
            return None
        names = {each.name for each in variables}
        conditions = [each for each in condition_names(document, operation) if each in names]
        open_to_all = is_open_to_all(called_operations(self._names.catalogue, operation), operation)
        is_query = operation.operation is OperationType.QUERY
        return CompiledOperation(text, name, variables, conditions, is_query, open_to_all, remembered)

    def planned(
        self, operation: CompiledOperation, gateway: Gateway, actor: Actor, given: Mapping[str, Any]
    ) -> tuple[Plan | None, Variables]:
        """The plan of a call, None where it is not beyond doubt, and the values of its variables."""
        try:
            variables = _coerced(operation.variables, given)
            return self._variant(operation, gateway, actor, variables), variables
        except NeedsGeneralPathError:
            return None, {}

    async def run(
        self, operation: CompiledOperation, gateway: Gateway, caller: ExecutionCaller, given: Mapping[str, Any], *,
        at_once: bool,
    ) -> ExecutionResult | None:  # fmt: skip
        """The answer; None when the resolvers have to give it. `at_once`: its statement is made on first sight."""
        if caller.actor.is_anonymous and not operation.open_to_all:
            return None  # nothing is read for those who will be refused
        plan, variables = self.planned(operation, gateway, caller.actor, given)
        if plan is None:
            return None
        try:
            if isinstance(plan, MutationPlan):
                return await mutate(plan, variables, gateway, caller)
            return await read(plan, variables, gateway, caller, at_once=at_once)
        except (NeedsGeneralPathError, Problem):
            return None

    def _variant(
        self, operation: CompiledOperation, gateway: Gateway, actor: Actor, variables: Variables
    ) -> Plan | None:
        found = [variables.get(name) for name in operation.conditions]
        values = tuple(each for each in found if isinstance(each, bool))
        if len(values) < len(found):
            raise NeedsGeneralPathError
        if not operation.remembered:
            if operation.plan is None:
                operation.plan = self._plan(operation, values, gateway)
            return operation.plan
        key = (operation.text, operation.name, values)
        plan = self._variants.get(key)
        if plan is None and key not in self._variants:
            plan = self._plan(operation, values, gateway)
            if operation.open_to_all or not actor.is_anonymous:  # nothing is remembered for those who will be refused
                fits = self._variants.getsizeof(plan) <= self._variants.maxsize
                self._variants[key] = plan if fits else None
        return plan

    def _plan(self, operation: CompiledOperation, values: Sequence[bool], gateway: Gateway) -> Plan | None:
        prepared = self._documents.prepare(operation.text)
        assert prepared.document is not None
        conditions = dict(zip(operation.conditions, values, strict=True))
        try:
            planner = Planner(self._names, prepared.document, conditions, passing=not operation.remembered)
            plan = planner.plan(prepared.operation(operation.name))
        except (NotCompiledError, RecursionError):
            return None
        for slot in plan.slots:
            slot.bind_fixed(gateway.cursors)
        return plan

    def _variable(self, definition: VariableDefinitionNode) -> Variable:
        kind, default = type_from_ast(self._schema, definition.type), UNDEFINED
        if definition.default_value is not None:
            default = literal(definition.default_value, kind)({})
        return Variable(definition.variable.name.value, kind, default)


def _coerced(variables: Sequence[Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an operation's variables as plain data (specification, 6.1.2). Raises NeedsGeneralPathError."""
    found = {}
    for each in variables:
        if each.name in given:
            if given[each.name] is None and each.default is not UNDEFINED:
                raise NeedsGeneralPathError  # a default lets it in where nothing may be null
            found[each.name] = coerced(given[each.name], each.kind)
        elif each.default is not UNDEFINED:
            found[each.name] = each.default
        elif is_non_null_type(each.kind):
            raise NeedsGeneralPathError
    return found
