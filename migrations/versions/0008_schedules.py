"""When each job function last succeeded."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_runs", sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE job_runs SET succeeded_at = finished_at WHERE status = 'complete'")


def downgrade() -> None:
    op.drop_column("job_runs", "succeeded_at")
