"""The one way to call an operation: both faces go through `Gateway`.

The order is fixed: credentials, input, unit of work, row under its policy, references, the operation's function, the
policy on what was written, the audit, the result read by the Reader, commit, what follows the commit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import structlog

from services import deadline, observation
from services.audit.recording import Attempt, Audit
from services.authorization import authorize, authorize_query, authorize_read
from services.catalogue.actors import Actor, Client
from services.catalogue.calls import Call, Part, Trace
from services.catalogue.catalogue import Catalogue
from services.catalogue.cursors import CursorCodec
from services.catalogue.limits import DEFAULTS, Limits
from services.catalogue.lists import ListArguments, Page, Record
from services.catalogue.models import InputModel, NoInput, ResultModel, parse_input
from services.catalogue.operations import Operation
from services.catalogue.problems import NOT_FOUND, Problem
from services.catalogue.resources import Resource
from services.catalogue.selections import Input, Query, RowRoot, check_size
from services.storage.base import utc_now
from services.storage.constraints import ConnectionLostError, OutdatedStatementError
from services.storage.database import Database
from services.storage.flushing import flush
from services.storage.general import answer
from services.storage.reader import Answer, NotCompiledError, Reader
from services.storage.records import Records
from services.storage.rows import check_placed, check_references, load_for, references

NIL: Final = UUID(int=0)
"""Stands for a key that is not known yet."""

log = structlog.get_logger(__name__)

Result = Record | ResultModel | None


@dataclass(frozen=True, slots=True)
class Write:
    """What a face has parsed of a write: the key of the row, the input as JSON, and what to show of the result.

    `shown` is a query of the result's key, its one input; without it the result comes back as a record.
    """

    key: UUID | None = None
    data: bytes | Mapping[str, Any] | None = None
    shown: Query | None = None
    inputs: Sequence[Input] = ()
    """Of the slots behind the first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The result of a write as it was asked for: its key, and the answer to the query."""

    key: UUID
    answer: Answer


@dataclass(frozen=True, slots=True)
class Gateway:
    """What is behind both faces: the catalogue, the database, and the long-lived parts that operations use.

    Without a `reader` everything goes down the general path.
    """

    catalogue: Catalogue
    database: Database
    cursors: CursorCodec
    reader: Reader | None = None
    limits: Limits = DEFAULTS
    parts: Mapping[type, Any] = field(default_factory=dict)

    @property
    def audit(self) -> Audit:
        """Where writes are recorded."""
        return self.part(Audit)

    def part(self, kind: type[Part]) -> Part:
        """A long-lived part of the process by its type."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found

    async def read(self, query: Query, inputs: Sequence[Input], actor: Actor) -> Answer:
        """Answer a query. Raises `unauthenticated`, `insufficient_scope`, `too_complex`, `validation_failed`."""
        authorize_query(query, actor)
        check_size(query, inputs, self.limits.rows)
        if self.reader is not None:
            slots = None
            with suppress(Problem):  # a cursor of another list: what is said of it depends on what else there is
                slots = self.reader.bind(query, inputs)
            with suppress(NotCompiledError):
                if slots is not None:
                    found = await self.reader.read(query, slots, actor)
                    observation.note_path("compiled")
                    return found
        observation.note_path("general")
        async with self.records(actor) as records:
            return await answer(records, query, inputs)

    async def page(self, operation: Operation, actor: Actor, arguments: ListArguments) -> Page:
        """A page of a list operation. Raises its Problems."""
        authorize(operation, actor)
        assert operation.resource is not None
        async with self.records(actor) as records:
            return await records.page(operation.resource, arguments, operation.where)

    async def row(self, operation: Operation, actor: Actor, key: UUID | None) -> Record:
        """The row of an operation that gets one. Raises its Problems."""
        authorize(operation, actor)
        assert operation.resource is not None
        async with self.records(actor) as records:
            if operation.where is not None:
                record = await records.find(operation.resource, operation.where)
            else:
                assert key is not None
                record = await records.get(operation.resource, key)
        if record is None:
            raise Problem(NOT_FOUND)
        return record

    async def write(
        self, operation: Operation, actor: Actor, write: Write, client: Client | None = None
    ) -> Result | Shown:
        """Call an operation that changes something.

        Returns what was asked to be shown, or a Record, a ResultModel or None. Raises the operation's Problems.
        """
        # What a write shows of its own row needs no scope but the write's.
        await self.admit(operation, actor, client, write.shown.related if write.shown is not None else ())
        if write.shown is not None:
            check_size(write.shown, (NIL, *write.inputs), self.limits.rows)
        data = parse_input(operation.input or NoInput, write.data or b"{}")
        with deadline.remaining():
            return await self._call(operation, actor, write, data, client)

    async def admit(
        self, operation: Operation, actor: Actor, client: Client | None = None, related: Iterable[Resource[Any]] = ()
    ) -> None:
        """`authorize`, but what is refused of a write goes into the audit; `related` is what else it shows."""
        try:
            authorize(operation, actor)
            for each in related:
                authorize_read(each, actor)
        except Problem as problem:
            attempt = Attempt(operation, actor, client or Client(), Trace())
            await self.audit.add(self.audit.refusal(attempt, problem))
            raise

    async def _call(
        self, operation: Operation, actor: Actor, write: Write, data: InputModel, client: Client | None,
        *, again: bool = False,
    ) -> Result | Shown:  # fmt: skip
        before, written, refusal = observation.statements(), False, None
        try:
            async with self.unit_of_work(actor, client) as call:
                try:
                    result = await self._write(operation, call, write, data)
                except Problem as problem:
                    refusal = self.audit.refusal(Attempt.of(operation, call), problem)
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
            return await self._call(operation, actor, write, data, client, again=True)
        except Problem:
            await self.audit.add(refusal)
            raise
        # However the result was read to be shown, one statement is meant to do it.
        sent = observation.statements() - before - max(call.shown_by - 1, 0)
        if self.reader is not None and sent > operation.statements:
            log.warning("statement_budget_exceeded", operation=operation.name, sent=sent)
        observation.note_actor(str(call.actor))
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

    async def count(self, operation: Operation, actor: Actor, arguments: ListArguments) -> int:
        """The size of the whole list of a list operation."""
        authorize(operation, actor)
        assert operation.resource is not None
        async with self.records(actor) as records:
            return await records.count(operation.resource, arguments, operation.where)

    @asynccontextmanager
    async def records(self, actor: Actor) -> AsyncIterator[Records]:
        """Records read through a session of their own. Raises `unavailable` when the database is."""
        async with self.database.reading() as session:
            yield Records(session, actor, self.cursors)

    async def _write(self, operation: Operation, call: Call, write: Write, data: InputModel) -> Result | Shown:
        arguments: list[Any] = [call]
        resource, place, before = operation.resource, None, {}
        if operation.on_a_row:
            assert resource is not None
            assert write.key is not None
            arguments.append(await load_for(call, resource, write.key, operation.action))
            place, before = references(resource, arguments[1]), dict(vars(arguments[1]))
        if operation.input is not None:
            await check_references(call, self.catalogue, data)
            arguments.append(data)
        if operation.function is None:
            await _delete(operation, call, arguments[1])
            await self.audit.done(Attempt.of(operation, call), call.session, data, before)
            return None
        returned = await operation.function(*arguments)
        if resource is not None and operation.result is resource and references(resource, returned) != place:
            await check_placed(call, resource, returned)
        await flush(call.session)
        await self.audit.done(Attempt.of(operation, call), call.session, data, before)
        if not isinstance(operation.result, Resource):
            assert returned is None or isinstance(returned, ResultModel)
            return returned
        return await self._result(operation.result, call, write, returned.id)

    async def _result(self, resource: Resource[Any], call: Call, write: Write, key: UUID) -> Record | Shown:
        """What a write returns, read in its transaction. Raises `not_found` when the actor may not read it."""
        before = observation.statements()
        try:
            return await self._shown(resource, call, write, key)
        finally:
            call.shown_by = observation.statements() - before

    async def _shown(self, resource: Resource[Any], call: Call, write: Write, key: UUID) -> Record | Shown:
        records = Records(call.session, call.actor, self.cursors)
        if write.shown is None:
            record = await records.get(resource, key)
            if record is None:
                raise Problem(NOT_FOUND)
            return record
        inputs = (key, *write.inputs)
        found = None
        if self.reader is not None:
            with suppress(NotCompiledError):
                slots = self.reader.bind(write.shown, inputs)
                found = await self.reader.read_within(call.session, write.shown, slots, call.actor)
                observation.note_path("compiled")
        if found is None:
            observation.note_path("general")
            found = await answer(records, write.shown, inputs)
        if any(isinstance(root, RowRoot) and found[root.key] is None for root in write.shown.roots):
            raise Problem(NOT_FOUND)
        return Shown(key, found)

    async def _follow_up(self, call: Call) -> None:
        for action in call.after_commit:
            try:
                await action()
            except Exception:
                # The change is made; what follows it must not turn its answer into a failure.
                log.exception("after_commit_failed", actor=str(call.actor))


async def _delete(operation: Operation, call: Call, row: Any) -> None:
    if operation.before is not None:
        await operation.before(call, row)
    await call.session.delete(row)
    await call.session.flush()
