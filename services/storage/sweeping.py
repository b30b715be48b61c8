"""Deletion of expired rows in bounded batches, so that no table is locked for long."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.catalogue.jobs import Work
from services.storage.cascades import Cascades

SWEPT: Final = 1_000
"""Rows of one batch."""


async def sweep(session: AsyncSession, when: InstrumentedAttribute[Any], before: datetime, *, most: int) -> int:
    """Delete up to `most` of the oldest rows whose instant in `when` is not after `before`; return their number.

    For tables that no other rows depend on. Rows that others have locked are skipped, so that it never waits for a
    lock.
    """
    model = when.class_
    locked = _oldest(when, before, most=most).cte("oldest")
    deletion = delete(model).where(model.id.in_(select(locked.c.id))).returning(model.id)
    return len((await session.execute(deletion, execution_options={"synchronize_session": False})).all())


async def sweep_all(
    work: Work, when: InstrumentedAttribute[Any], before: datetime, *conditions: ColumnElement[bool]
) -> None:
    """Delete all such rows with their cascades, each batch in its own transaction to survive interruptions."""
    deleted = SWEPT
    while deleted == SWEPT:
        async with work.unit_of_work() as call:
            keys = (await call.session.execute(_oldest(when, before, *conditions, most=SWEPT))).scalars().all()
            await work.part(Cascades).delete(call.session, when.parent.class_, keys)
            deleted = len(keys)


def _oldest(
    when: InstrumentedAttribute[Any], before: datetime, *conditions: ColumnElement[bool], most: int
) -> Select[Any]:
    """Lock the oldest rows that are not locked by others, and return their keys."""
    oldest = select(when.class_.id).where(when <= before, *conditions).order_by(when).limit(most)
    return oldest.with_for_update(skip_locked=True)
