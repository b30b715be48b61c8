from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_

from services.catalogue.jobs import Work, job
from services.identity.invitations.models import Invitation
from services.identity.mail.jobs import Mail, send
from services.identity.mail.tokens import digest_of
from services.identity.users.models import User
from services.identity.workspaces.models import Membership, Role
from services.storage.sweeping import sweep_all


def is_valid(token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select the invitation of a token, if its inviter owns the workspace or is an admin."""
    owns = exists().where(
        Membership.workspace_id == Invitation.workspace_id, Membership.user_id == User.id, Membership.role == Role.OWNER
    )
    inviter = exists().where(User.id == Invitation.user_id, User.is_active, or_(User.is_superuser, owns))
    return Invitation.digest == digest_of(token), Invitation.expires_at > now, inviter


@job("deliver_invitation", retries=26, timeout=120)
async def deliver_invitation(work: Work, data: Mail) -> None:
    """Send the mail of an invitation, unless it has become invalid, as by a revocation."""
    await send(work, data, exists().where(*is_valid(data.token.get_secret_value(), work.now)))


@job("sweep_invitations", cron="37 4 * * *", timeout=3600)
async def sweep_invitations(work: Work) -> None:
    """Delete invitations that expired 30 days ago."""
    await sweep_all(work, Invitation.expires_at, work.now - timedelta(days=30))
