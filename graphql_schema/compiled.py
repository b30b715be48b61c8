"""Compiled execution: documents that are answered by plans, without resolvers.

A document is planned when it is sent for the second time (the setting PLAN_ON_SIGHT), so that clients who write values
into their documents do not fill the memory with plans that nobody uses again. Operations are remembered by document and
name, those used last; one has a plan for each combination of values in its @skip and @include.

Whatever is not beyond doubt (a value that might be wrong, an argument that a list refuses, a scope that is missing)
sends the whole document down the general path, which knows how to say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache
from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, OperationType, is_non_null_type, type_from_ast

from graphql_schema.complexity import check_complexity, size_variables
from graphql_schema.documents import Documents
from graphql_schema.fields import condition_names
from graphql_schema.inputs import ABSENT, Coerce, UnfitError, Variables
from graphql_schema.planner import Planner
from graphql_schema.plans import MutationPlan, ReadPlan
from graphql_schema.running import Caller, Outcome, bound, mutate, read
from services.catalogue import Catalogue, Operation, Problem
from services.execution import Gateway
from services.storage.shapes import Bound
from services.storage.statement import NotCompiledError

LONGEST: Final = 20_000
"""Characters of a document that may be remembered."""
USUAL: Final = 500
"""Characters of a document that counts as one of those remembered; longer ones count as several."""
MAX_VARIANTS: Final = 16
"""Plans of one operation, by the values in its directives."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an operation: how to take its value, and what it is if it is left out (ABSENT: nothing)."""

    name: str
    coerce: Coerce
    default: Any
    required: bool


@dataclass(frozen=True, slots=True)
class _Variant:
    """A plan, and the inputs of its slots that are always the same."""

    plan: ReadPlan | MutationPlan
    fixed: Sequence[Bound | None] = ()


@dataclass(slots=True)
class CompiledOperation:
    """One operation of one document. `sizes`: the variables that say how much is asked for.

    The parsed document is not kept: it takes some 200 times the text.
    """

    text: str
    name: str | None
    variables: Sequence[Variable]
    conditions: Sequence[str]
    sizes: Sequence[str]
    is_query: bool
    open_to_all: bool
    """Whether credentials are not even looked at."""
    variants: dict[tuple[Any, ...], _Variant | None] = field(default_factory=dict)


class CompiledOperations:
    """Plans and runs operations. `size`: how many are remembered; `sight`: when a document is planned."""

    def __init__(
        self, schema: GraphQLSchema, catalogue: Catalogue, documents: Documents, *, size: int, sight: int
    ) -> None:
        self._schema, self._planner, self._documents = schema, Planner(schema, catalogue), documents
        self._remembered: LRUCache[tuple[str, str | None], CompiledOperation | None] = LRUCache(size, getsizeof=_weight)
        self._seen: LRUCache[int, int] = LRUCache(8 * size)
        self._sight = sight

    def find(self, text: str, name: str | None) -> CompiledOperation | None:
        """An operation that is remembered, and can be compiled."""
        return self._remembered.get((text, name))

    def wants(self, text: str, name: str | None) -> bool:
        """Whether the operation should be compiled now: it is not remembered, and has been sent often enough."""
        if len(text) > min(LONGEST, USUAL * self._remembered.maxsize) or (text, name) in self._remembered:
            return False
        key = hash((text, name))
        times = self._seen.get(key, 0) + 1
        self._seen[key] = times
        return times >= self._sight

    def compile(
        self, text: str, name: str | None, document: DocumentNode, operation: OperationDefinitionNode,
        called: Sequence[Operation],
    ) -> CompiledOperation | None:  # fmt: skip
        """Remember a valid document's operation. None when it cannot be compiled, which is remembered too."""
        found = None
        try:
            sizes = size_variables(operation, document)
            if not sizes:
                check_complexity(self._schema, document, operation, {})
            variables = [self._variable(each) for each in operation.variable_definitions or ()]
            names = {each.name for each in variables}
            found = CompiledOperation(
                text, name, variables, [each for each in condition_names(document) if each in names], sizes,
                operation.operation is OperationType.QUERY,
                len(called) == len(operation.selection_set.selections) and all(each.scope is None for each in called),
            )  # fmt: skip
        except (NotCompiledError, UnfitError, Problem):
            pass
        self._remembered[text, name] = found
        return found

    async def run(
        self, operation: CompiledOperation, gateway: Gateway, caller: Caller, given: Mapping[str, Any]
    ) -> Outcome | None:
        """The answer; None when the general path has to give it."""
        try:
            variables = _coerced(operation.variables, given)
            if operation.sizes:
                check_complexity(self._schema, *self._parsed(operation), given)
            variant = self._variant(operation, variables, gateway)
            if variant is None:
                return None
            if isinstance(variant.plan, MutationPlan):
                return await mutate(variant.plan, gateway, caller, variables)
            return await read(variant.plan, variant.fixed, gateway, caller.actor, variables)
        except (UnfitError, Problem):
            return None

    def _variant(self, operation: CompiledOperation, variables: Variables, gateway: Gateway) -> _Variant | None:
        key = tuple([variables.get(name) for name in operation.conditions]) if operation.conditions else ()
        if key not in operation.variants:
            if len(operation.variants) >= MAX_VARIANTS:
                return None
            operation.variants[key] = self._plan(operation, dict(zip(operation.conditions, key, strict=True)), gateway)
        return operation.variants[key]

    def _plan(self, operation: CompiledOperation, conditions: Mapping[str, Any], gateway: Gateway) -> _Variant | None:
        if not all(type(each) is bool for each in conditions.values()):
            raise UnfitError
        try:
            plan = self._planner.plan(*self._parsed(operation), conditions)
            if isinstance(plan, MutationPlan):
                return _Variant(plan)
            return _Variant(plan, [bound(slot, {}, gateway) if slot.fixed else None for slot in plan.slots])
        except (NotCompiledError, UnfitError, Problem, RecursionError):
            return None

    def _parsed(self, operation: CompiledOperation) -> tuple[DocumentNode, OperationDefinitionNode]:
        prepared = self._documents.prepare(operation.text)
        assert prepared.document is not None
        return prepared.document, prepared.operation(operation.name)

    def _variable(self, definition: Any) -> Variable:
        kind = type_from_ast(self._schema, definition.type)
        default: Any = ABSENT
        if definition.default_value is not None:
            default = self._planner.coercers.literal(definition.default_value, kind)({})
        required = is_non_null_type(kind)
        return Variable(definition.variable.name.value, self._planner.coercers.of(kind), default, required)


def _weight(operation: CompiledOperation | None) -> int:
    return 1 if operation is None else -(-len(operation.text) // USUAL)


def _coerced(variables: Sequence[Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an operation's variables as plain data (specification, 6.1.2). Raises UnfitError."""
    found = {}
    for each in variables:
        if each.name in given:
            found[each.name] = each.coerce(given[each.name])
        elif each.default is not ABSENT:
            found[each.name] = each.default
        elif each.required:
            raise UnfitError
    return found
