"""Sign-ins to the admin pages are sessions that a cookie holds."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("cookie_hash", sa.LargeBinary(), nullable=True))
    op.add_column("sessions", sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True))
    op.create_unique_constraint("uq_sessions_cookie_hash", "sessions", ["cookie_hash"])


def downgrade() -> None:
    op.drop_constraint("uq_sessions_cookie_hash", "sessions")
    op.drop_column("sessions", "proven_at")
    op.drop_column("sessions", "cookie_hash")
