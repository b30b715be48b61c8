"""Files, what they are attached to, and avatars

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-24 16:00:00.000000
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | Sequence[str] | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("media_type", sa.String(length=127), nullable=False),
        sa.Column(
            "state",
            sa.Enum("pending", "complete", name="filestate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(name) between 1 and 255", name=op.f("ck_files_name_length")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_files_size")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_files_sha256_form")),
        sa.CheckConstraint("(state = 'complete') = (completed_at is not null)", name=op.f("ck_files_completed")),
        sa.CheckConstraint(
            "state = 'pending' or (checked_at is not null and sha256 is not null)", name=op.f("ck_files_checked")
        ),
        sa.CheckConstraint("received between 0 and size", name=op.f("ck_files_received")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_files_workspace_id_workspaces"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_files_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_files_workspace_id_id")),
    )
    op.create_index("ix_files_user_id", "files", ["user_id", "id"], unique=False)
    op.create_index("ix_files_state", "files", ["state", "created_at"], unique=False)
    op.add_column("users", sa.Column("avatar_id", sa.Uuid(), nullable=True))
    op.create_index(op.f("ix_users_avatar_id"), "users", ["avatar_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_users_avatar_id_files"), "users", "files", ["avatar_id"], ["id"], ondelete="SET NULL"
    )
    op.create_table(
        "item_files",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "item_id"], ["items.workspace_id", "items.id"], name="fk_item_files_item",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "file_id"], ["files.workspace_id", "files.id"], name="fk_item_files_file",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("item_id", "file_id", name=op.f("pk_item_files")),
    )  # fmt: skip
    op.create_index(op.f("ix_item_files_file_id"), "item_files", ["file_id"], unique=False)
    op.create_unique_constraint(op.f("uq_comments_workspace_id_id"), "comments", ["workspace_id", "id"])
    op.create_table(
        "comment_files",
        sa.Column("comment_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "comment_id"], ["comments.workspace_id", "comments.id"], name="fk_comment_files_comment",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "file_id"], ["files.workspace_id", "files.id"], name="fk_comment_files_file",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("comment_id", "file_id", name=op.f("pk_comment_files")),
    )  # fmt: skip
    op.create_index(op.f("ix_comment_files_file_id"), "comment_files", ["file_id"], unique=False)


def downgrade() -> None:
    op.drop_table("comment_files")
    op.drop_constraint(op.f("uq_comments_workspace_id_id"), "comments", type_="unique")
    op.drop_table("item_files")
    op.drop_column("users", "avatar_id")
    op.drop_table("files")
