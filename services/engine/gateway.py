"""The one way to call an operation: both faces go through `Gateway`, which writes here and reads in reading.py.

The order is fixed: credentials, input, unit of work, idempotency key, row under its policy, its version, references,
the operation's function, the policy on what was written, the audit, the result read by the Reader, commit, what
follows the commit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from services.catalogue.actors import Actor, Client
from services.catalogue.calls import Call
from services.catalogue.models import InputModel, NoInput, ResultModel, parse_input
from services.catalogue.operations import Kind, Operation
from services.catalogue.problems import NOT_FOUND, Problem
from services.catalogue.resources import Resource
from services.engine.authorization import Admitted, authorize, authorize_resources
from services.engine.batching import run_batch
from services.engine.idempotency.once import STATEMENTS, IdempotencyStore, StoredOrNewAnswer
from services.engine.payment import Payment
from services.engine.writes import Write, Writes
from services.process import deadline, observation
from services.queries.batches import Batch, EntryOutcome, parse_batch
from services.queries.costs import check_rows, weigh_write
from services.queries.lists import Record
from services.queries.selections import RowRoot
from services.reader.reader import Answer
from services.reader.records import Records
from services.storage.base import utc_now
from services.storage.constraints import ConnectionLostError, OutdatedStatementError

log = structlog.get_logger(__name__)

Result = Record | ResultModel | Sequence[EntryOutcome] | None


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The result of a write as it was asked for: its key, and the answer to the query."""

    key: UUID
    answer: Answer


Answered = Result | WriteResult | StoredOrNewAnswer


