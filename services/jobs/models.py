"""Jobs as rows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text  # noqa: TID251 - the condition of an index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, enum_column, utc_now

NOT_DONE: Final = text("state in ('queued', 'running')")


class JobState(StrEnum):
    """How far a job has come."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Job(Base):
    """A job: what is known of it, and what PgQueuer's row of it (`ticket`) stands for.

    This row is the truth. PgQueuer says who may run it when; a row of it whose number is not this ticket is nothing.
    """

    __tablename__ = "jobs"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100))
    state: Mapped[JobState] = enum_column(JobState)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, deferred=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    once: Mapped[str | None] = mapped_column(String(200))
    ticket: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    run_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_jobs_state", "state", "finished_at"),
        Index(
            "uq_jobs_once", "once", unique=True, postgresql_where=NOT_DONE,
            info={"fields": [], "public": "Nobody but the gateway itself gives a job this name."},
        ),
    )  # fmt: skip
