from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, enum_column, utc_now


class Outcome(StrEnum):
    """Whether an operation was carried out."""

    DONE = "done"
    REFUSED = "refused"


class AuditEvent(Base):
    """An operation that was carried out or refused, with its actor, credential and row. Rows are only ever inserted."""

    __tablename__ = "audit_events"

    id: Mapped[Key]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    # No foreign keys from here on: an event outlives the session, key or workspace that it names.
    session_id: Mapped[UUID | None]
    key_id: Mapped[UUID | None]
    as_admin: Mapped[bool]
    operation: Mapped[str] = mapped_column(String(100))
    resource: Mapped[str | None] = mapped_column(String(100))
    resource_id: Mapped[str | None] = mapped_column(String(50))
    workspace_id: Mapped[UUID | None]
    caused_by: Mapped[str | None] = mapped_column(String(50))
    """The identifier of the deleted row whose cascade changed or deleted this one."""
    request_id: Mapped[str | None] = mapped_column(String(128))
    address: Mapped[str | None] = mapped_column(String(45))
    outcome: Mapped[Outcome] = enum_column(Outcome)
    problem: Mapped[str | None] = mapped_column(String(100))
    changed: Mapped[list[str]] = mapped_column(ARRAY(Text))

    __table_args__ = (Index("ix_audit_events_workspace_id", "workspace_id", "id"),)
