"""The audit says what a row was changed or deleted with

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-30 13:50:00.000000
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | Sequence[str] | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("audit_events", sa.Column("caused_by", sa.String(length=50), nullable=True))


def downgrade() -> None:
    op.drop_column("audit_events", "caused_by")
