"""Plans at work: queries answered by the Reader, mutations one field after the other.

Each function returns None, before anything is done, where there is a doubt that the resolvers have to judge.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import orjson

from graphql_schema.execution.idempotency import FieldKey, key_of_field
from graphql_schema.execution.inputs import Variables
from graphql_schema.execution.judging import Planned, entries_of
from graphql_schema.execution.plans import MutationPlan, MutationStep, ReadPlan
from graphql_schema.schema.batches import outcome_json
from graphql_schema.schema.context import AskedField, RequestKey
from graphql_schema.schema.errors import error_entry, internal_problem
from services.catalogue import Actor, Client, Problem, ResultModel
from services.catalogue.models import parse_value
from services.catalogue.naming import EXPECTED
from services.catalogue.problems import INSUFFICIENT_SCOPE, NOT_FOUND, TOO_COMPLEX, UNAUTHENTICATED, VALIDATION_FAILED
from services.engine.gateway import Gateway, WriteResult
from services.engine.idempotency.keys import REPLAYED
from services.engine.idempotency.once import IdempotentWrite, StoredOrNewAnswer
from services.engine.payment import OverdrawnError, Payment, PricedError
from services.engine.writes import Write
from services.queries.batches import check_entry_count
from services.queries.costs import check_rows, weigh_write
from services.queries.selections import Constant, NodesRoot
from services.queries.versions import Preconditions
from services.reader.shapes import bind_input

_JUDGED_BY_FIELD: Final = (UNAUTHENTICATED, INSUFFICIENT_SCOPE, TOO_COMPLEX, VALIDATION_FAILED)
"""Problems that are told of single fields, or of the document, with what else is wrong with it."""


@dataclass(slots=True)
class ExecutionResult:
    """The body of an answer, and what its errors put into its headers."""

    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ExecutionCaller:
    """Who calls, and how to find out again."""

    actor: Actor
    client: Client
    authenticate: Callable[[], Awaitable[Actor]]
    idempotency_key: RequestKey | None = None
    """The header's."""
    payment: Payment | None = None
    """Where all of the operation is paid for."""


@dataclass(slots=True)
class _Prepared:
    """What a step is called with, or what is wrong with that; and the key that it is done once by."""

    step: MutationStep | Constant
    write: Write = field(default_factory=Write)
    key: FieldKey | None = None
    asked: bytes = b""
    problem: Problem | None = None

    def weigh(self) -> tuple[int, int]:
        """The rows that the step shows, and its price; what is refused comes to nothing."""
        step, write = self.step, self.write
        if isinstance(step, Constant) or self.problem is not None:
            return 0, 0
        return weigh_write(step.operation, write.shown, write.inputs, entries_of(step, write.data))


