"""The span that enqueues a job, so that the job continues its trace."""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None
compatible_with = "0054"


def upgrade() -> None:
    op.add_column("waiting_jobs", sa.Column("traceparent", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("waiting_jobs", "traceparent")
