from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_

from services.identity.invitations.models import Invitation
from services.identity.mail.tokens import digest_of
from services.identity.users.models import User
from services.identity.workspaces.models import Membership, Role


def is_valid(token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select the invitation of a token, while it can be accepted.

    It must exist, must not have expired, and its inviter must still own the workspace, or be an admin.
    """
    owns = exists().where(
        Membership.workspace_id == Invitation.workspace_id, Membership.user_id == User.id, Membership.role == Role.OWNER
    )
    inviter = exists().where(User.id == Invitation.user_id, User.is_active, or_(User.is_superuser, owns))
    return Invitation.digest == digest_of(token), Invitation.expires_at > now, inviter
