from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, Timestamps, search_vector, within_workspace


class Comment(Timestamps, Base):
    """A comment of a user on an item."""

    __tablename__ = "comments"

    id: Mapped[Key]
    workspace_id: Mapped[UUID]
    item_id: Mapped[UUID]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str] = mapped_column(Text)
    search_vector: Mapped[Any] = search_vector("body")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        within_workspace("item_id", "items.id", "fk_comments_item"),
        CheckConstraint("char_length(body) between 1 and 10000", "body_length", info={"fields": ["body"]}),
        Index("ix_comments_author_id", "author_id", "id"),
        Index("ix_comments_item_id", "item_id", "id"),
        Index("ix_comments_workspace_id", "workspace_id", "id"),
        Index("ix_comments_search_vector", "search_vector", postgresql_using="gin"),
    )  # fmt: skip


class CommentFile(Base):
    """A file attached to a comment, both of the same workspace."""

    __tablename__ = "comment_files"

    comment_id: Mapped[UUID] = mapped_column(primary_key=True)
    file_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    workspace_id: Mapped[UUID]

    __table_args__ = (
        within_workspace("comment_id", "comments.id", "fk_comment_files_comment", told=False),
        within_workspace("file_id", "files.id", "fk_comment_files_file"),
    )
