"""Audit: who did what

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-24 09:12:40.318204
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

REFUSE = """
create function audit_events_only_grow() returns trigger language plpgsql as $$
begin
    raise exception 'audit events are added, and nothing else' using errcode = 'restrict_violation';
end $$
"""
GUARD = """
create trigger audit_events_only_grow before update or delete or truncate on audit_events
for each statement execute function audit_events_only_grow()
"""


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("as_admin", sa.Boolean(), nullable=False),
        sa.Column("operation", sa.String(length=100), nullable=False),
        sa.Column("resource", sa.String(length=100), nullable=True),
        sa.Column("resource_id", sa.String(length=50), nullable=True),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum("done", "refused", name="outcome", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("problem", sa.String(length=100), nullable=True),
        sa.Column("changed", sa.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audit_events_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(op.f("ix_audit_events_user_id"), "audit_events", ["user_id"], unique=False)
    op.create_index("ix_audit_events_workspace_id", "audit_events", ["workspace_id", "id"], unique=False)
    op.execute(REFUSE)
    op.execute(GUARD)


def downgrade() -> None:
    op.drop_index("ix_audit_events_workspace_id", table_name="audit_events")
    op.drop_index(op.f("ix_audit_events_user_id"), table_name="audit_events")
    op.drop_table("audit_events")
    op.execute("drop function audit_events_only_grow()")
