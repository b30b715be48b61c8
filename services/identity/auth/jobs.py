from __future__ import annotations

from services.catalogue.jobs import Work, job
from services.identity.auth.models import Session
from services.storage.sweeping import sweep_all


@job("sweep_sessions", cron="17 * * * *", timeout=3600)
async def sweep_sessions(work: Work) -> None:
    await sweep_all(work, Session.expires_at, work.now)
