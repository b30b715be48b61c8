from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, SmallInteger, String, Text, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, utc_now


class TrustedDocument(Base):
    """A GraphQL document that the operator has registered, under an identifier that the client's tools have chosen."""

    __tablename__ = "trusted_documents"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    """The SHA-256 of the text in lower-case hexadecimal."""
    name: Mapped[str | None] = mapped_column(String(255), index=True)
    """The name of its operation."""
    kind: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        Index("uq_trusted_documents_published_name", "name", unique=True, postgresql_where=literal_column("published")),
    )


class DocumentsVersion(Base):
    """A single row, whose number is incremented by every change of the trusted documents.

    A change locks the row, so that changes are serialised; workers read the number to detect changes.
    """

    __tablename__ = "trusted_documents_version"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
