"""Maintenance of the queue: deletion of old jobs and log rows, and re-queueing of lost jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select, text  # noqa: TID251 - a worker is no caller
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalogue.jobs import Work, job
from services.jobs.models import Job, JobState
from services.jobs.names import NAMES
from services.jobs.queue import LIVE, ticket
from services.storage.base import utc_now
from services.storage.sweeping import SWEPT, sweep_all

_MISSING: Final = text(
    "not exists (select from pgqueuer where pgqueuer.id = jobs.ticket and pgqueuer.status in ('queued', 'picked'))"
)


@dataclass(frozen=True, slots=True)
class JobRetention:
    """How long successful jobs and PgQueuer's log rows are kept."""

    kept: timedelta


@job("sweep_jobs", cron="7 * * * *", timeout=3600)
async def sweep_jobs(work: Work) -> None:
    """Delete jobs that succeeded long ago, and old rows of PgQueuer's log tables."""
    before = work.now - work.part(JobRetention).kept
    await sweep_all(work, Job.finished_at, before, Job.state == JobState.SUCCEEDED)
    for table in (NAMES.queue_table_log, NAMES.statistics_table):
        oldest = f"select id from {table} where created < :before order by id limit {SWEPT}"  # noqa: S608 - our names
        deletion = text(f"delete from {table} where id in ({oldest}) returning id")  # noqa: S608 - our names
        deleted = SWEPT
        while deleted == SWEPT:
            async with work.unit_of_work() as call:
                deleted = len((await call.session.execute(deletion, {"before": before})).all())


async def queue_lost(session: AsyncSession) -> int:
    """Queue unfinished jobs again that are missing from PgQueuer's queue. Return how many."""
    missing = select(Job).where(Job.state.in_(LIVE), _MISSING).limit(SWEPT).with_for_update(skip_locked=True)
    jobs = (await session.execute(missing)).scalars().all()
    for lost in jobs:
        lost.ticket = await ticket(session, lost.name, lost.id, max(lost.run_at - utc_now(), timedelta()))
        lost.state = JobState.QUEUED
    return len(jobs)
