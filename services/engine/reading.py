"""Reading: down the compiled path where the Reader can, down the general path where it cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from services.catalogue.actors import Actor
from services.catalogue.calls import Call
from services.catalogue.catalogue import Catalogue
from services.catalogue.operations import Operation
from services.catalogue.problems import NOT_FOUND, Problem
from services.engine.authorization import authorize, authorize_query
from services.engine.payment import Till
from services.process import observation
from services.queries.costs import query_cost
from services.queries.cursors import CursorCodec
from services.queries.limits import DEFAULTS, Limits
from services.queries.lists import ListArguments, Page, Record
from services.queries.selections import Input, Query, check_size
from services.reader.general import answer
from services.reader.reader import Answer, NotCompiledError, Reader
from services.reader.records import Records
from services.reader.shapes import bind
from services.storage.database import Database


@dataclass(frozen=True, slots=True)
class Reads:
    """The reading half of the Gateway (services/engine/gateway.py). Without a `reader` everything goes down the general
    path.
    """

    catalogue: Catalogue
    database: Database
    cursors: CursorCodec
    reader: Reader | None = None
    limits: Limits = DEFAULTS

    async def read(
        self, query: Query, inputs: Sequence[Input], actor: Actor, till: Till | None = None
    ) -> Answer:  # fmt: skip
        """Answer a query, once it is paid for. Raises `unauthenticated`, `insufficient_scope`, `too_complex`,
        `validation_failed`, and as `Till.pay`.
        """
        authorize_query(query, actor)
        check_size(query, inputs, self.limits.rows)
        if till is not None:
            if till.dry:
                bind(query, inputs, self.cursors)  # cursors are looked at, since nothing else will
            await till.pay(till.weight + query_cost(query).points(inputs))
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

    async def read_within(self, call: Call, query: Query, inputs: Sequence[Input]) -> Answer:
        """Answer a query as the call's transaction sees it."""
        if self.reader is not None:
            with suppress(NotCompiledError):
                slots = self.reader.bind(query, inputs)
                found = await self.reader.read_within(call.session, query, slots, call.actor)
                observation.note_path("compiled")
                return found
        observation.note_path("general")
        return await answer(Records(call.session, call.actor, self.cursors), query, inputs)

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
