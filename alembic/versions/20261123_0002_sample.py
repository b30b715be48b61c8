"""Sample: labels, items, comments

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-23 13:30:19.909967
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "labels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("color", sa.String(length=7), server_default="#808080", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("color ~ '^#[0-9a-f]{6}$'", name=op.f("ck_labels_color_form")),
        sa.CheckConstraint("char_length(name) between 1 and 50", name=op.f("ck_labels_name_length")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_labels_workspace_id_workspaces"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_labels_workspace_id_id")),
    )
    op.create_index(
        "uq_labels_workspace_id_name", "labels", ["workspace_id", sa.literal_column("lower(name)")], unique=True
    )
    op.create_table(
        "items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "in_progress",
                "done",
                "archived",
                name="itemstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("creator_id", sa.Uuid(), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('english', coalesce(title, '')), 'A') || setweight(to_tsvector('english', coalesce(description, '')), 'B')",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("char_length(title) between 1 and 200", name=op.f("ck_items_title_length")),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_items_not_own_parent")),
        sa.CheckConstraint("priority between 0 and 4", name=op.f("ck_items_priority_range")),
        sa.ForeignKeyConstraint(["assignee_id"], ["users.id"], name=op.f("fk_items_assignee_id_users")),
        sa.ForeignKeyConstraint(["creator_id"], ["users.id"], name=op.f("fk_items_creator_id_users")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "assignee_id"],
            ["memberships.workspace_id", "memberships.user_id"],
            name="fk_items_assignee",
            ondelete="SET NULL (assignee_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "parent_id"],
            ["items.workspace_id", "items.id"],
            name="fk_items_parent",
            ondelete="SET NULL (parent_id)",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_items_workspace_id_workspaces"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
        sa.UniqueConstraint("workspace_id", "id", name=op.f("uq_items_workspace_id_id")),
    )
    op.create_index(op.f("ix_items_assignee_id"), "items", ["assignee_id"], unique=False)
    op.create_index(op.f("ix_items_creator_id"), "items", ["creator_id"], unique=False)
    op.create_index(op.f("ix_items_parent_id"), "items", ["parent_id"], unique=False)
    op.create_index("ix_items_search_vector", "items", ["search_vector"], unique=False, postgresql_using="gin")
    op.create_index("ix_items_workspace_id_created_at", "items", ["workspace_id", "created_at", "id"], unique=False)
    op.create_table(
        "comments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "search_vector",
            postgresql.TSVECTOR(),
            sa.Computed("setweight(to_tsvector('english', coalesce(body, '')), 'A')", persisted=True),
            nullable=True,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("char_length(body) between 1 and 10000", name=op.f("ck_comments_body_length")),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_comments_author_id_users")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "item_id"], ["items.workspace_id", "items.id"], name="fk_comments_item", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    op.create_index(op.f("ix_comments_author_id"), "comments", ["author_id"], unique=False)
    op.create_index("ix_comments_item_id", "comments", ["item_id", "id"], unique=False)
    op.create_index("ix_comments_search_vector", "comments", ["search_vector"], unique=False, postgresql_using="gin")
    op.create_index("ix_comments_workspace_id", "comments", ["workspace_id", "id"], unique=False)
    op.create_table(
        "item_labels",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("label_id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "item_id"],
            ["items.workspace_id", "items.id"],
            name="fk_item_labels_item",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "label_id"],
            ["labels.workspace_id", "labels.id"],
            name="fk_item_labels_label",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("item_id", "label_id", name=op.f("pk_item_labels")),
    )
    op.create_index(op.f("ix_item_labels_label_id"), "item_labels", ["label_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_item_labels_label_id"), table_name="item_labels")
    op.drop_table("item_labels")
    op.drop_index("ix_comments_workspace_id", table_name="comments")
    op.drop_index("ix_comments_search_vector", table_name="comments", postgresql_using="gin")
    op.drop_index("ix_comments_item_id", table_name="comments")
    op.drop_index(op.f("ix_comments_author_id"), table_name="comments")
    op.drop_table("comments")
    op.drop_index("ix_items_workspace_id_created_at", table_name="items")
    op.drop_index("ix_items_search_vector", table_name="items", postgresql_using="gin")
    op.drop_index(op.f("ix_items_parent_id"), table_name="items")
    op.drop_index(op.f("ix_items_creator_id"), table_name="items")
    op.drop_index(op.f("ix_items_assignee_id"), table_name="items")
    op.drop_table("items")
    op.drop_index("uq_labels_workspace_id_name", table_name="labels")
    op.drop_table("labels")
