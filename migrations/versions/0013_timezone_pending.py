"""Who has changed their time zone, and may have work that has not followed."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PENDING = sa.text("timezone_pending_since IS NOT NULL")


def upgrade() -> None:
    op.add_column("users", sa.Column("timezone_pending_since", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_users_timezone_pending", "users", ["timezone_pending_since"], unique=False, postgresql_where=PENDING
    )
    # The job that followed could lose: everybody's work is computed once more.
    op.execute("""
        UPDATE users SET timezone_pending_since = now() WHERE EXISTS (
            SELECT FROM tasks WHERE owner_id = users.id AND due->>'kind' <> 'zoned'
        ) OR EXISTS (SELECT FROM series WHERE owner_id = users.id AND owner_timezone <> users.timezone)""")


def downgrade() -> None:
    op.drop_index("ix_users_timezone_pending", table_name="users", postgresql_where=PENDING)
    op.drop_column("users", "timezone_pending_since")
