from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, Timestamps, enum_column, search_vector, within_workspace


class ItemStatus(StrEnum):
    """The state of an item."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    ARCHIVED = "archived"


class Item(Timestamps, Base):
    """A task. The items of a workspace form a tree."""

    __tablename__ = "items"

    id: Mapped[Key]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[ItemStatus] = enum_column(ItemStatus, default=ItemStatus.OPEN)
    priority: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    creator_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    parent_id: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(default=1)
    search_vector: Mapped[Any] = search_vector("title", "description")

    __mapper_args__ = {"eager_defaults": False, "version_id_col": version}
    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        # The tree stays within its workspace; children of a deleted item become roots.
        within_workspace("parent_id", "items.id", "fk_items_parent", ondelete="SET NULL (parent_id)"),
        # Only members can be assignees; leaving the workspace clears the assignment.
        within_workspace("assignee_id", "memberships.user_id", "fk_items_assignee", ondelete="SET NULL (assignee_id)"),
        CheckConstraint("char_length(title) between 1 and 200", "title_length", info={"fields": ["title"]}),
        CheckConstraint("priority between 0 and 4", "priority_range", info={"fields": ["priority"]}),
        CheckConstraint("parent_id <> id", "not_own_parent", info={"fields": ["parent_id"]}),
        # The key comes last, since related lists are ordered by it.
        Index("ix_items_creator_id", "creator_id", "id"),
        Index("ix_items_assignee_id", "assignee_id", "id"),
        Index("ix_items_parent_id", "parent_id", "id"),
        Index("ix_items_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index("ix_items_search_vector", "search_vector", postgresql_using="gin"),
    )  # fmt: skip


class ItemLabel(Base):
    """A label on an item, both of the same workspace."""

    __tablename__ = "item_labels"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    label_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    workspace_id: Mapped[UUID]

    __table_args__ = (
        within_workspace("item_id", "items.id", "fk_item_labels_item", told=False),
        within_workspace("label_id", "labels.id", "fk_item_labels_label"),
    )


class ItemFile(Base):
    """A file attached to an item, both of the same workspace."""

    __tablename__ = "item_files"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    file_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    workspace_id: Mapped[UUID]

    __table_args__ = (
        within_workspace("item_id", "items.id", "fk_item_files_item", told=False),
        within_workspace("file_id", "files.id", "fk_item_files_file"),
    )
