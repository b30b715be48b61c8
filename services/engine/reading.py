"""Reading: the one way in for whatever is read, which takes the compiled path where it can, otherwise the general one.

A query is read as a whole by `read`, and within a write's transaction by `read_within`. GraphQL's resolvers, which
judge and read field by field, read its parts: each needs a `Readable`, which is made where the scope is checked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.catalogue.actors import Actor
from services.catalogue.calls import Call
from services.catalogue.catalogue import Catalogue
from services.catalogue.problems import NOT_FOUND, Problem
from services.catalogue.resources import Relation
from services.engine import authorization
from services.engine.authorization import Readable
from services.engine.payment import Payment
from services.process import observation
from services.queries.costs import price
from services.queries.cursors import CursorCodec
from services.queries.limits import DEFAULTS, Limits
from services.queries.lists import ListArguments, Page, Record
from services.queries.selections import Input, Query
from services.reader.general import answer
from services.reader.reader import Answer, NotCompiledError, Reader
from services.reader.records import Records
from services.reader.shapes import BoundInput, bind
from services.storage.database import Database


@dataclass(frozen=True, slots=True)
class Reads:
    """The reading half of the Gateway (gateway.py). Without a `reader` everything goes down the general path."""

    catalogue: Catalogue
    database: Database
    cursors: CursorCodec
    reader: Reader | None = None
    limits: Limits = DEFAULTS

    async def read(
        self, query: Query, inputs: Sequence[Input | BoundInput], actor: Actor, payment: Payment | None = None, *,
        at_once: bool = False,
    ) -> Answer:  # fmt: skip
        """Answer a query: authorized, noted, judged by its size, and paid for; `at_once` as of the Reader.

        Raises `unauthenticated`, `insufficient_scope`, `too_complex`, as `Payment.pay`, `validation_failed` for a
        cursor of another list, and `unavailable`.
        """
        authorization.authorize_query(query, inputs, actor)
        observation.note(query.noted, str(actor))
        points = price(query, inputs, self.limits.MAX_ROWS)
        if payment is not None:
            if payment.dry:
                bind(query, inputs, self.cursors)  # cursors are looked at, since nothing else will
            await payment.pay(points)
        return await self._answer(query, inputs, actor, at_once=at_once)

    async def read_within(self, call: Call, query: Query, inputs: Sequence[Input | BoundInput]) -> Answer:
        """Answer a query as the call's transaction sees it, what it shows having been authorized with the write."""
        return await self._answer(query, inputs, call.actor, call.session)

    async def _answer(
        self, query: Query, inputs: Sequence[Input | BoundInput], actor: Actor, session: AsyncSession | None = None, *,
        at_once: bool = False,
    ) -> Answer:  # fmt: skip
        if self.reader is not None:
            try:
                slots = bind(query, inputs, self.cursors)
            except Problem:  # a cursor of another list: what is said of it depends on what else there is
                slots = None
            try:
                if slots is not None:
                    found = await self.reader.read(query, slots, actor, session, at_once=at_once)
                    observation.note_path("compiled")
                    return found
            except NotCompiledError:
                pass
        observation.note_path("general")
        given = [each.given if type(each) is BoundInput else each for each in inputs]
        if session is not None:
            return await answer(Records(session, actor, self.cursors), query, given)  # type: ignore[arg-type]
        async with self.records(actor) as records:
            return await answer(records, query, given)  # type: ignore[arg-type]

    allow = staticmethod(authorization.allow)
    may_read = staticmethod(authorization.may_read)

    async def page(self, of: Readable, arguments: ListArguments) -> Page:
        """A page of a list. Raises `validation_failed` for a cursor of another list."""
        async with self.records(of.actor) as records:
            return await records.page(of.resource, arguments, of.where)

    async def count(self, of: Readable, arguments: ListArguments) -> int:
        async with self.records(of.actor) as records:
            return await records.count(of.resource, arguments, of.where)

    async def row(self, of: Readable, key: UUID | None) -> Record:
        """The one row: that with the key, or without one the row for which `where` holds. Raises `not_found`."""
        async with self.records(of.actor) as records:
            if of.where is not None:
                record = await records.find(of.resource, of.where)
            else:
                assert key is not None
                record = await records.get(of.resource, key)
        if record is None:
            raise Problem(NOT_FOUND)
        return record

    async def rows(self, of: Readable, keys: Sequence[UUID]) -> Mapping[UUID, Record]:
        """Rows by their keys, as far as the actor may read them."""
        async with self.records(of.actor) as records:
            return await records.many(of.resource, keys)

    async def pages_below(
        self, of: Readable, relation: Relation, parents: Sequence[UUID], arguments: ListArguments
    ) -> Mapping[UUID, Page]:
        """A page of a relation to what is readable, for each parent. Raises as `page`."""
        assert relation.target is of.resource
        async with self.records(of.actor) as records:
            return await records.related(relation, parents, arguments)

    async def counts_below(
        self, of: Readable, relation: Relation, parents: Sequence[UUID], arguments: ListArguments
    ) -> Mapping[UUID, int]:
        assert relation.target is of.resource
        async with self.records(of.actor) as records:
            return await records.related_counts(relation, parents, arguments)

    @asynccontextmanager
    async def records(self, actor: Actor) -> AsyncIterator[Records]:
        """Records read through a session of their own. Raises `unavailable` when the database is."""
        async with self.database.reading() as session:
            yield Records(session, actor, self.cursors)
