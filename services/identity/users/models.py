from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, true
from sqlalchemy.orm import Mapped, column_property, mapped_column

from services.storage.base import Base, Key, Timestamps, folded


class User(Timestamps, Base):
    """A person with an account."""

    __tablename__ = "users"

    id: Mapped[Key]
    email: Mapped[str] = mapped_column(String(254))
    username: Mapped[str] = mapped_column(String(50))
    full_name: Mapped[str | None] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(255), deferred=True)
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    is_superuser: Mapped[bool] = mapped_column(default=False, server_default="false")
    email_verified_at: Mapped[datetime | None] = mapped_column()
    avatar_id: Mapped[UUID | None] = mapped_column(index=True)
    """A file. The foreign key is added by services/files, which is an optional module."""

    email_verified: Mapped[bool] = column_property(email_verified_at.is_not(None))

    __table_args__ = (
        CheckConstraint("char_length(username) between 3 and 50", "username_length", info={"fields": ["username"]}),
    )


# A uniqueness error reveals that a row exists. `public` gives the reason why that is acceptable.
Index(
    "uq_users_email", folded(User.email), unique=True,
    info={"fields": ["email"], "public": "Who signs up must learn that the address has an account already."},
)  # fmt: skip
Index(
    "uq_users_username", folded(User.username), unique=True,
    info={"fields": ["username"], "public": "User names are shown to every user, to be invited by."},
)  # fmt: skip
