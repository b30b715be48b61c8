"""Maintenance of the queue: re-queueing of lost jobs, and deletion of old log rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text, update  # noqa: TID251 - a worker is no caller
from sqlalchemy.ext.asyncio import AsyncSession

from services.jobs.models import Job, JobState
from services.jobs.names import NAMES
from services.jobs.queue import LIVE, ticket
from services.storage.base import utc_now
from services.storage.sweeping import SWEPT

_MISSING: Final = text(
    "not exists (select from pgqueuer where pgqueuer.id = jobs.ticket and pgqueuer.status in ('queued', 'picked'))"
)
_LOG_TABLES: Final = (NAMES.queue_table_log, NAMES.statistics_table)


@dataclass(frozen=True, slots=True)
class JobRetention:
    """How long successful jobs and PgQueuer's log rows are kept."""

    kept: timedelta


async def queue_lost(session: AsyncSession) -> int:
    """Queue unfinished jobs again that are missing from PgQueuer's queue. Return how many."""
    missing = select(Job).where(Job.state.in_(LIVE), _MISSING).limit(SWEPT).with_for_update(skip_locked=True)
    jobs = (await session.execute(missing)).scalars().all()
    for job in jobs:
        ticket_id = await ticket(session, job.name, job.id, max(job.run_at - utc_now(), timedelta()))
        await session.execute(update(Job).where(Job.id == job.id).values(ticket=ticket_id, state=JobState.QUEUED))
    return len(jobs)


async def sweep_notes(session: AsyncSession, before: datetime) -> bool:
    """Delete a batch of PgQueuer's log rows from before an instant. Return whether there are more."""
    results = []
    for table in _LOG_TABLES:
        oldest = f"select id from {table} where created < :before order by id limit {SWEPT}"  # noqa: S608 - our names
        deletion = text(f"delete from {table} where id in ({oldest}) returning id")  # noqa: S608 - our names
        results.append(await session.execute(deletion, {"before": before}))
    return any(len(result.all()) == SWEPT for result in results)
