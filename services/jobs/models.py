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
    """State of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Job(Base):
    """A job. `ticket` is the id of its row in PgQueuer's queue.

    This row is authoritative. PgQueuer schedules which worker runs it when; a PgQueuer row that is not the `ticket` of
    its job is ignored.
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
            info={"fields": [], "public": "Only the gateway itself chooses this name."},
        ),
    )  # fmt: skip
