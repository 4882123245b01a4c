"""Indexes for every order in which others list the tasks of a project: a large one was read whole for each page."""

from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None
compatible_with = "0045"

DUE = "coalesce(due_at, '9999-12-31 00:00:00+00'::timestamptz)"
OPEN = "status <> 'done' AND status <> 'cancelled' AND "
COLUMNS = {
    "start": "(coalesce(start->>'at', start->>'date', '9999-12-31'))",
    "deadline": "(coalesce(deadline, '9999-12-30'::date))",
    "completed": "(coalesce(completed_at, '1900-01-01 00:00:00+00'::timestamptz))",
    "title": "(lower(left(title, 64)))",
    "status": "status, created_at",
    "open_due": f"({DUE})",
    "open_priority": f"(- priority), ({DUE})",
}


def upgrade() -> None:
    for name, columns in COLUMNS.items():
        where = f"deleted_at IS NULL AND {OPEN if name.startswith('open') else ''}project_id <> owner_id"
        op.execute(
            f"CREATE INDEX ix_tasks_project_{name} ON tasks (project_id, {columns}, id) WHERE {where}".replace(
                ":", r"\:"
            )
        )


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_index(f"ix_tasks_project_{name}", "tasks")
