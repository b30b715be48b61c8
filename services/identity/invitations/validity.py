"""Which invitations can be accepted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_

from services.identity.invitations.models import Invitation
from services.identity.mail.tokens import digest_of
from services.identity.users.models import User
from services.identity.workspaces.models import Membership, Role


def is_valid(token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """The invitation of this token, as long as it can be accepted: it is neither revoked nor used, has not expired, and
    who made it could do so still.
    """
    return Invitation.digest == digest_of(token), Invitation.expires_at > now, _inviter_may_still()


def _inviter_may_still() -> ColumnElement[bool]:
    """Whether who made an invitation has an account, and owns its workspace (or is an admin), still."""
    owns = exists().where(
        Membership.workspace_id == Invitation.workspace_id, Membership.user_id == User.id, Membership.role == Role.OWNER
    )
    return exists().where(User.id == Invitation.user_id, User.is_active, or_(User.is_superuser, owns))
