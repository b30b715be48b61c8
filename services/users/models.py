"""Users as rows."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, String, func, true
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, Timestamps


class User(Timestamps, Base):
    """Somebody with an account."""

    __tablename__ = "users"

    id: Mapped[Key]
    email: Mapped[str] = mapped_column(String(254))
    username: Mapped[str] = mapped_column(String(50))
    full_name: Mapped[str | None] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(255), deferred=True)
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    is_superuser: Mapped[bool] = mapped_column(default=False, server_default="false")

    __table_args__ = (
        CheckConstraint("char_length(username) between 3 and 50", "username_length", info={"fields": ["username"]}),
    )


Index("uq_users_email", func.lower(User.email), unique=True, info={"fields": ["email"]})
Index("uq_users_username", func.lower(User.username), unique=True, info={"fields": ["username"]})
