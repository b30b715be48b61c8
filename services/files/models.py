"""Files. Their bytes are in the store, under names derived from the row's key alone."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.users.models import User
from services.storage.base import Base, Key, enum_column, utc_now


class FileState(StrEnum):
    """Whether a file can be read yet."""

    PENDING = "pending"
    COMPLETE = "complete"


class File(Base):
    """A file of a workspace. It is announced first, and readable once all its bytes have been received and checked."""

    __tablename__ = "files"

    id: Mapped[Key]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(255))
    size: Mapped[int]
    sha256: Mapped[str | None] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(127))
    state: Mapped[FileState] = enum_column(FileState, default=FileState.PENDING)
    received: Mapped[int] = mapped_column(default=0, server_default="0")
    """Number of bytes in the store."""
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    """Number of the attempt at an upload. Each stores its bytes under names of its own."""
    checked_at: Mapped[datetime | None]
    """When all bytes had been received and checked."""
    lease: Mapped[UUID | None]
    leased_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    completed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        CheckConstraint("octet_length(name) between 1 and 255", "name_length", info={"fields": ["name"]}),
        CheckConstraint("size >= 0", "size", info={"fields": ["size"]}),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", "sha256_form", info={"fields": ["sha256"]}),
        CheckConstraint("(state = 'complete') = (completed_at is not null)", "completed"),
        CheckConstraint("state = 'pending' or (checked_at is not null and sha256 is not null)", "checked"),
        CheckConstraint("received between 0 and size", "received"),
        Index("ix_files_user_id", "user_id", "id"),
        Index("ix_files_state", "state", "created_at"),
    )


# The user model does not import this one. `use_alter`: the two tables refer to each other.
User.__table__.append_constraint(  # type: ignore[attr-defined] # it is a Table
    ForeignKeyConstraint(
        ["avatar_id"], ["files.id"], ondelete="SET NULL", name="fk_users_avatar_id_files", use_alter=True
    )
)
