"""The request of a background action, by which the audit log knows its changes."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None
compatible_with = "0057"


def upgrade() -> None:
    op.add_column("admin_runs", sa.Column("request_id", sa.String(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("admin_runs", "request_id")
