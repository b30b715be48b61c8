"""Deleting what is over: a bounded number of rows by each statement, so that no table is locked for long."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.catalogue.jobs import Work
from services.storage.cascades import Cascades

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

    For tables on whose rows nothing hangs. It waits for nobody, so that nobody who waits for it is waited for: rows
    that somebody else is about to change, or sweeps, are left to them.
    """
    model = when.class_
    locked = _oldest(when, before, *conditions, most=most).cte("oldest")
    gone = delete(model).where(model.id.in_(select(locked.c.id))).returning(model.id)
    return len((await session.execute(gone, execution_options={"synchronize_session": False})).all())


async def sweep_all(
    work: Work, when: InstrumentedAttribute[Any], before: datetime, *conditions: ColumnElement[bool]
) -> None:
    """Delete all such rows and follow what that does to others, each thousand in a transaction of its own: what is done
    is done if the job is cut short.
    """
    found = SWEPT
    while found == SWEPT:
        async with work.unit_of_work() as call:
            keys = (await call.session.execute(_oldest(when, before, *conditions, most=SWEPT))).scalars().all()
            await work.part(Cascades).delete(call.session, when.parent.class_, keys)
            found = len(keys)


def _oldest(
    when: InstrumentedAttribute[Any], before: datetime, *conditions: ColumnElement[bool], most: int
) -> Select[Any]:
    """The keys of the oldest rows, locked, of those that nobody else has locked."""
    oldest = select(when.class_.id).where(when <= before, *conditions).order_by(when).limit(most)
    return oldest.with_for_update(skip_locked=True)
