"""What is done by the clock, for jobs themselves."""

from __future__ import annotations

from services.catalogue.jobs import Work, job
from services.jobs.upkeep import Upkeep, sweep


@job("sweep_jobs", cron="7 * * * *")
async def sweep_jobs(work: Work) -> None:
    """Forget jobs that were done long ago."""
    more = True
    while more:
        async with work.unit_of_work() as call:
            more = await sweep(call.session, work.part(Upkeep).before(work.now))
