from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, utc_now

_RANDOM = "It is the hash of a random secret."


class ApiKey(Base):
    """A credential for a program. It acts as its user: everywhere, or in one workspace only."""

    __tablename__ = "api_keys"

    id: Mapped[Key]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    hint: Mapped[str] = mapped_column(String(20))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text))
    secret_hash: Mapped[bytes] = mapped_column(deferred=True)
    previous_hash: Mapped[bytes | None] = mapped_column(deferred=True)
    """Hash of the secret before the last rotation, which is valid until `previous_until`."""
    previous_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    rotated_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    budget_per_minute: Mapped[int | None]
    """Points out of the user's budget."""

    __table_args__ = (
        UniqueConstraint("secret_hash", info={"public": _RANDOM}),
        UniqueConstraint("previous_hash", info={"public": _RANDOM}),
        CheckConstraint("char_length(name) between 1 and 100", "name_length", info={"fields": ["name"]}),
        CheckConstraint("budget_per_minute > 0", "budget", info={"fields": ["budget_per_minute"]}),
        CheckConstraint("(previous_hash is null) = (previous_until is null)", "previous"),
    )
