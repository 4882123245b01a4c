"""Notifications of shared work: what people did, what is mailed later, and preferences by kind and project."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None
compatible_with = "0043"

# What users who have preferences already get: the defaults of everybody else.
CHANNELS = {
    "assigned": '["app", "email"]',
    "mentioned": '["app", "email"]',
    "commented": '["app"]',
    "completed": '["app"]',
    "projects": "[]",
}
INDEXES = {
    "ix_notifications_comment": ("comment_id", "comment_id IS NOT NULL"),
    "ix_notifications_actor": ("actor_id", "actor_id IS NOT NULL"),
    "ix_notifications_mail": ("mail_at", "mail_waits"),
}


def upgrade() -> None:
    op.create_table(
        "activities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("comment_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("people", ARRAY(sa.Uuid()), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_activities"),
    )
    for name in ("comment_id", "actor_id"):
        op.add_column("notifications", sa.Column(name, sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "fk_notifications_comment_id", "notifications", "comments", ["comment_id"], ["id"], ondelete="CASCADE"
    )
    op.create_foreign_key(
        "fk_notifications_actor_id", "notifications", "users", ["actor_id"], ["id"], ondelete="CASCADE"
    )
    op.add_column("notifications", sa.Column("mail_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "notifications", sa.Column("mail_waits", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    for name, (column, where) in INDEXES.items():
        op.create_index(name, "notifications", [column], postgresql_where=sa.text(where))
    for name, channels in CHANNELS.items():
        default = sa.text(f"'{channels}'")
        op.add_column("notification_preferences", sa.Column(name, JSONB(), server_default=default, nullable=False))


def downgrade() -> None:
    for name in CHANNELS:
        op.drop_column("notification_preferences", name)
    for name in ("mail_waits", "mail_at", "actor_id", "comment_id"):
        op.drop_column("notifications", name)
    op.drop_table("activities")
