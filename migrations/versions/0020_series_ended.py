"""Notifications of series that have come to their end."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WAITING = sa.text("end_notice_at IS NOT NULL")
IN_APP = sa.text("""'["app"]'""")


def upgrade() -> None:
    op.add_column("series", sa.Column("end_notice_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_series_end_notice", "series", ["end_notice_at"], unique=False, postgresql_where=WAITING)
    channels = sa.Column("series_ended", postgresql.JSONB(), nullable=False, server_default=IN_APP)
    op.add_column("notification_preferences", channels)
    op.alter_column("notification_preferences", "series_ended", server_default=None)


def downgrade() -> None:
    op.execute("DELETE FROM notifications WHERE kind = 'series_ended'")
    op.drop_column("notification_preferences", "series_ended")
    op.drop_index("ix_series_end_notice", table_name="series", postgresql_where=WAITING)
    op.drop_column("series", "end_notice_at")
