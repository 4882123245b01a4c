"""Indexes for the retention of personal access tokens and of background actions."""

from alembic import op
from sqlalchemy import text

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None
compatible_with = "0055"


def upgrade() -> None:
    op.create_index(op.f("ix_admin_runs_updated_at"), "admin_runs", ["updated_at"])
    op.create_index(op.f("ix_personal_tokens_expires_at"), "personal_tokens", ["expires_at"])
    op.create_index(
        "ix_personal_tokens_revoked", "personal_tokens", ["revoked_at"], postgresql_where=text("revoked_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_personal_tokens_revoked", table_name="personal_tokens")
    op.drop_index(op.f("ix_personal_tokens_expires_at"), table_name="personal_tokens")
    op.drop_index(op.f("ix_admin_runs_updated_at"), table_name="admin_runs")
