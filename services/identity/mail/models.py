from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, enum_column, utc_now


class Purpose(StrEnum):
    """The only purpose for which a token is valid."""

    VERIFY_EMAIL = "verify_email"
    CONFIRM_EMAIL = "confirm_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a purpose


class MailToken(Base):
    """A token that was sent to an address, stored as a digest. Using it deletes the row. It is no resource."""

    __tablename__ = "mail_tokens"

    id: Mapped[Key]
    purpose: Mapped[Purpose] = enum_column(Purpose)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (UniqueConstraint("digest", info={"public": "It is the digest of a random token."}),)
