"""Policy of comments: authors change their own, owners of the workspace may delete any."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from services.catalogue import ACTOR_ID, needs
from services.identity.workspaces.models import Role
from services.identity.workspaces.policy import has_role, workspace_members


@needs("Only its author may change a comment, while they are an editor or owner of the workspace.")
def author(comment: Any) -> ColumnElement[bool]:
    return and_(comment.author_id == ACTOR_ID, has_role(comment.workspace_id, Role.EDITOR))


@needs("Only its author and owners of the workspace may delete a comment.")
def author_or_owner(comment: Any) -> ColumnElement[bool]:
    return or_(author(comment), has_role(comment.workspace_id, Role.OWNER))


policy = workspace_members(update=author, delete=author_or_owner)
