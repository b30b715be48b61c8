"""Milestones, on a branch of their own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "milestones1"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = ("milestones",)
depends_on: str | Sequence[str] | None = "0001"


def upgrade() -> None:
    op.create_table(
        "milestones",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column(
            "mood",
            sa.Enum("calm", "tense", name="mood", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("name <> 'doomsday'", name=op.f("ck_milestones_name_hopeful")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_milestones_workspace_id_workspaces"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_milestones")),
    )
    op.create_index(op.f("ix_milestones_workspace_id"), "milestones", ["workspace_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_milestones_workspace_id"), table_name="milestones")
    op.drop_table("milestones")
