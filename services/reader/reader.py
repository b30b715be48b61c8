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
from services.queries.selections import Query
from services.reader.plans import Plans
from services.reader.pool import ReadPool
from services.reader.shapes import BoundInput
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

    async def read(
        self, query: Query, slots: Sequence[BoundInput], actor: Actor, session: AsyncSession | None = None, *,
        at_once: bool = False,
    ) -> Answer:  # fmt: skip
        """Read the answer in one statement, through the pool or in the transaction of the session.

        For `at_once` see Plans. Raises `unavailable` and NotCompiledError.
        """
        plan = self.plans.find(query, slots, actor, at_once=at_once)
        if not plan.text:
            return plan.assemble((), slots)
        values = plan.values(slots, actor)
        if session is None:
            row = await self.pool.fetch_row(plan.text, values)
        else:
            row = await fetch_row(session, plan.text, values)
        return plan.assemble(row, slots)
