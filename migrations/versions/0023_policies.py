"""Occurrences that are due in a pause are `paused`, and what passes while one is open is missed whatever `opens` says.

The worker evaluates once the series that waited for their open occurrence to be closed.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE series SET next_run_at = now()"
        " WHERE status = 'active' AND next_original_start IS NOT NULL AND next_run_at IS NULL"
    )


def downgrade() -> None:
    op.execute("UPDATE occurrences SET status = 'missed' WHERE status = 'paused'")
