"""A task belongs to one series at most, and is one open occurrence at most."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OPEN = sa.text("status = 'open'")

REPAIR = (
    # Two changes at once made several series of one task: the one that the task names goes on. Open tasks stay.
    """UPDATE series SET status = 'ended', next_nominal = NULL, next_n = NULL, next_run_at = NULL, updated_at = now(),
        version = series.version + 1
    FROM occurrences JOIN tasks ON tasks.id = task_id AND tasks.series_id <> occurrences.series_id
    JOIN series AS going ON going.id = tasks.series_id AND going.status <> 'ended'
    WHERE series.id = occurrences.series_id AND series.status <> 'ended'""",
    """UPDATE occurrences SET task_id = NULL, undo = NULL, updated_at = now(), version = occurrences.version + 1,
        status = CASE occurrences.status WHEN 'open' THEN 'cancelled' ELSE occurrences.status END,
        closed_at = coalesce(closed_at, now())
    FROM tasks WHERE tasks.id = task_id AND tasks.series_id IS DISTINCT FROM occurrences.series_id""",
    """UPDATE occurrences SET task_id = NULL, undo = NULL, updated_at = now(), version = occurrences.version + 1,
        status = 'cancelled', closed_at = now()
    FROM (
        SELECT occurrences.id, row_number() OVER (
            PARTITION BY task_id ORDER BY nominal IS NOT DISTINCT FROM tasks.occurrence::timestamp DESC, nominal
        ) AS place FROM occurrences JOIN tasks ON tasks.id = task_id WHERE occurrences.status = 'open'
    ) AS numbered WHERE numbered.id = occurrences.id AND place > 1""",
    # A change of "this and following" overtook the deletion of the series: it was to end.
    """UPDATE series SET status = 'ended', next_nominal = NULL, next_n = NULL, next_run_at = NULL, updated_at = now(),
        version = series.version + 1
    FROM occurrences JOIN tasks ON tasks.id = task_id AND tasks.deleted_at IS NOT NULL
    WHERE occurrences.series_id = series.id AND occurrences.status = 'open' AND series.status <> 'ended'""",
    """UPDATE occurrences SET status = 'cancelled', closed_at = now(), undo = NULL, updated_at = now(),
        version = occurrences.version + 1
    FROM tasks WHERE tasks.id = task_id AND tasks.deleted_at IS NOT NULL AND occurrences.status = 'open'""",
    """UPDATE series SET next_run_at = now() WHERE status = 'active' AND next_run_at IS NULL AND NOT EXISTS (
        SELECT FROM occurrences WHERE occurrences.series_id = series.id AND occurrences.status = 'open')""",
)


def upgrade() -> None:
    for statement in REPAIR:
        op.execute(statement)
    op.create_index("uq_occurrences_open_task", "occurrences", ["task_id"], unique=True, postgresql_where=OPEN)
    op.create_index("uq_tasks_series_id_id", "tasks", ["series_id", "id"], unique=True)
    op.drop_index("ix_tasks_series", table_name="tasks")
    op.drop_constraint(op.f("fk_occurrences_task_id"), "occurrences", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_occurrences_task_id_series_id"), "occurrences", "tasks", ["task_id", "series_id"], ["id", "series_id"],
        ondelete="SET NULL (task_id)", deferrable=True, initially="DEFERRED",
    )  # fmt: skip


def downgrade() -> None:
    op.drop_constraint(op.f("fk_occurrences_task_id_series_id"), "occurrences", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_occurrences_task_id"), "occurrences", "tasks", ["task_id"], ["id"],
        ondelete="SET NULL", deferrable=True, initially="DEFERRED",
    )  # fmt: skip
    named = sa.text("series_id IS NOT NULL")
    op.create_index("ix_tasks_series", "tasks", ["series_id"], unique=False, postgresql_where=named)
    op.drop_index("uq_tasks_series_id_id", table_name="tasks")
    op.drop_index("uq_occurrences_open_task", table_name="occurrences", postgresql_where=OPEN)
