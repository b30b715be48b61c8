"""The Reader: executes every read as one SQL statement.

    Query + inputs + actor → plan → one row of arrays → answer

A **Query** (services/queries/selections.py) is the tree of the requested fields under their response names. GraphQL
creates it from a document, REST from `fields` and `include`. The values that differ between calls are its **inputs**,
one for each numbered slot of the tree: a list's arguments, a row's key. Inputs are **bound** (shapes.py): split into
their shape, on which the statement's text depends (which filters, which order, whether there is a cursor), and their
values, which become parameters.

A **Plan** (plans.py) belongs to a query, the shapes of its inputs, and the kind of actor (admin or not). It consists of

- a statement (statement.py and pages.py), built with SQLAlchemy Core and compiled once: a level for every list, with
  policies at every hop, and one last row with an array for each column of each level;
- a function (assembly.py), generated for it, that converts that row to the answer.

Plans are cached, as are the statements that asyncpg prepares for them on each connection (pool.py). A warm read parses
and compiles nothing, creates no ORM object, and makes one round trip to the database.

docs/reader.md explains an example. Queries that the Reader does not compile take the general path, with a statement a
level (general.py); a test compares the results of both.
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
"""The answer by the roots' keys, in JSON types."""


class Reader:
    """Answers queries through its own connection pool. `plans`, `sight` and `page_size` are those of Plans."""

    def __init__(
        self, pool: ReadPool, cursors: CursorCodec, *, plans: int, sight: int = 1, page_size: int = MAX_LIMIT
    ) -> None:
        self.pool, self.cursors = pool, cursors
        self.plans = Plans(cursors, plans, sight=sight, page_size=page_size)

    def bind(self, query: Query, inputs: Sequence[Input]) -> list[Bound]:
        """Bind a query's inputs. Raises `validation_failed` for a cursor of another list."""
        return bind(query, inputs, self.cursors)

    async def read(self, query: Query, slots: Sequence[Bound], actor: Actor, *, at_once: bool = False) -> Answer:
        """Read the answer in one statement; for `at_once` see Plans. Raises `unavailable` and NotCompiledError."""
        plan = self.plans.find(query, slots, actor, at_once=at_once)
        row = await self.pool.fetch_row(plan.text, plan.values(slots, actor)) if plan.text else ()
        return plan.assemble(row, slots)

    async def read_within(self, session: AsyncSession, query: Query, slots: Sequence[Bound], actor: Actor) -> Answer:
        """Read the answer in the session's transaction, in one statement. Raises NotCompiledError."""
        plan = self.plans.find(query, slots, actor)
        if not plan.text:
            return plan.assemble((), slots)
        row = await fetch_row(session, plan.text, plan.values(slots, actor))
        return plan.assemble(row, slots)

    def plan(self, query: Query, slots: Sequence[Bound], actor: Actor) -> Plan:
        """Return the plan of a query. Raises NotCompiledError."""
        return self.plans.find(query, slots, actor)
