"""The first answers to writes, as rows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base


class KeptAnswer(Base):
    """The answer to a write that had an idempotency key. It is no resource: only who sends the key again reads it.

    `id` is a digest of who called and the key, `fingerprint` one of what was asked for; `answer` is encrypted,
    and empty where the row stands for a request of several writes, whose answers are kept apart.
    """

    __tablename__ = "idempotency_keys"

    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)
