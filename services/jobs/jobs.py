from __future__ import annotations

from services.catalogue.jobs import Work, job
from services.jobs.models import Job, JobState
from services.jobs.upkeep import JobRetention, sweep_notes
from services.storage.sweeping import sweep_all


@job("sweep_jobs", cron="7 * * * *", timeout=3600)
async def sweep_jobs(work: Work) -> None:
    """Delete jobs that succeeded long ago, and old rows of PgQueuer's log tables."""
    before = work.now - work.part(JobRetention).kept
    await sweep_all(work, Job.finished_at, before, Job.state == JobState.SUCCEEDED)
    more = True
    while more:
        async with work.unit_of_work() as call:
            more = await sweep_notes(call.session, before)
