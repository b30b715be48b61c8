"""What has expired is deleted on the way, a little at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import delete, select  # noqa: TID251 - answers are no resource's rows
from sqlalchemy.ext.asyncio import AsyncSession

from services.idempotency.models import KeptAnswer

SWEEP_EVERY: Final = 32
"""One in so many answers that are kept is followed by a sweep."""
SWEPT: Final = 500
"""Rows of one sweep: more than come between two."""


async def sweep(session: AsyncSession, expired: datetime) -> None:
    """Delete some answers from before an instant, the oldest first: the last thing that a transaction does.

    It waits for nobody, so that nobody who waits for it is waited for: rows that somebody else is about to replace, or
    sweeps, are left to them.
    """
    oldest = select(KeptAnswer.id).where(KeptAnswer.created_at <= expired).order_by(KeptAnswer.created_at).limit(SWEPT)
    locked = oldest.with_for_update(skip_locked=True).cte("oldest")
    await session.execute(delete(KeptAnswer).where(KeptAnswer.id.in_(select(locked.c.id))))
