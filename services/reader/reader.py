"""The Reader: every read is one SQL statement.

    Query + inputs + actor → plan → one row of arrays → answer

A **Query** (services/queries/selections.py) is the tree of what a caller asked for, under the names that the answer
gives it. Both faces make one: GraphQL of a document, REST of `fields` and `include`. What differs from call to call is
in the **inputs**, one for each numbered slot of the tree: a list's arguments, a row's key. Inputs are **bound**
(shapes.py): split into their shape, on which the statement's text depends (which filters, what order, is there a
cursor), and their values, which become parameters.

A **Plan** (plans.py) belongs to a query, the shapes of its inputs, and the kind of actor (admin or not). It is

- a statement (statement.py and pages.py), written with SQLAlchemy Core and compiled once to text: a level for every
  list, policies at every hop, and one last row with an array for each column of each level;
- a function (assembly.py), generated for it, that makes the answer of that row.

Plans are remembered, as are the statements that asyncpg prepares of them on each connection (pool.py). A warm read
parses nothing, compiles nothing, builds no object of the ORM, and goes to the database once.

docs/reader.md goes through one example. What the Reader does not compile is read by the general path, a statement a
level (records.py); a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.catalogue.actors import Actor
from services.queries.cursors import CursorCodec
from services.queries.lists import MAX_LIMIT
from services.queries.selections import Input, Query
from services.reader.plans import Plan, Plans
from services.reader.pool import ReadPool
from services.reader.shapes import Bound, bind
from services.reader.statement import NotCompiledError
from services.storage.prepared import fetch_row

__all__ = ["Answer", "NotCompiledError", "Reader"]

Answer = dict[str, Any]
"""By each root's key what was found, in JSON's types: ready to be written."""


class Reader:
    """Answers queries, through connections of its own. `plans`, `sight` and `page_size`: see Plans."""

    def __init__(
        self, pool: ReadPool, cursors: CursorCodec, *, plans: int, sight: int = 1, page_size: int = MAX_LIMIT
    ) -> None:
        self.pool, self.cursors = pool, cursors
        self.plans = Plans(cursors, plans, sight=sight, page_size=page_size)

    def bind(self, query: Query, inputs: Sequence[Input]) -> list[Bound]:
        """A query's inputs, ready to be read with. Raises `validation_failed` for a cursor of another list."""
        return bind(query, inputs, self.cursors)

    async def read(self, query: Query, slots: Sequence[Bound], actor: Actor, *, at_once: bool = False) -> Answer:
        """The answer, in one statement; `at_once` as of Plans. Raises `unavailable` and NotCompiledError."""
        plan = self.plans.find(query, slots, actor, at_once=at_once)
        row = await self.pool.fetch_row(plan.text, plan.values(slots, actor)) if plan.text else ()
        return plan.assemble(row, slots)

    async def read_within(self, session: AsyncSession, query: Query, slots: Sequence[Bound], actor: Actor) -> Answer:
        """The answer as the session's transaction sees it, in one statement. Raises NotCompiledError."""
        plan = self.plans.find(query, slots, actor)
        if not plan.text:
            return plan.assemble((), slots)
        row = await fetch_row(session, plan.text, plan.values(slots, actor))
        return plan.assemble(row, slots)

    def plan(self, query: Query, slots: Sequence[Bound], actor: Actor) -> Plan:
        """The plan by which a query would be read. Raises NotCompiledError."""
        return self.plans.find(query, slots, actor)
