"""Plans at work: queries answered by the Reader, mutations one field after the other.

Each function returns None, before anything is done, where there is a doubt that the resolvers have to judge.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from graphql_schema.execution.inputs import Variables
from graphql_schema.execution.plans import MutationPlan, MutationStep, ReadPlan, shown
from graphql_schema.schema.context import RequestKey
from graphql_schema.schema.errors import error_json, internal_problem
from graphql_schema.schema.schema import parse_write
from services.catalogue import Actor, Client, Problem
from services.catalogue.batches import OPERATIONS
from services.catalogue.problems import INSUFFICIENT_SCOPE, NOT_FOUND, TOO_COMPLEX, UNAUTHENTICATED, VALIDATION_FAILED
from services.engine.gateway import Gateway
from services.engine.idempotency.keys import REPLAYED, checked_key
from services.engine.idempotency.once import IdempotentRequest, IdempotentWrite, StoredOrNewAnswer
from services.engine.payment import OverdrawnError, Payment, PricedError
from services.engine.writes import Write
from services.queries.batches import check_entry_count
from services.queries.costs import check_rows
from services.queries.selections import Constant, NodesRoot
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
    """Who calls, and how to find out again. All of the operation is paid for in one `payment`."""

    actor: Actor
    client: Client
    authenticate: Callable[[], Awaitable[Actor]]
    idempotency_key: RequestKey | None = None
    """The header's."""
    payment: Payment | None = None


async def read(
    plan: ReadPlan, variables: Variables, gateway: Gateway, caller: ExecutionCaller, *, at_once: bool
) -> ExecutionResult | None:
    """Answer a query; for `at_once` see the Reader.

    Raises NeedsGeneralPathError, `validation_failed`, and as `Payment.pay`.
    """
    inputs = [slot.bound or slot.make(variables) for slot in plan.slots]
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
    errors = [error_json(Problem(NOT_FOUND), {"locations": plan.places[key], "path": [key]}) for key in missing]
    return ExecutionResult({"data": data, "errors": errors})


def _failed(plan: ReadPlan, error: Exception) -> ExecutionResult:
    """The outcome when nothing could be read."""
    roots = plan.query.roots
    data = {root.key: root.value if isinstance(root, Constant) else None for root in roots}
    errors: list[dict[str, Any]] = []
    headers: dict[str, str] = {}
    for key, places in plan.places.items():
        problem = error if isinstance(error, Problem) else internal_problem(error, [key])
        headers |= problem.headers()
        errors.append(error_json(problem, {"locations": places, "path": [key]}))
    # A list that cannot be null takes everything above with it.
    is_null = any(isinstance(root, NodesRoot) and root.many for root in roots)
    return ExecutionResult({"data": None if is_null else data, "errors": errors}, headers)


async def mutate(
    plan: MutationPlan, variables: Variables, gateway: Gateway, caller: ExecutionCaller
) -> ExecutionResult | None:
    """Execute the fields of a mutation in order.

    Raises NeedsGeneralPathError, `too_complex`, and as `Payment.pay`, before anything is executed.
    """
    writes = _writes(plan, variables, gateway, caller)
    if writes is None:
        return None
    judged = plan.judge(variables, gateway.limits)
    check_rows(judged.rows, gateway.limits.MAX_ROWS)
    if caller.payment is not None and judged.points:
        await caller.payment.pay(judged.points)
    data, errors, replayed = dict(plan.data), list[dict[str, Any]](), list[bool]()
    headers: dict[str, str] = {}
    for place, (step, write) in enumerate(zip(plan.steps, writes, strict=True)):
        try:
            # What was true before the last one may not be any more.
            actor = await caller.authenticate() if place else caller.actor
            data[step.key], again = await _step(step, write, gateway, actor, caller.client)
            replayed.append(again)
        except Exception as error:  # noqa: BLE001 - as above
            problem = error if isinstance(error, Problem) else internal_problem(error, [step.key])
            headers |= problem.headers()
            errors.append(error_json(problem, {"locations": step.places, "path": [step.key]}))
    if replayed and all(replayed):
        headers[REPLAYED] = "true"
    return ExecutionResult({"data": data, "errors": errors} if errors else {"data": data}, headers)


def _writes(
    plan: MutationPlan, variables: Variables, gateway: Gateway, caller: ExecutionCaller
) -> list[Write | Problem] | None:
    """What each step writes, or what is wrong with that. Where one has a key, none goes down the general path."""
    given: list[dict[str, Any]] = [step.data(variables) for step in plan.steps]
    header, whole = caller.idempotency_key, None
    if header is not None:
        whole = header.whole([
            (step.key, step.operation.name, arguments, step.asked(variables).decode())
            for step, arguments in zip(plan.steps, given, strict=True)
        ])  # fmt: skip
    keyed = header is not None or any(arguments.get("idempotency_key") is not None for arguments in given)
    found: list[Write | Problem] = []
    for step, arguments in zip(plan.steps, given, strict=True):
        related = step.rows.related if step.rows is not None else ()
        if not keyed and related and not gateway.may_read(related, caller.actor):
            return None
        try:
            write = _write(step, dict(arguments.get("input") or {}), variables, gateway)
            if arguments.get("idempotency_key") is not None:
                # One of the field's own is about nothing but the field.
                found.append(_once(step, write, checked_key(arguments["idempotency_key"]), variables))
            elif header is not None:
                text = header.of_field(step.key if len(given) > 1 else None)
                found.append(_once(step, write, text, variables, whole))
            else:
                found.append(write)
        except Problem as problem:
            if not keyed:
                return None
            found.append(problem)
    return found


def _write(step: MutationStep, data: dict[str, Any], variables: Variables, gateway: Gateway) -> Write:
    inputs = [slot.make(variables) for slot in step.slots]
    for slot, each in zip(step.slots, inputs, strict=True):
        bind_input(each, slot.resource, gateway.cursors)
    if step.operation.entries:
        check_entry_count(data[OPERATIONS], gateway.limits.MAX_BATCH_ENTRIES)
    return replace(parse_write(step.operation, data), shown=step.rows, inputs=inputs)


def _once(
    step: MutationStep, write: Write, key: str, variables: Variables, whole: IdempotentRequest | None = None
) -> Write:
    """The same, made once by a key."""

    def shape(result: Any) -> bytes:
        return orjson.dumps(shown(step.payload, (result, write.key)))

    return replace(write, idempotency=IdempotentWrite(key, step.asked(variables), shape, whole))


async def _step(
    step: MutationStep, write: Write | Problem, gateway: Gateway, actor: Actor, client: Client
) -> tuple[Any, bool]:
    """The payload of a step, and whether it was given before."""
    admitted = await gateway.admit(step.operation, actor, client)
    if isinstance(write, Problem):
        raise write
    result = await gateway.write(admitted, write)
    if isinstance(result, StoredOrNewAnswer):
        return orjson.Fragment(result.content), result.replayed
    return shown(step.payload, (result, write.key)), False
