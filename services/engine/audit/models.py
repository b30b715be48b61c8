"""The audit as rows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, enum_column, utc_now


class Outcome(StrEnum):
    """What came of it."""

    DONE = "done"
    REFUSED = "refused"


class AuditEvent(Base):
    """Something that was done, or refused: by whom, with what, to what. Events are added, and nothing else."""

    __tablename__ = "audit_events"

    id: Mapped[Key]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    # What follows outlives what it names: a session, a key or a workspace may be gone, the event is not.
    session_id: Mapped[UUID | None]
    key_id: Mapped[UUID | None]
    as_admin: Mapped[bool]
    operation: Mapped[str] = mapped_column(String(100))
    resource: Mapped[str | None] = mapped_column(String(100))
    resource_id: Mapped[str | None] = mapped_column(String(50))
    workspace_id: Mapped[UUID | None]
    caused_by: Mapped[str | None] = mapped_column(String(50))
    """Of a row that was changed or deleted because another one was deleted: that one."""
    request_id: Mapped[str | None] = mapped_column(String(128))
    address: Mapped[str | None] = mapped_column(String(45))
    outcome: Mapped[Outcome] = enum_column(Outcome)
    problem: Mapped[str | None] = mapped_column(String(100))
    changed: Mapped[list[str]] = mapped_column(ARRAY(Text))

    __table_args__ = (Index("ix_audit_events_workspace_id", "workspace_id", "id"),)
