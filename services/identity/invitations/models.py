from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.workspaces.models import Role
from services.storage.base import Base, Key, enum_column, folded, utc_now


class Invitation(Base):
    """An invitation into a workspace, sent to an address. The holder of the mail may accept it, once."""

    __tablename__ = "invitations"

    id: Mapped[Key]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[Role] = enum_column(Role)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (UniqueConstraint("digest", info={"public": "It is the digest of a random token."}),)


Index(
    "uq_invitations_workspace_id", Invitation.workspace_id, folded(Invitation.email), unique=True,
    info={"fields": ["email"]},
)  # fmt: skip
