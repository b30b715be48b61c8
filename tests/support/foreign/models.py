"""Milestones as rows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, Timestamps, enum_column


class Mood(StrEnum):
    """How it looks."""

    CALM = "calm"
    TENSE = "tense"


class Milestone(Timestamps, Base):
    """A day to have something done by."""

    __tablename__ = "milestones"

    id: Mapped[Key]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(50))
    mood: Mapped[Mood] = enum_column(Mood)
    reached_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("name <> 'doomsday'", "name_hopeful", info={"fields": ["name"]}),)
