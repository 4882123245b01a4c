"""Subtasks, turns that were moved and can be undone, and the right to see and change series."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_tasks_parent_id"), "tasks", "tasks", ["parent_id"], ["id"], ondelete="CASCADE")
    op.create_index(
        "ix_tasks_parent", "tasks", ["parent_id"], unique=False, postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.create_index(
        "ix_series_predecessor",
        "series",
        ["predecessor_id"],
        unique=False,
        postgresql_where=sa.text("predecessor_id IS NOT NULL"),
    )
    op.add_column("occurrences", sa.Column("moved_to", sa.DateTime(timezone=True), nullable=True))
    undo = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    op.add_column("occurrences", sa.Column("undo", undo, nullable=True))
    # Whoever may see or change tasks may do so with what makes them come back.
    for verb in ("view", "change"):
        op.execute(
            f"UPDATE roles SET permissions = array_append(permissions, 'series.{verb}') "  # noqa: S608 -- fixed words
            f"WHERE 'tasks.{verb}' = ANY (permissions) AND NOT 'series.{verb}' = ANY (permissions)"
        )


def downgrade() -> None:
    for verb in ("view", "change"):
        op.execute(f"UPDATE roles SET permissions = array_remove(permissions, 'series.{verb}')")  # noqa: S608 -- fixed
    op.drop_column("occurrences", "undo")
    op.drop_column("occurrences", "moved_to")
    op.drop_index("ix_series_predecessor", table_name="series", postgresql_where=sa.text("predecessor_id IS NOT NULL"))
    op.drop_index("ix_tasks_parent", table_name="tasks", postgresql_where=sa.text("parent_id IS NOT NULL"))
    op.drop_constraint(op.f("fk_tasks_parent_id"), "tasks", type_="foreignkey")
    op.drop_column("tasks", "parent_id")
