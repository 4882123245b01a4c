"""Imports at the command line, which belong to no user."""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None
compatible_with = "0060"


def upgrade() -> None:
    op.alter_column("admin_runs", "actor_id", existing_type=sa.Uuid(), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM admin_runs WHERE actor_id IS NULL")
    op.alter_column("admin_runs", "actor_id", existing_type=sa.Uuid(), nullable=False)
