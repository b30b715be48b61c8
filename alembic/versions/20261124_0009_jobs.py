"""Jobs: what is done in the background, and PgQueuer's queue

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-24 14:45:00.000000
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from services.jobs.names import INSTALL, UNINSTALL

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Where a later release of PgQueuer wants other tables (tests/services/jobs/test_tables.py tells), a later migration
    # has to bring those that this one has made up to them.
    _run(INSTALL)
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "succeeded",
                "failed",
                name="jobstate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("once", sa.String(length=200), nullable=True),
        sa.Column("ticket", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_jobs_user_id_users"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_created_at"), "jobs", ["created_at"], unique=False)
    op.create_index(op.f("ix_jobs_user_id"), "jobs", ["user_id"], unique=False)
    op.create_index("ix_jobs_state", "jobs", ["state", "finished_at"], unique=False)
    op.create_index(
        "uq_jobs_once", "jobs", ["once"], unique=True, postgresql_where=sa.text("state in ('queued', 'running')")
    )


def downgrade() -> None:
    op.drop_table("jobs")
    _run(UNINSTALL)


def _run(script: str) -> None:
    """Several statements at once, which asyncpg takes only past SQLAlchemy."""
    if context.is_offline_mode():
        op.execute(script)
        return
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))
