from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, column_property, mapped_column

from services.storage.base import Base, Key, Timestamps, enum_column, utc_now


class Role(StrEnum):
    """The rights of a member: viewers read, editors also write, owners also manage members."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class Workspace(Timestamps, Base):
    """A space that users share. Everything in it is visible to its members only."""

    __tablename__ = "workspaces"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100))
    slug: Mapped[str] = mapped_column(String(80))
    personal_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))

    is_personal: Mapped[bool] = column_property(personal_user_id.is_not(None))

    __table_args__ = (
        # A uniqueness error reveals that a row exists. `public` gives the reason why that is acceptable.
        UniqueConstraint(
            "slug",
            info={"fields": ["slug"], "public": "Slugs make addresses, so they are taken or free for everybody."},
        ),
        UniqueConstraint(
            "personal_user_id", info={"public": "It is not chosen: it is written once, when an account is created."}
        ),
        CheckConstraint("char_length(name) between 1 and 100", "name_length", info={"fields": ["name"]}),
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", "slug_form", info={"fields": ["slug"]}),
    )


class Membership(Base):
    """A user's membership in a workspace, with their role."""

    __tablename__ = "memberships"

    id: Mapped[Key]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = enum_column(Role)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (UniqueConstraint("workspace_id", "user_id", info={"fields": ["username"]}),)
