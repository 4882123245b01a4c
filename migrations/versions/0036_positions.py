"""The order that people give tasks by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

KEY = sa.text("(coalesce(position, 'U' || replace(CAST(id AS text), '-', '')))")  # by bytes, as the column


def upgrade() -> None:
    op.add_column("tasks", sa.Column("position", sa.Text(collation="C"), nullable=True))
    op.create_index(
        "ix_tasks_project_position", "tasks", ["project_id", KEY, "id"], postgresql_where=sa.text("deleted_at IS NULL")
    )
    op.drop_index("ix_tasks_section", "tasks")
    op.create_index(
        "ix_tasks_section", "tasks", ["section_id", KEY, "id"], postgresql_where=sa.text("section_id IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_column("tasks", "position")
    op.create_index(
        "ix_tasks_section", "tasks", ["section_id", "created_at", "id"],
        postgresql_where=sa.text("section_id IS NOT NULL"),
    )  # fmt: skip
