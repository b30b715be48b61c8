from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, utc_now


class Session(Base):
    """A sign-in on one device. Its tokens are invalid once the row is deleted."""

    __tablename__ = "sessions"

    id: Mapped[Key]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    device: Mapped[str] = mapped_column(String(300))
    address: Mapped[str] = mapped_column(String(45))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    generation: Mapped[int] = mapped_column(default=0)
    refreshed_at: Mapped[datetime | None]
    """When the present generation began; null before the first refresh."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_used_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
