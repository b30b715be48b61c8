"""Jobs that PgQueuer does not know of, and what is left of those that are done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text, update  # noqa: TID251 - a worker is no caller
from sqlalchemy.ext.asyncio import AsyncSession

from services.jobs.models import Job, JobState
from services.jobs.names import TABLES
from services.jobs.queue import LIVE, again
from services.storage.base import utc_now
from services.storage.sweeping import SWEPT

_MISSING: Final = text(
    "not exists (select from pgqueuer where pgqueuer.id = jobs.ticket and pgqueuer.status in ('queued', 'picked'))"
)
_LOGS: Final = tuple(sorted(each for each in TABLES if each in ("pgqueuer_log", "pgqueuer_statistics")))


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How long jobs are kept that have succeeded, and what PgQueuer notes of any."""

    kept: timedelta

    def before(self, now: datetime) -> datetime:
        """What has ended before is forgotten."""
        return now - self.kept


async def queue_lost(session: AsyncSession) -> int:
    """Queue the jobs again that are not done, and of which PgQueuer has lost track; returns how many."""
    lost = select(Job).where(Job.state.in_(LIVE), _MISSING).limit(SWEPT).with_for_update(skip_locked=True)
    found = (await session.execute(lost)).scalars().all()
    for each in found:
        number = await again(session, each, max(each.run_at - utc_now(), timedelta()))
        await session.execute(update(Job).where(Job.id == each.id).values(ticket=number, state=JobState.QUEUED))
    return len(found)


async def sweep_notes(session: AsyncSession, before: datetime) -> bool:
    """Forget some of what PgQueuer has noted before this instant; returns whether there is more."""
    deleted = []
    for table in _LOGS:
        oldest = f"select id from {table} where created < :before order by id limit {SWEPT}"  # noqa: S608 - our names
        notes = text(f"delete from {table} where id in ({oldest}) returning id")  # noqa: S608 - our names
        deleted.append(await session.execute(notes, {"before": before}))
    return any(len(each.all()) == SWEPT for each in deleted)
