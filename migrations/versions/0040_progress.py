"""How many of the subtasks of a task are done: counters that triggers keep."""
# ruff: noqa: S608 -- fixed words

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None
compatible_with = "0039"

# What is in the trash or cancelled does not count. Of an insert there is no old row, of a delete no new one: their
# columns are null then, and so is the parent.
COUNTS = "({row}.deleted_at IS NULL AND {row}.status <> 'cancelled')::int"
DONE = "({row}.deleted_at IS NULL AND {row}.status = 'done')::int"
COUNT = f"""
CREATE FUNCTION tasks_count_subtasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tasks SET subtasks_total = subtasks_total + change.total, subtasks_done = subtasks_done + change.done
    FROM (
        SELECT parent, sum(total)::int AS total, sum(done)::int AS done FROM (VALUES
            (OLD.parent_id, - {COUNTS.format(row="OLD")}, - {DONE.format(row="OLD")}),
            (NEW.parent_id, {COUNTS.format(row="NEW")}, {DONE.format(row="NEW")})
        ) AS part (parent, total, done) GROUP BY parent
    ) AS change
    WHERE tasks.id = change.parent AND (change.total, change.done) <> (0, 0);
    RETURN NULL;
END $$
"""
TRIGGERS = {
    "insert": ("INSERT", "NEW.parent_id IS NOT NULL"),
    "delete": ("DELETE", "OLD.parent_id IS NOT NULL"),
    "update": (
        "UPDATE OF parent_id, deleted_at, status",
        "coalesce(OLD.parent_id, NEW.parent_id) IS NOT NULL"
        " AND (OLD.parent_id, OLD.deleted_at IS NULL, OLD.status)"
        " IS DISTINCT FROM (NEW.parent_id, NEW.deleted_at IS NULL, NEW.status)",
    ),
}
FILL = """
UPDATE tasks SET subtasks_total = total, subtasks_done = done FROM (
    SELECT parent_id AS parent, count(*) AS total, count(*) FILTER (WHERE status = 'done') AS done
    FROM tasks WHERE parent_id IS NOT NULL AND deleted_at IS NULL AND status <> 'cancelled' GROUP BY parent_id
) AS counted WHERE id = parent
"""


def upgrade() -> None:
    op.execute("LOCK TABLE tasks IN SHARE ROW EXCLUSIVE MODE")
    for name in ("subtasks_total", "subtasks_done"):
        op.add_column("tasks", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.execute("ALTER TABLE tasks DISABLE TRIGGER USER")
    op.execute(FILL)
    op.execute("ALTER TABLE tasks ENABLE TRIGGER USER")
    op.execute(COUNT.replace("::", r"\:\:"))
    for name, (event, when) in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER tasks_count_subtasks_{name} AFTER {event} ON tasks"
            f" FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION tasks_count_subtasks()"
        )


def downgrade() -> None:
    for name in TRIGGERS:
        op.execute(f"DROP TRIGGER tasks_count_subtasks_{name} ON tasks")
    op.execute("DROP FUNCTION tasks_count_subtasks()")
    for name in ("subtasks_total", "subtasks_done"):
        op.drop_column("tasks", name)