async def read(planned: Planned, gateway: Gateway, caller: ExecutionCaller, *, at_once: bool) -> ExecutionResult | None:
    """Answer a query; for `at_once` see the Reader.

    Raises NeedsGeneralPathError, `validation_failed`, and as `Payment.pay`.
    """
    plan, inputs = planned.plan, planned.inputs()
    assert isinstance(plan, ReadPlan)
    try:
        data = await gateway.read(plan.query, inputs, caller.actor, caller.payment, at_once=at_once)
    except (PricedError, OverdrawnError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller learns that, and no more
        if isinstance(error, Problem) and error.type in _JUDGED_BY_FIELD:
            return None
        return _failed(plan, error)
    missing = [key for key in plan.rows if data[key] is None]
    if not missing:
        return ExecutionResult({"data": data})
    errors = [error_entry(Problem(NOT_FOUND), plan.places[key], [key]) for key in missing]
    return ExecutionResult({"data": data, "errors": errors})


def _failed(plan: ReadPlan, error: Exception) -> ExecutionResult:
    """The outcome when nothing could be read."""
    data: dict[str, Any] | None = {}
    errors: list[dict[str, Any]] = []
    headers: dict[str, str] = {}
    for root in plan.query.roots:
        value = root.value if isinstance(root, Constant) else None
        if not isinstance(root, Constant):
            problem = error if isinstance(error, Problem) else internal_problem(error, [root.key])
            headers |= problem.headers()
            errors.append(error_entry(problem, plan.places[root.key], [root.key]))
        if isinstance(root, NodesRoot) and root.many:
            data = None  # a list that cannot be null takes everything above with it
        if data is not None:
            data[root.key] = value
    return ExecutionResult({"data": data, "errors": errors}, headers)


async def mutate(
    plan: MutationPlan, gateway: Gateway, caller: ExecutionCaller, variables: Variables
) -> ExecutionResult | None:  # fmt: skip
    """Execute the fields of a mutation in order.

    Raises NeedsGeneralPathError, `too_complex`, and as `Payment.pay`, before anything is executed.
    """
    prepared = _prepared(plan, gateway, caller, variables)
    if prepared is None:
        return None
    weights = [each.weigh() for each in prepared]
    check_rows(sum(rows for rows, _ in weights), gateway.limits.rows)
    points = sum(points for _, points in weights)
    if caller.payment is not None and (points or all(each.problem is None for each in prepared)):
        await caller.payment.pay(points)
    data: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    headers: dict[str, str] = {}
    authenticate, replayed = None, []
    for each in prepared:
        step = each.step
        if isinstance(step, Constant):
            data[step.key] = step.value
            continue
        try:
            # What was true before the last one may not be any more.
            actor = caller.actor if authenticate is None else await authenticate()
            authenticate = caller.authenticate
            data[step.key], again = await _step(step, each, gateway, actor, caller.client)
            replayed.append(again)
        except Exception as error:  # noqa: BLE001 - as above
            problem = error if isinstance(error, Problem) else internal_problem(error, [step.key])
            data[step.key] = None
            headers |= problem.headers()
            errors.append(error_entry(problem, step.places, [step.key]))
    if replayed and all(replayed):
        headers[REPLAYED] = "true"
    return ExecutionResult({"data": data, "errors": errors} if errors else {"data": data}, headers)


def _prepared(
    plan: MutationPlan, gateway: Gateway, caller: ExecutionCaller, variables: Variables
) -> list[_Prepared] | None:
    """What each step is called with. Where a step has a key, nothing goes down the general path any more."""
    given: list[Any] = [None if isinstance(each, Constant) else each.data(variables) for each in plan.steps]
    header, whole, several = caller.idempotency_key, None, sum(each is not None for each in given) > 1
    if header is not None:
        whole = header.whole(_asked(plan, given, variables) if several else ())
    keyed = header is not None or any(each and _argument(each) is not None for each in given)
    found: list[_Prepared] = []
    for step, arguments in zip(plan.steps, given, strict=True):
        if isinstance(step, Constant):
            found.append(_Prepared(step))
            continue
        try:
            related = step.shown.related if step.shown is not None else ()
            if not keyed and related and not gateway.may_read(related, caller.actor):
                return None
            inputs = [slot.make(variables) for slot in step.slots]
            for slot, each in zip(step.slots, inputs, strict=True):
                bind_input(each, slot.resource, gateway.cursors)
            key = key_of_field(_argument(arguments), header, whole, step.key if several else None)
        except Problem as problem:
            if not keyed:
                return None
            found.append(_Prepared(step, problem=problem))
            continue
        write = Write(None, dict(arguments.get("input") or {}), step.shown, tuple(inputs))
        asked = b"" if key is None else step.asked.with_values(variables)
        found.append(_Prepared(step, write, key, asked, _crowd(step, write.data, gateway)))
    return found


def _crowd(step: MutationStep, data: Any, gateway: Gateway) -> Problem | None:
    """What is wrong with a batch of more entries than there may be."""
    try:
        check_entry_count(range(entries_of(step, data) or 0), gateway.limits.batch_entries)
    except Problem as problem:
        return problem
    return None


def _asked(plan: MutationPlan, given: Sequence[Any], variables: Variables) -> list[AskedField]:
    """What a document asks, but for constants, which change nothing."""
    return [
        (step.key, step.operation.name, arguments, step.asked.with_values(variables).decode())
        for step, arguments in zip(plan.steps, given, strict=True)
        if not isinstance(step, Constant)
    ]


def _argument(arguments: Mapping[str, Any]) -> Any:
    return arguments.get("idempotency_key")


async def _step(
    step: MutationStep, prepared: _Prepared, gateway: Gateway, actor: Actor, client: Client
) -> tuple[Any, bool]:
    """The payload of a step, and whether it was given before."""
    operation, write = step.operation, prepared.write
    admitted = await gateway.admit(operation, actor, client)
    if prepared.problem is not None:
        raise prepared.problem
    if operation.on_a_row:
        assert operation.resource is not None
        data: Any = write.data
        key = parse_value(operation.resource.adapter("id"), data.pop("id"), ("id",))
        write = replace(write, key=key, expected=Preconditions.version(data.pop(EXPECTED, None)))
    if prepared.key is None:
        return _payload(step, write.key, await gateway.write(admitted, write)), False

    def shape(result: Any) -> bytes:
        return orjson.dumps(_payload(step, write.key, result))

    once = replace(write, idempotency=IdempotentWrite(prepared.key.text, prepared.asked, shape, prepared.key.whole))
    answered = await gateway.write(admitted, once)
    assert isinstance(answered, StoredOrNewAnswer)
    return orjson.Fragment(answered.content), answered.replayed


def _payload(step: MutationStep, row: UUID | None, result: Any) -> dict[str, Any]:
    """What a step shows of its result."""
    shown: dict[str, Any] = {}
    for key, what, value in step.payload:
        if what == "constant":
            shown[key] = value
        elif what == "row":
            assert isinstance(result, WriteResult)
            shown[key] = result.answer[key]
        elif what == "results":
            assert isinstance(result, Sequence)
            shown[key] = [outcome_json(step.operation, each, value) for each in result]
        elif what == "result":
            assert isinstance(result, ResultModel)
            shown[key] = _values(result, value)
        elif what == "id":
            assert step.operation.resource is not None
            shown[key] = step.operation.resource.encode(row)
        else:
            shown[key] = True
    return shown


def _values(result: ResultModel, members: Sequence[tuple[str, str | None, Any]]) -> dict[str, Any]:
    shown = {}
    for key, attribute, kind in members:
        if attribute is None:
            shown[key] = kind
            continue
        value = getattr(result, attribute)
        serialise = attrgetter("name") if kind.enum is not None else kind.serialiser()
        if value is None or serialise is None:
            shown[key] = value
        else:
            shown[key] = [serialise(each) for each in value] if kind.many else serialise(value)
    return shown
