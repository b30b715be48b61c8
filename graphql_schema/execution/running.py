"""Plans at work: queries answered by the Reader, mutations one field after the other.

Each function returns None, before anything is done, where there is a doubt that the general path has to judge.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from graphql_schema.execution.idempotency import FieldKey, key_of_field
from graphql_schema.execution.inputs import Variables
from graphql_schema.execution.plans import MutationPlan, MutationStep, ReadPlan, Slot
from graphql_schema.schema.batches import shown_outcome
from graphql_schema.schema.context import AskedField, RequestKey
from graphql_schema.schema.errors import error_at, internal_problem
from services.catalogue import Actor, Client, Operation, Problem, ResultModel
from services.catalogue.batches import OPERATIONS
from services.catalogue.models import parse_value
from services.catalogue.naming import EXPECTED
from services.catalogue.problems import NOT_FOUND
from services.engine.authorization import may_read
from services.engine.gateway import Gateway, Shown
from services.engine.idempotency.keys import REPLAYED
from services.engine.idempotency.once import Answered, Idempotency
from services.engine.payment import Till
from services.engine.writes import Write
from services.process import observation
from services.queries.batches import check_number
from services.queries.costs import query_cost, write_cost
from services.queries.selections import Constant, NodesRoot
from services.queries.versions import Expected
from services.reader.shapes import Bound, bind_input
from services.reader.statement import NotCompiledError


@dataclass(slots=True)
class Outcome:
    """The body of an answer, and what its errors put into its headers."""

    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Caller:
    """Who calls, and how to find out again."""

    actor: Actor
    client: Client
    authenticate: Callable[[], Awaitable[Actor]]
    idempotency_key: RequestKey | None = None
    """The header's."""
    till: Till | None = None
    """Where all of the operation is paid for."""


@dataclass(slots=True)
class _Prepared:
    """What a step is called with, or what is wrong with that; and the key that it is done once by."""

    step: MutationStep | Constant
    write: Write = field(default_factory=Write)
    key: FieldKey | None = None
    asked: bytes = b""
    problem: Problem | None = None

    def cost(self) -> int:
        """The price of the step; what is refused costs nothing."""
        step, write = self.step, self.write
        if isinstance(step, Constant) or self.problem is not None:
            return 0
        given = _entries(step.operation, write)
        entries = len(given) if isinstance(given, Sequence) else None
        return write_cost(step.operation, write.shown, write.inputs, entries)


def bound(slot: Slot, variables: Variables, gateway: Gateway) -> Bound:
    """A slot's input, ready to be read with. Raises `validation_failed` and UnfitError."""
    return bind_input(slot.make(variables), slot.resource, gateway.cursors)


def fixed_cost(plan: ReadPlan, fixed: Sequence[Bound | None]) -> int | None:
    """What a query costs, if that does not depend on the inputs of a call."""
    rows = query_cost(plan.query)
    return None if any(fixed[slot] is None for slot in rows.slots) else plan.weight + rows.points(fixed)


async def read(
    plan: ReadPlan, fixed: Sequence[Bound | None], gateway: Gateway, caller: Caller, variables: Variables, *,
    cost: int | None, at_once: bool,
) -> Outcome | None:  # fmt: skip
    """Answer a query; `fixed` are the inputs that are always the same, `cost` what it costs if that is, too.

    `at_once` as of the Reader. Raises `validation_failed`, UnfitError, and as `Till.pay`.
    """
    assert gateway.reader is not None
    actor = caller.actor
    slots = [
        each if each is not None else bound(slot, variables, gateway)
        for each, slot in zip(fixed, plan.slots, strict=True)
    ]
    if actor.is_anonymous or not plan.scopes <= actor.scopes:
        return None
    if plan.nodes and not all(may_read(slots[slot].resources, actor) for slot in plan.nodes):
        return None
    observation.note(plan.noted, str(actor))
    if caller.till is not None:
        await caller.till.pay(plan.weight + query_cost(plan.query).points(slots) if cost is None else cost)
    try:
        data = await gateway.reader.read(plan.query, slots, actor, at_once=at_once)
    except NotCompiledError:
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller learns that, and no more
        return _failed(plan, error)
    observation.note_path("compiled")
    missing = [key for key in plan.rows if data[key] is None]
    if not missing:
        return Outcome({"data": data})
    errors = [error_at(Problem(NOT_FOUND), plan.places[key], [key]) for key in missing]
    return Outcome({"data": data, "errors": errors})


