"""Deleting what is over: a bounded number of rows by each statement, so that no table is locked for long."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.catalogue.jobs import Work

SWEPT: Final = 1_000
"""Rows of one sweep."""


async def sweep(
    session: AsyncSession,
    when: InstrumentedAttribute[Any],
    before: datetime,
    *conditions: ColumnElement[bool],
    most: int = SWEPT,
) -> int:
    """Delete some rows whose instant in the column `when` is not after `before`, the oldest first; returns how many.

    It waits for nobody, so that nobody who waits for it is waited for: rows that somebody else is about to change, or
    sweeps, are left to them.
    """
    model = when.class_
    oldest = select(model.id).where(when <= before, *conditions).order_by(when).limit(most)
    locked = oldest.with_for_update(skip_locked=True).cte("oldest")
    gone = delete(model).where(model.id.in_(select(locked.c.id))).returning(model.id)
    return len((await session.execute(gone, execution_options={"synchronize_session": False})).all())


async def sweep_all(
    work: Work, when: InstrumentedAttribute[Any], before: datetime, *conditions: ColumnElement[bool]
) -> None:
    """Delete all such rows, each thousand in a transaction of its own: what is done is done if the job is cut short."""
    found = SWEPT
    while found == SWEPT:
        async with work.unit_of_work() as call:
            found = await sweep(call.session, when, before, *conditions)
