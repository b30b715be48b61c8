"""Who may do what with files: viewers of the workspace read them, its editors add and delete them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_

from services.catalogue import ACTOR_ID
from services.workspaces.models import Role
from services.workspaces.policy import has_role, member, workspace_members


def own(file: Any) -> ColumnElement[bool]:
    """Files that the actor has announced, as long as they may write in the workspace."""
    return and_(file.user_id == ACTOR_ID, has_role(file.workspace_id, Role.EDITOR))


policy = workspace_members(complete=own, link=member(Role.VIEWER))
