from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base


class StoredAnswer(Base):
    """The stored answer to a write with an idempotency key. It is read by sending the key again, not as a resource.

    `id` is a digest of the caller and the key, `fingerprint` a digest of the request. `answer` is encrypted; it is
    empty in the row of a request that makes several writes, each of which has a row of its own.
    """

    __tablename__ = "idempotency_keys"

    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)
