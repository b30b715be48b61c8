"""Policy of files: viewers of the workspace read them, editors add and delete them.

Actors who can read a user can also read the user's avatar; it is not included in lists of files.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import aliased

from services.catalogue import ACTOR_ID, Policy, needs
from services.identity.users.models import User
from services.identity.users.policy import visible
from services.identity.workspaces.models import Role
from services.identity.workspaces.policy import has_role, member


@needs(
    "Only the user who announced a file may send and complete it, while they are an editor or owner of the workspace."
)
def own(file: Any) -> ColumnElement[bool]:
    return and_(file.user_id == ACTOR_ID, has_role(file.workspace_id, Role.EDITOR))


def of_members_or_avatar(file: Any) -> ColumnElement[bool]:
    """Select files of the actor's workspaces, and avatars of users whom they can read."""
    user = aliased(User)
    avatar = select(user.id).where(user.avatar_id == file.id, visible(user)).correlate(file).exists()
    return or_(has_role(file.workspace_id, Role.VIEWER), avatar)


policy = Policy(
    read=of_members_or_avatar, list=member(Role.VIEWER), link=of_members_or_avatar,
    create=member(Role.EDITOR), delete=member(Role.EDITOR), complete=own,
)  # fmt: skip
