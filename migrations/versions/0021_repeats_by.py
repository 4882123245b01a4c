"""Series of tasks without due repeat by their start."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("series", sa.Column("repeats_by", sa.String(), nullable=False, server_default="due"))


def downgrade() -> None:
    op.drop_column("series", "repeats_by")
