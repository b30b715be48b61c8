from __future__ import annotations

from services.catalogue.jobs import Work, job
from services.engine.idempotency.models import StoredAnswer
from services.engine.idempotency.once import IdempotencyStore
from services.storage.sweeping import sweep_all


@job("sweep_idempotency_keys", cron="27 * * * *", timeout=3600)
async def sweep_idempotency_keys(work: Work) -> None:
    """Delete answers that have expired, also those that no later write sweeps."""
    await sweep_all(work, StoredAnswer.created_at, work.now - work.part(IdempotencyStore).lifetime)
