"""The tables."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import DateTime, Enum, ForeignKey, String, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class ItemStatus(StrEnum):
    """How far an item has come."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    ARCHIVED = "archived"


def _now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of all models."""

    type_annotation_map = {datetime: DateTime(timezone=True), UUID: Uuid()}


class Timed:
    """What every table has."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid_utils.compat.uuid7)
    created_at: Mapped[datetime] = mapped_column(default=_now)
    updated_at: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)


class User(Timed, Base):
    """Somebody with an account."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(254))
    username: Mapped[str] = mapped_column(String(50))
    full_name: Mapped[str | None] = mapped_column(String(200))
    is_active: Mapped[bool]


class Workspace(Timed, Base):
    """A room that people share."""

    __tablename__ = "workspaces"

    name: Mapped[str] = mapped_column(String(100))
    slug: Mapped[str] = mapped_column(String(80))


class Membership(Base):
    """A user's place in a workspace."""

    __tablename__ = "memberships"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str]


class Label(Timed, Base):
    """A word that items can be marked with."""

    __tablename__ = "labels"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str] = mapped_column(String(50))
    color: Mapped[str] = mapped_column(String(7))


class ItemLabel(Base):
    """A label on an item."""

    __tablename__ = "item_labels"

    item_id: Mapped[UUID] = mapped_column(ForeignKey("items.id"), primary_key=True)
    label_id: Mapped[UUID] = mapped_column(ForeignKey("labels.id"), primary_key=True)
    workspace_id: Mapped[UUID]


class Item(Timed, Base):
    """Something to do."""

    __tablename__ = "items"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[ItemStatus] = mapped_column(
        Enum(ItemStatus, native_enum=False, values_callable=lambda kind: [each.value for each in kind]),
        default=ItemStatus.OPEN,
    )
    priority: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    creator_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("items.id"))
    version: Mapped[int] = mapped_column(default=1)

    creator: Mapped[User] = relationship(foreign_keys=[creator_id], lazy="raise")
    labels: Mapped[list[Label]] = relationship(secondary="item_labels", viewonly=True, lazy="raise")
    comments: Mapped[list[Comment]] = relationship(order_by="Comment.id.desc()", viewonly=True, lazy="raise")


class Comment(Timed, Base):
    """What somebody said about an item."""

    __tablename__ = "comments"

    workspace_id: Mapped[UUID]
    item_id: Mapped[UUID] = mapped_column(ForeignKey("items.id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str] = mapped_column(Text)

    author: Mapped[User] = relationship(lazy="raise")
