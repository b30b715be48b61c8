"""Indexes of lists below a row, in the order that they are read in

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-24 08:58:00.000000
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COLUMNS = {"items": ["creator_id", "assignee_id", "parent_id"], "comments": ["author_id"]}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.drop_index(f"ix_{table}_{column}", table_name=table)
            op.create_index(f"ix_{table}_{column}", table, [column, "id"])


def downgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.drop_index(f"ix_{table}_{column}", table_name=table)
            op.create_index(f"ix_{table}_{column}", table, [column])
