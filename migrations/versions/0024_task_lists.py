"""When a task is late, and an index for every order of a list; some that only operators used are gone.

An order of ours is the expression of its index, so these stand here as they are in the models.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

DUE = "coalesce(due_at, '9999-12-31 00:00:00+00'::timestamptz)"
HERE, TRASHED = "deleted_at IS NULL", "deleted_at IS NOT NULL"
OPEN = f"{HERE} AND status <> 'done' AND status <> 'cancelled'"
RARE = f"{HERE} AND status <> 'open' AND status <> 'done'"
NEW = {
    "ix_tasks_start": ("owner_id, (coalesce(start->>'at', start->>'date', '9999-12-31')), id", HERE),
    "ix_tasks_deadline": ("owner_id, (coalesce(deadline, '9999-12-30'::date)), id", HERE),
    "ix_tasks_completed": ("owner_id, (coalesce(completed_at, '1900-01-01 00:00:00+00'::timestamptz)), id", HERE),
    "ix_tasks_title": ("owner_id, (lower(left(title, 64))), id", HERE),
    "ix_tasks_priority": (f"owner_id, (- priority), {DUE}, id", HERE),
    "ix_tasks_open_due": (f"owner_id, {DUE}, id", OPEN),
    "ix_tasks_open_priority": (f"owner_id, (- priority), {DUE}, id", OPEN),
    "ix_tasks_all_status": ("status, id", RARE),
}
OLD = {
    "ix_tasks_priority": ("owner_id, priority, id", HERE),
    "ix_tasks_all_updated": ("updated_at, id", HERE),
    "ix_tasks_all_status": ("status, id", HERE),
}
# In the hour that clocks repeat, the first midnight counts.
END = "((due->>'date')::date + 1)::timestamp"
OVERDUE_AT = f"""CASE WHEN due->>'kind' = 'day' AND due->>'date' <> '9999-12-31' THEN least(
    {END} AT TIME ZONE users.timezone, ({END} - interval '1 hour') AT TIME ZONE users.timezone + interval '1 hour'
) ELSE due_at END"""


def create(name: str, columns: str, where: str) -> None:
    op.execute(f"CREATE INDEX {name} ON tasks ({columns}) WHERE {where}")


def upgrade() -> None:
    op.add_column("tasks", sa.Column("overdue_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        f"UPDATE tasks SET overdue_at = {OVERDUE_AT} FROM users WHERE users.id = owner_id AND due_at IS NOT NULL"  # noqa: S608 -- fixed words
    )
    op.create_check_constraint(op.f("ck_tasks_overdue_at"), "tasks", "(due_at IS NULL) = (overdue_at IS NULL)")
    for name in (*OLD, "ix_tasks_notes_trigrams"):
        op.drop_index(name, "tasks")
    for name, (columns, where) in NEW.items():
        create(name, columns, where)


def downgrade() -> None:
    for name in NEW:
        op.drop_index(name, "tasks")
    for name, (columns, where) in OLD.items():
        create(name, columns, where)
    op.execute("CREATE INDEX ix_tasks_notes_trigrams ON tasks USING gin (notes gin_trgm_ops)")
    op.drop_constraint(op.f("ck_tasks_overdue_at"), "tasks")
    op.drop_column("tasks", "overdue_at")
