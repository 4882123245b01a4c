"""Sign-ins to the admin pages are sessions that a cookie holds; an operator may act as somebody else in one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("cookie_hash", sa.LargeBinary(), nullable=True))
    op.add_column("sessions", sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sessions", sa.Column("acting_as", sa.Uuid(), nullable=True))
    op.add_column("sessions", sa.Column("acting_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sessions", sa.Column("acting_writes", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("sessions", "acting_writes", server_default=None)
    op.create_foreign_key("fk_sessions_acting_as", "sessions", "users", ["acting_as"], ["id"], ondelete="SET NULL")
    op.create_unique_constraint("uq_sessions_cookie_hash", "sessions", ["cookie_hash"])


def downgrade() -> None:
    op.drop_constraint("uq_sessions_cookie_hash", "sessions")
    for name in ("acting_writes", "acting_until", "acting_as"):
        op.drop_column("sessions", name)
    op.drop_column("sessions", "proven_at")
    op.drop_column("sessions", "cookie_hash")
