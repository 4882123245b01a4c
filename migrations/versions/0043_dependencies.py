"""Tasks that wait for others, and projects in which these must be done first."""
# ruff: noqa: S608 -- fixed words

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None
compatible_with = "0042"

IS_OPEN = "{0}.deleted_at IS NULL AND {0}.status NOT IN ('done', 'cancelled')"
# The waiting tasks are locked before it is found out what they wait for: of two blockers that are closed at once, the
# second one sees the first.
UPDATE = f"""
CREATE FUNCTION update_blocked(waiting uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM tasks WHERE id = ANY(waiting) ORDER BY id FOR NO KEY UPDATE;
    UPDATE tasks SET blocked = NOT blocked WHERE id = ANY(waiting) AND blocked <> EXISTS (
        SELECT FROM dependencies JOIN tasks AS blocker ON blocker.id = blocker_id
        WHERE task_id = tasks.id AND {IS_OPEN.format("blocker")});
END $$
"""
WAITS_FOR = """
CREATE FUNCTION waits_for(task uuid, other uuid) RETURNS boolean STABLE LANGUAGE sql AS $$
    WITH RECURSIVE blockers AS (
        SELECT blocker_id FROM dependencies WHERE task_id = task
        UNION SELECT dependencies.blocker_id FROM dependencies JOIN blockers ON task_id = blockers.blocker_id
    )
    SELECT EXISTS (SELECT FROM blockers WHERE blocker_id = other)
$$
"""
FOLLOW_BLOCKER = """
CREATE FUNCTION tasks_update_blocked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    waiting uuid[] = ARRAY(SELECT task_id FROM dependencies WHERE blocker_id = NEW.id);
BEGIN
    IF waiting <> '{}' THEN
        PERFORM update_blocked(waiting);
    END IF;
    RETURN NULL;
END $$
"""
FOLLOW_DEPENDENCY = """
CREATE FUNCTION dependencies_update_blocked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM update_blocked(ARRAY[OLD.task_id]);
        RETURN NULL;
    END IF;
    PERFORM 1 FROM tasks WHERE id = NEW.blocker_id FOR SHARE;
    PERFORM update_blocked(ARRAY[NEW.task_id]);
    IF (SELECT count(*) FROM dependencies WHERE task_id = NEW.task_id) > 50 THEN
        RAISE EXCEPTION 'A task can wait for 50 others.' USING ERRCODE = 'LIMIT';
    END IF;
    RETURN NULL;
END $$
"""
# One transaction after another, of all that have added some: until it is committed, each sees what was before it. Who
# comes second tries again, and finds the cycle.
REFUSE_CYCLE = """
CREATE FUNCTION dependencies_refuse_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('dependencies', 0));
    IF waits_for(NEW.blocker_id, NEW.task_id) THEN
        RAISE EXCEPTION 'a task would wait for itself' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$
"""
REFUSE_BLOCKED = """
CREATE FUNCTION tasks_refuse_blocked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM tasks JOIN projects ON projects.id = project_id
        WHERE tasks.id = NEW.id AND blocked AND status = 'done' AND enforce_dependencies
    ) THEN
        RAISE EXCEPTION 'a blocked task would be done' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$
"""
FUNCTIONS = {
    "update_blocked(uuid[])": UPDATE,
    "waits_for(uuid, uuid)": WAITS_FOR,
    "tasks_update_blocked()": FOLLOW_BLOCKER,
    "dependencies_update_blocked()": FOLLOW_DEPENDENCY,
    "dependencies_refuse_cycle()": REFUSE_CYCLE,
    "tasks_refuse_blocked()": REFUSE_BLOCKED,
}
TRIGGERS = (
    "CREATE TRIGGER tasks_update_blocked AFTER UPDATE OF status, deleted_at ON tasks FOR EACH ROW"
    f" WHEN (({IS_OPEN.format('OLD')}) <> ({IS_OPEN.format('NEW')})) EXECUTE FUNCTION tasks_update_blocked()",
    "CREATE TRIGGER dependencies_update_blocked AFTER INSERT OR DELETE ON dependencies FOR EACH ROW"
    " EXECUTE FUNCTION dependencies_update_blocked()",
    "CREATE CONSTRAINT TRIGGER dependencies_refuse_cycle AFTER INSERT ON dependencies"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dependencies_refuse_cycle()",
    "CREATE CONSTRAINT TRIGGER tasks_refuse_blocked AFTER UPDATE OF status ON tasks"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
    " WHEN (NEW.blocked AND NEW.status = 'done' AND OLD.status <> 'done') EXECUTE FUNCTION tasks_refuse_blocked()",
)


def upgrade() -> None:
    op.create_table(
        "dependencies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("blocker_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("task_id <> blocker_id", op.f("ck_dependencies_blocker")),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], "fk_dependencies_task_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["blocker_id"], ["tasks.id"], "fk_dependencies_blocker_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_dependencies"),
    )
    op.create_index("uq_dependencies_task_blocker", "dependencies", ["task_id", "blocker_id"], unique=True)
    op.create_index("ix_dependencies_blocker", "dependencies", ["blocker_id"])
    for table, name in (("tasks", "blocked"), ("projects", "enforce_dependencies")):
        op.add_column(table, sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    where = sa.text("blocked AND deleted_at IS NULL")
    op.create_index("ix_tasks_blocked", "tasks", ["owner_id", "created_at", "id"], postgresql_where=where)
    op.create_index("ix_tasks_project_blocked", "tasks", ["project_id", "created_at", "id"], postgresql_where=where)
    for statement in (*FUNCTIONS.values(), *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER tasks_update_blocked ON tasks")
    op.execute("DROP TRIGGER tasks_refuse_blocked ON tasks")
    op.drop_table("dependencies")
    op.drop_column("tasks", "blocked")
    op.drop_column("projects", "enforce_dependencies")
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}")
