"""Indexes for what is deleted when it has expired."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PARTIAL = [
    ("ix_sessions_revoked", "sessions", "revoked_at", "revoked_at IS NOT NULL"),
    ("ix_notifications_read", "notifications", "read_at", "read_at IS NOT NULL"),
    ("ix_notifications_mailed", "notifications", "created_at", "NOT in_app AND read_at IS NULL"),
    ("ix_outbox_ended", "outbox", "coalesce(done_at, failed_at)", "coalesce(done_at, failed_at) IS NOT NULL"),
    ("ix_mails_ended", "mails", "coalesce(sent_at, failed_at)", "coalesce(sent_at, failed_at) IS NOT NULL"),
]
WHOLE = [
    ("ix_sessions_expires_at", "sessions", "expires_at"),
    ("ix_refresh_tokens_expires_at", "refresh_tokens", "expires_at"),
    ("ix_mail_tokens_expires_at", "mail_tokens", "expires_at"),
    ("ix_invitations_expires_at", "invitations", "expires_at"),
    ("ix_notifications_created", "notifications", "created_at"),
]


def upgrade() -> None:
    for name, table, expression, condition in PARTIAL:
        op.create_index(name, table, [sa.text(expression)], unique=False, postgresql_where=sa.text(condition))
    for name, table, column in WHOLE:
        op.create_index(name, table, [column], unique=False)


def downgrade() -> None:
    for name, table, *_ in [*WHOLE, *PARTIAL]:
        op.drop_index(name, table_name=table)
