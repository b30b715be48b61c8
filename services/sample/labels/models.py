from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.storage.base import Base, Key, Timestamps, folded


class Label(Timestamps, Base):
    """A label for the items of a workspace."""

    __tablename__ = "labels"

    id: Mapped[Key]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(50))
    color: Mapped[str] = mapped_column(String(7), server_default="#808080")

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        CheckConstraint("char_length(name) between 1 and 50", "name_length", info={"fields": ["name"]}),
        CheckConstraint("color ~ '^#[0-9a-f]{6}$'", "color_form", info={"fields": ["color"]}),
    )


Index("uq_labels_workspace_id_name", Label.workspace_id, folded(Label.name), unique=True, info={"fields": ["name"]})