def _failed(plan: ReadPlan, error: Exception) -> Outcome:
    """The outcome when nothing could be read."""
    data: dict[str, Any] | None = {}
    errors: list[dict[str, Any]] = []
    headers: dict[str, str] = {}
    for root in plan.query.roots:
        value = root.value if isinstance(root, Constant) else None
        if not isinstance(root, Constant):
            problem = error if isinstance(error, Problem) else internal_problem(error, [root.key])
            headers |= problem.headers()
            errors.append(error_at(problem, plan.places[root.key], [root.key]))
        if isinstance(root, NodesRoot) and root.many:
            data = None  # a list that cannot be null takes everything above with it
        if data is not None:
            data[root.key] = value
    return Outcome({"data": data, "errors": errors}, headers)


async def mutate(plan: MutationPlan, gateway: Gateway, caller: Caller, variables: Variables) -> Outcome | None:
    """Do what a mutation says. Raises UnfitError, and as `Till.pay`, before anything is done."""
    prepared = _prepared(plan, gateway, caller, variables)
    if prepared is None:
        return None
    if caller.till is not None:
        points = sum(each.cost() for each in prepared)
        if points or all(each.problem is None for each in prepared):
            await caller.till.pay(points)
    observation.note_path("compiled")
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
            errors.append(error_at(problem, step.places, [step.key]))
    if replayed and all(replayed):
        headers[REPLAYED] = "true"
    return Outcome({"data": data, "errors": errors} if errors else {"data": data}, headers)


def _prepared(plan: MutationPlan, gateway: Gateway, caller: Caller, variables: Variables) -> list[_Prepared] | None:
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
            if not keyed and related and not may_read(related, caller.actor):
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
        found.append(_Prepared(step, write, key, asked, _crowd(step.operation, write, gateway)))
    return found


def _entries(operation: Operation, write: Write) -> Any:
    return write.data.get(OPERATIONS) if operation.entries and isinstance(write.data, Mapping) else None


def _crowd(operation: Operation, write: Write, gateway: Gateway) -> Problem | None:
    """What is wrong with a batch of more entries than there may be."""
    try:
        check_number(_entries(operation, write), gateway.limits.batch_entries)
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
    await gateway.admit(operation, actor, client)
    if prepared.problem is not None:
        raise prepared.problem
    if operation.on_a_row:
        assert operation.resource is not None
        data: Any = write.data
        key = parse_value(operation.resource.adapter("id"), data.pop("id"), ("id",))
        write = replace(write, key=key, expected=Expected.version(data.pop(EXPECTED, None)))
    if prepared.key is None:
        return _payload(step, write.key, await gateway.write(operation, actor, write, client)), False

    def shape(result: Any) -> bytes:
        return orjson.dumps(_payload(step, write.key, result))

    once = replace(write, idempotency=Idempotency(prepared.key.text, prepared.asked, shape, prepared.key.whole))
    answered = await gateway.write(operation, actor, once, client)
    assert isinstance(answered, Answered)
    return orjson.Fragment(answered.content), answered.replayed


def _payload(step: MutationStep, row: UUID | None, result: Any) -> dict[str, Any]:
    """What a step shows of its result."""
    shown: dict[str, Any] = {}
    for key, what, value in step.payload:
        if what == "constant":
            shown[key] = value
        elif what == "row":
            assert isinstance(result, Shown)
            shown[key] = result.answer[key]
        elif what == "results":
            assert isinstance(result, Sequence)
            shown[key] = [shown_outcome(step.operation, each, value) for each in result]
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