@dataclass(frozen=True, slots=True)
class Gateway(Writes):
    """What is behind both faces: the catalogue, the database, and the long-lived parts that operations use."""

    async def write(self, admitted: Admitted, write: Write, payment: Payment | None = None) -> Answered:
        """Call an operation that changes something, once it is paid for.

        Returns what was asked to be shown, or a Record, a ResultModel or None; with an idempotency key the answer that
        was shaped of it. Raises the operation's Problems, `too_complex`, and as `Payment.pay`.
        """
        operation, shown = admitted.operation, write.shown
        if shown is not None:
            async with self._audited(admitted):
                # What a write shows of its own row needs no scope but the write's.
                authorize_resources(shown.related, admitted.actor)
        if operation.kind is Kind.BATCH:
            batch = parse_batch(operation, write.data or b"{}", self.limits.MAX_BATCH_ENTRIES)
            data: InputModel | Batch = batch
            points = self._price(admitted, write, len(batch.entries))
        else:
            points = self._price(admitted, write)
            data = parse_input(operation.input or NoInput, write.data or b"{}")
        if payment is not None:
            await payment.pay(points)
        with deadline.remaining():
            return await self._call(admitted, write, data)

    def _price(self, admitted: Admitted, write: Write, entries: int | None = None) -> int:
        rows, points = weigh_write(admitted.operation, write.shown, write.inputs, entries)
        check_rows(rows, self.limits.MAX_ROWS)
        return points

    async def admit(self, operation: Operation, actor: Actor, client: Client | None = None) -> Admitted:
        """The right to call an operation; what is refused of a write goes into the audit.

        Raises `unauthenticated` and `insufficient_scope`.
        """
        admitted = Admitted(operation, actor, client or Client())
        async with self._audited(admitted):
            authorize(operation, actor)
        return admitted

    @asynccontextmanager
    async def _audited(self, admitted: Admitted) -> AsyncIterator[None]:
        try:
            yield
        except Problem as problem:
            await self.audit.add(self.audit.refusal(admitted.operation, admitted, problem))
            raise

    async def _call(
        self, admitted: Admitted, write: Write, data: InputModel | Batch, *, again: bool = False
    ) -> Answered:  # fmt: skip
        operation = admitted.operation
        before, written, refusal = observation.statements(), False, None
        try:
            async with self.unit_of_work(admitted.actor, admitted.client) as call:
                try:
                    perform = self._write if write.idempotency is None else self._write_once
                    result = await perform(operation, call, write, data)
                except Problem as problem:
                    refusal = self.audit.refusal(operation, call, problem)
                    if problem.keep:
                        await self.audit.add(refusal, call.session)
                        refusal = None
                    raise
                written = True
        except ConnectionLostError as lost:
            # PostgreSQL had closed the connection before it was used: at the first statement nothing is done yet. Once
            # all is written it is the commit that failed, and nobody knows whether it was made.
            nothing_done = isinstance(lost, OutdatedStatementError) or observation.statements() - before == 1
            if again or written or not nothing_done:
                raise
            return await self._call(admitted, write, data, again=True)
        except Problem:
            await self.audit.add(refusal)
            raise
        # However the result was read to be shown, one statement is meant to do it. How many tables a deletion affects
        # is not the operation's doing.
        sent = observation.statements() - before - max(call.shown_by - 1, 0) - call.followed_by
        most = operation.statements * (len(data.entries) if isinstance(data, Batch) else 1)
        most += (write.expected is not None) + (STATEMENTS if write.idempotency is not None else 0)
        if self.reader is not None and sent > most:
            log.warning("statement_budget_exceeded", operation=operation.name, sent=sent)
        if (seen := observation.current()) is not None:
            seen.actor = str(call.actor)  # who may have been identified during the call
        return result

    @asynccontextmanager
    async def unit_of_work(self, actor: Actor, client: Client | None = None) -> AsyncIterator[Call]:
        """A call in a transaction, committed at the end; a Problem rolls it back unless it says to keep what was done.

        What PostgreSQL refuses is raised as a Problem.
        """
        async with self.database.unit_of_work() as session:
            call = Call(actor, session, utc_now(), self.parts, client or Client())
            try:
                yield call
            except Problem as problem:
                if problem.keep:
                    await deadline.hold()
                    await session.commit()
                    await self._follow_up(call)
                raise
            await deadline.hold()
            await session.commit()
        await self._follow_up(call)

    async def _write_once(
        self, operation: Operation, call: Call, write: Write, data: InputModel | Batch
    ) -> StoredOrNewAnswer:
        assert write.idempotency is not None
        # All that is sent; what is to be shown of what comes of it is in `asked`.
        told = {"key": write.key, "data": write.data, "expected": write.expected}
        return await self.part(IdempotencyStore).once(
            operation, call, write.idempotency, told, lambda: self._write(operation, call, write, data)
        )

    async def _write(
        self, operation: Operation, call: Call, write: Write, data: InputModel | Batch
    ) -> Result | WriteResult:
        if isinstance(data, Batch):
            return await run_batch(self, operation, call, write, data)
        returned = await self.do(operation, call, write.key, data, write.expected)
        if isinstance(operation.result, Resource):
            return await self._result(operation.result, call, write, returned.id)
        assert returned is None or isinstance(returned, ResultModel)
        return returned

    async def _result(self, resource: Resource[Any], call: Call, write: Write, key: UUID) -> Record | WriteResult:
        """What a write returns, read in its transaction. Raises `not_found` when the actor may not read it."""
        before = observation.statements()
        result: Record | WriteResult | None
        if write.shown is None:
            result = await Records(call.session, call.actor, self.cursors).get(resource, key)
        else:
            answer = await self.read_within(call, write.shown, (key, *write.inputs))
            is_gone = any(isinstance(root, RowRoot) and answer[root.key] is None for root in write.shown.roots)
            result = None if is_gone else WriteResult(key, answer)
        call.shown_by = observation.statements() - before
        if result is None:
            raise Problem(NOT_FOUND)
        return result

    async def _follow_up(self, call: Call) -> None:
        for action in call.after_commit:
            try:
                await action()
            except Exception:
                # The change is made; what follows it must not turn its answer into a failure.
                log.exception("after_commit_failed", actor=str(call.actor))
