"""What is done by the clock: answers that have expired are forgotten, also where nobody writes any more."""

from __future__ import annotations

from services.catalogue.jobs import Work, job
from services.idempotency.once import KeptAnswers
from services.idempotency.sweeping import sweep


@job("sweep_idempotency_keys", cron="27 * * * *")
async def sweep_idempotency_keys(work: Work) -> None:
    """Delete answers that are no longer kept."""
    async with work.unit_of_work() as call:
        await sweep(call.session, work.now - work.part(KeptAnswers).lifetime)
