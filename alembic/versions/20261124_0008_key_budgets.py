"""Budgets of API keys

Revision ID: 0008
Revises: 0005
Create Date: 2026-11-24 12:00:00.000000
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("budget_per_minute", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_api_keys_budget"), "api_keys", "budget_per_minute > 0")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_api_keys_budget"), "api_keys", type_="check")
    op.drop_column("api_keys", "budget_per_minute")
