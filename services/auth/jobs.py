"""What is done by the clock: sessions that are over are forgotten."""

from __future__ import annotations

from sqlalchemy import delete  # noqa: TID251 - nobody's session any more

from services.auth.models import Session
from services.catalogue.jobs import Work, job


@job("sweep_sessions", cron="17 * * * *")
async def sweep_sessions(work: Work) -> None:
    """Delete the sessions that have expired."""
    async with work.unit_of_work() as call:
        await call.session.execute(delete(Session).where(Session.expires_at <= work.now))
