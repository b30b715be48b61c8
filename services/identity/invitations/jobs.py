from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import exists

from services.catalogue.jobs import Work, job
from services.identity.invitations.models import Invitation
from services.identity.invitations.validity import is_valid
from services.identity.mail.jobs import Mail, send
from services.storage.sweeping import sweep_all

SHOWN_AFTERWARDS: Final = timedelta(days=30)
"""How long an expired invitation is kept."""


@job("deliver_invitation", retries=26, timeout=120)
async def deliver_invitation(work: Work, data: Mail) -> None:
    """Send the mail of an invitation, unless it has become invalid, as by a revocation."""
    await send(work, data, exists().where(*is_valid(data.token.get_secret_value(), work.now)))


@job("sweep_invitations", cron="37 4 * * *", timeout=3600)
async def sweep_invitations(work: Work) -> None:
    """Delete invitations that expired `SHOWN_AFTERWARDS` ago."""
    await sweep_all(work, Invitation.expires_at, work.now - SHOWN_AFTERWARDS)
