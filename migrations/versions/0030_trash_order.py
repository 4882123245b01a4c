"""The trash in the order in which it is listed: last deleted first."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

TRASHED = sa.text("deleted_at IS NOT NULL")


def order_by(column: str) -> None:
    op.drop_index("ix_tasks_trash", "tasks")
    op.create_index("ix_tasks_trash", "tasks", ["owner_id", column, "id"], postgresql_where=TRASHED)


def upgrade() -> None:
    order_by("deleted_at")


def downgrade() -> None:
    order_by("updated_at")
