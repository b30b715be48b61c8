"""What is done by the clock: invitations that are over are forgotten, a month later."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import delete  # noqa: TID251 - nobody's invitation any more

from services.catalogue.jobs import Work, job
from services.invitations.models import Invitation

SHOWN_AFTERWARDS: Final = timedelta(days=30)


@job("sweep_invitations", cron="37 4 * * *")
async def sweep_invitations(work: Work) -> None:
    """Delete the invitations that have expired long ago."""
    async with work.unit_of_work() as call:
        over = Invitation.expires_at <= work.now - SHOWN_AFTERWARDS
        await call.session.execute(delete(Invitation).where(over))
