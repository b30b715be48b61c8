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
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache
from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, OperationType, is_non_null_type, type_from_ast

from graphql_schema.documents.complexity import fields_at_the_top
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.execution.inputs import UNDEFINED, Coerce, NeedsGeneralPathError, Variables
from graphql_schema.execution.judging import Planned
from graphql_schema.execution.planner import Planner
from graphql_schema.execution.plans import MutationPlan, ReadPlan, Slot
from graphql_schema.execution.running import ExecutionCaller, ExecutionResult, mutate, read
from graphql_schema.schema.fields import condition_names
from services.catalogue import Actor, Catalogue, Operation, Problem
from services.engine.gateway import Gateway
from services.queries.limits import DEFAULTS, Limits
from services.reader.shapes import BoundInput, bind_input
from services.reader.statement import NotCompiledError

LONGEST: Final = 20_000
"""Characters of a document that may be remembered."""
USUAL: Final = 500
"""Characters of a document that counts as one of those remembered; longer ones count as several."""
USUAL_MEMBERS: Final = 50
"""Fields of an operation that counts as one of those remembered, once its fragments are put in their places."""

Values = tuple[bool, ...]
"""Of an operation's conditions, in their order."""


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
    size: int
    fixed: Sequence[BoundInput | None] = ()


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
    remembered: bool = False
    variant: _Variant | None = None
    """Of one that is not remembered, once it is planned."""


class CompiledOperations:
    """Plans and runs operations. `size`: how many are remembered; `sight`: when a document is planned."""

    def __init__(
        self, schema: GraphQLSchema, catalogue: Catalogue, documents: DocumentCache, *, size: int, sight: int,
        limits: Limits = DEFAULTS,
    ) -> None:  # fmt: skip
        self._schema, self._planner, self._documents = schema, Planner(schema, catalogue, limits), documents
        self._limits = limits
        self._remembered: LRUCache[tuple[str, str | None], CompiledOperation | None] = LRUCache(size, getsizeof=_weight)
        self._variants: LRUCache[tuple[str, str | None, Values], _Variant | None] = LRUCache(size, getsizeof=_size)
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
        found = self.compile_once(text, name, document, operation, called)
        if found is not None:
            found.remembered = True
        self._remembered[text, name] = found
        return found

    def compile_once(
        self, text: str, name: str | None, document: DocumentNode, operation: OperationDefinitionNode,
        called: Sequence[Operation],
    ) -> CompiledOperation | None:  # fmt: skip
        """The same for one call, of which nothing is remembered."""
        try:
            fields_at_the_top(document, operation, self._limits)
            variables = [self._variable(each) for each in operation.variable_definitions or ()]
            names = {each.name for each in variables}
            return CompiledOperation(
                text, name, variables, [each for each in condition_names(document, operation) if each in names],
                operation.operation is OperationType.QUERY,
                len(called) == len(operation.selection_set.selections) and all(each.scope is None for each in called),
            )  # fmt: skip
        except (NotCompiledError, NeedsGeneralPathError, Problem):
            return None

    def planned(
        self, operation: CompiledOperation, gateway: Gateway, actor: Actor, given: Mapping[str, Any]
    ) -> Planned | None:
        """The plan of a call, with its values; None where it is not beyond doubt."""
        try:
            variables = _coerced(operation.variables, given)
            variant = self._variant(operation, gateway, actor, variables)
        except NeedsGeneralPathError:
            return None
        return Planned(variant.plan, variables, variant.fixed) if variant is not None else None

    async def run(
        self, operation: CompiledOperation, gateway: Gateway, caller: ExecutionCaller, given: Mapping[str, Any], *,
        at_once: bool,
    ) -> ExecutionResult | None:  # fmt: skip
        """The answer; None when the resolvers have to give it. `at_once`: its statement is made on first sight."""
        if caller.actor.is_anonymous and not operation.open_to_all:
            return None  # nothing is read for those who will be refused
        planned = self.planned(operation, gateway, caller.actor, given)
        if planned is None:
            return None
        try:
            if isinstance(planned.plan, MutationPlan):
                return await mutate(planned.plan, gateway, caller, planned.variables)
            return await read(planned, gateway, caller, at_once=at_once)
        except (NeedsGeneralPathError, Problem):
            return None

    def _variant(
        self, operation: CompiledOperation, gateway: Gateway, actor: Actor, variables: Variables
    ) -> _Variant | None:
        values = _conditions(operation, variables) if operation.conditions else ()
        if not operation.remembered:
            if operation.variant is None:
                operation.variant = self._plan(operation, values, gateway)
            return operation.variant
        key = (operation.text, operation.name, values)
        found = self._variants.get(key)
        if found is None and key not in self._variants:
            if actor.is_anonymous and not operation.open_to_all:
                return self._plan(operation, values, gateway)  # nothing is remembered for those who will be refused
            found = self._plan(operation, values, gateway)
            self._variants[key] = found if _size(found) <= self._variants.maxsize else None
        return found

    def _plan(self, operation: CompiledOperation, values: Values, gateway: Gateway) -> _Variant | None:
        conditions = dict(zip(operation.conditions, values, strict=True))
        try:
            plan, size = self._planner.plan(*self._parsed(operation), conditions, passing=not operation.remembered)
        except (NotCompiledError, NeedsGeneralPathError, RecursionError):
            return None
        fixed = [_fixed(each, gateway) for each in plan.slots] if isinstance(plan, ReadPlan) else ()
        return _Variant(plan, size, fixed)

    def _parsed(self, operation: CompiledOperation) -> tuple[DocumentNode, OperationDefinitionNode]:
        prepared = self._documents.prepare(operation.text)
        assert prepared.document is not None
        return prepared.document, prepared.operation(operation.name)

    def _variable(self, definition: Any) -> Variable:
        kind = type_from_ast(self._schema, definition.type)
        default: Any = UNDEFINED
        if definition.default_value is not None:
            default = self._planner.coercers.literal(definition.default_value, kind)({})
        required = is_non_null_type(kind)
        return Variable(definition.variable.name.value, self._planner.coercers.of(kind), default, required)


def _fixed(slot: Slot, gateway: Gateway) -> BoundInput | None:
    """The input of a slot that is always the same, unless something is wrong with it."""
    if slot.fixed:
        with suppress(NeedsGeneralPathError, Problem):
            return bind_input(slot.make({}), slot.resource, gateway.cursors)
    return None


def _weight(operation: CompiledOperation | None) -> int:
    return 1 if operation is None else -(-len(operation.text) // USUAL)


def _conditions(operation: CompiledOperation, variables: Variables) -> Values:
    """The values of an operation's conditions. Raises NeedsGeneralPathError."""
    found = []
    for name in operation.conditions:
        value = variables.get(name)
        if not isinstance(value, bool):
            raise NeedsGeneralPathError
        found.append(value)
    return tuple(found)


def _size(variant: _Variant | None) -> int:
    return 1 if variant is None else 1 + variant.size // USUAL_MEMBERS


def _coerced(variables: Sequence[Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an operation's variables as plain data (specification, 6.1.2). Raises NeedsGeneralPathError."""
    found = {}
    for each in variables:
        if each.name in given:
            if given[each.name] is None and each.default is not UNDEFINED:
                raise NeedsGeneralPathError  # a default lets it in where nothing may be null
            found[each.name] = each.coerce(given[each.name])
        elif each.default is not UNDEFINED:
            found[each.name] = each.default
        elif each.required:
            raise NeedsGeneralPathError
    return found
