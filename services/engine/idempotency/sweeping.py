"""What has expired is deleted on the way, a little at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.engine.idempotency.models import KeptAnswer
from services.storage import sweeping

SWEEP_EVERY: Final = 32
"""One in so many answers that are kept is followed by a sweep."""
SWEPT: Final = 500
"""Rows of one sweep: more than come between two."""


async def sweep(session: AsyncSession, expired: datetime) -> None:
    """Delete some answers from before an instant, the oldest first: the last thing that a transaction does."""
    await sweeping.sweep(session, KeptAnswer.created_at, expired, most=SWEPT)
