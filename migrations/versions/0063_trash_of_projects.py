"""Tasks in the trash by project, also those in an inbox: filters by the project of a task ask this index."""

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None
compatible_with = "0062"

COLUMNS = ["project_id", "deleted_at", "id"]


def upgrade() -> None:
    op.drop_index("ix_tasks_project_trash", "tasks")
    op.create_index("ix_tasks_project_trash", "tasks", COLUMNS, postgresql_where=sa.text("deleted_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_tasks_project_trash", "tasks")
    placed = sa.text("deleted_at IS NOT NULL AND project_id <> owner_id")
    op.create_index("ix_tasks_project_trash", "tasks", COLUMNS, postgresql_where=placed)
