"""Documents: GraphQL documents that the operator trusts

Revision ID: 0007
Revises: 0005
Create Date: 2026-11-24 12:05:17.402931
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "trusted_documents",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trusted_documents")),
    )
    op.create_index(op.f("ix_trusted_documents_name"), "trusted_documents", ["name"], unique=False)
    op.create_index(
        "uq_trusted_documents_published_name",
        "trusted_documents",
        ["name"],
        unique=True,
        postgresql_where=sa.text("published"),
    )
    op.create_table(
        "trusted_documents_version",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trusted_documents_version")),
    )


def downgrade() -> None:
    op.drop_table("trusted_documents_version")
    op.drop_index("uq_trusted_documents_published_name", table_name="trusted_documents")
    op.drop_index(op.f("ix_trusted_documents_name"), table_name="trusted_documents")
    op.drop_table("trusted_documents")
