"""A dependency ends when the owner of the waiting task no longer sees what it waits for."""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None
compatible_with = "0046"

UNSEEN = """
DELETE FROM dependencies USING tasks AS waiting, tasks AS blocker
WHERE waiting.id = task_id AND blocker.id = blocker_id AND waiting.owner_id <> blocker.owner_id
    AND NOT EXISTS (SELECT FROM project_access
                    WHERE user_id = waiting.owner_id AND project_access.project_id = blocker.project_id)
"""
END_OF_TASK = f"""
CREATE FUNCTION tasks_end_dependencies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {UNSEEN} AND NEW.id IN (task_id, blocker_id);
    RETURN NULL;
END $$
"""
END_OF_ACCESS = f"""
CREATE FUNCTION project_access_end_dependencies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {UNSEEN} AND waiting.owner_id = OLD.user_id AND blocker.project_id = OLD.project_id;
    RETURN NULL;
END $$
"""
# Deferred: who hands a project over has access again when the transaction ends.
TRIGGERS = (
    "CREATE CONSTRAINT TRIGGER tasks_end_dependencies AFTER UPDATE ON tasks"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
    " WHEN ((OLD.project_id, OLD.owner_id) IS DISTINCT FROM (NEW.project_id, NEW.owner_id))"
    " EXECUTE FUNCTION tasks_end_dependencies()",
    "CREATE CONSTRAINT TRIGGER project_access_end_dependencies AFTER DELETE ON project_access"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION project_access_end_dependencies()",
)


def upgrade() -> None:
    op.execute(UNSEEN)
    for statement in (END_OF_TASK, END_OF_ACCESS, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    for table in ("tasks", "project_access"):
        op.execute(f"DROP TRIGGER {table}_end_dependencies ON {table}")
        op.execute(f"DROP FUNCTION {table}_end_dependencies()")
