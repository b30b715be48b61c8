"""Operations of admins on jobs. Only `enqueue` creates jobs."""

from __future__ import annotations

from services.catalogue import Call, Problem
from services.catalogue.problems import CONFLICT
from services.jobs.models import Job, JobState
from services.jobs.queue import ticket
from services.jobs.resource import jobs

list_jobs, get_job = jobs.list(), jobs.get()


async def _check_idle(_call: Call, row: Job) -> None:
    if row.state is JobState.RUNNING:
        raise Problem(CONFLICT, "The job is running.")


delete_job = jobs.delete(before=_check_idle, description="Discard a job. One that is running cannot be.")


@jobs.action("retry", statements=3)
async def retry_job(call: Call, row: Job) -> Job:
    """Try a failed job again, as often as a new one."""
    if row.state is not JobState.FAILED:
        raise Problem(CONFLICT, "Only a job that has failed can be tried again.")
    row.state, row.attempts, row.error, row.finished_at = JobState.QUEUED, 0, None, None
    row.run_at, row.ticket = call.now, await ticket(call.session, row.name, row.id)
    return row
