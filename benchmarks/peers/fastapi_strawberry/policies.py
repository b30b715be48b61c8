"""What a user sees: everything in the workspaces that they are a member of, and active users."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Select, select

from benchmarks.peers.fastapi_strawberry.models import Comment, Item, Label, Membership, User, Workspace


def workspaces_of(user_id: UUID, *roles: str) -> Select[UUID]:
    """The workspaces of a user, or those in which they have one of the roles."""
    mine = select(Membership.workspace_id).where(Membership.user_id == user_id)
    return mine.where(Membership.role.in_(roles)) if roles else mine


def visible_items(user_id: UUID) -> Select[Item]:
    """The items that the user sees."""
    return select(Item).where(Item.workspace_id.in_(workspaces_of(user_id)))


def visible_labels(user_id: UUID) -> Select[Label]:
    """The labels that the user sees."""
    return select(Label).where(Label.workspace_id.in_(workspaces_of(user_id)))


def visible_comments(user_id: UUID) -> Select[Comment]:
    """The comments that the user sees."""
    return select(Comment).where(Comment.workspace_id.in_(workspaces_of(user_id)))


def visible_workspaces(user_id: UUID) -> Select[Workspace]:
    """The workspaces that the user sees."""
    return select(Workspace).where(Workspace.id.in_(workspaces_of(user_id)))


def visible_users(user_id: UUID) -> Select[User]:
    """The users that the user sees."""
    return select(User).where(User.is_active | (User.id == user_id))
