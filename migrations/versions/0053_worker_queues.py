"""The queue of each worker, to find workers that have another one than the servers."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None
compatible_with = "0052"


def upgrade() -> None:
    op.add_column("heartbeats", sa.Column("queue", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("heartbeats", "queue")
