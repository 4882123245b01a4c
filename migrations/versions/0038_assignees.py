"""Assignees of tasks, who have access to the project: triggers end what somebody without access is assigned to."""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None
compatible_with = "0037"

KEYS = """
CREATE FUNCTION assignee_keys(place uuid, people uuid[]) RETURNS text[] IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT coalesce(array_agg(place::text || person::text), '{}') FROM unnest(people) AS person
$$
"""
# The access of those who stay is locked, so that who is about to lose it is seen to lose it.
WITH_ACCESS = """
CREATE FUNCTION with_access(people uuid[], place uuid) RETURNS uuid[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM project_access WHERE project_id = place AND user_id = ANY(people) ORDER BY user_id FOR KEY SHARE;
    RETURN ARRAY(
        SELECT person FROM unnest(people) AS person
        WHERE EXISTS (SELECT FROM project_access WHERE project_id = place AND user_id = person)
            OR EXISTS (SELECT FROM projects WHERE id = place AND owner_id = person)
        ORDER BY person);
END $$
"""
TASKS = """
CREATE FUNCTION tasks_keep_assignees() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.assignee_ids = with_access(NEW.assignee_ids, NEW.project_id);
    RETURN NEW;
END $$
"""
SERIES = """
CREATE FUNCTION series_keep_assignees() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.template = jsonb_set(NEW.template, '{assignee_ids}', to_jsonb(with_access(
        ARRAY(SELECT jsonb_array_elements_text(NEW.template -> 'assignee_ids'))::uuid[], NEW.project_id)));
    RETURN NEW;
END $$
"""
END_ASSIGNMENTS = """
CREATE FUNCTION project_access_end_assignments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM projects WHERE id = OLD.project_id AND owner_id = OLD.user_id) THEN
        UPDATE tasks SET assignee_ids = array_remove(assignee_ids, OLD.user_id), updated_at = clock_timestamp(),
            version = version + 1
        WHERE project_id = OLD.project_id AND assignee_ids <> '{}'
            AND assignee_keys(owner_id, assignee_ids) || assignee_keys(project_id, assignee_ids)
                @> assignee_keys(OLD.project_id, ARRAY[OLD.user_id]);
        UPDATE series SET template = jsonb_set(
                template, '{assignee_ids}', (template -> 'assignee_ids') - OLD.user_id::text
            ), updated_at = clock_timestamp(), version = version + 1
        WHERE project_id = OLD.project_id AND template -> 'assignee_ids' ? OLD.user_id::text;
    END IF;
    RETURN NULL;
END $$
"""
ANY_OF_TASK, ANY_OF_SERIES = "NEW.assignee_ids <> '{}'", "NEW.template -> 'assignee_ids' <> '[]'"


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN assignee_ids uuid[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE tasks ADD CONSTRAINT ck_tasks_assignee_ids CHECK (cardinality(assignee_ids) <= 20)")
    for function in (KEYS, WITH_ACCESS, TASKS, SERIES, END_ASSIGNMENTS):
        op.execute(function.replace("::", r"\:\:"))
    op.execute(
        "CREATE INDEX ix_tasks_assignees ON tasks USING gin"
        " ((assignee_keys(owner_id, assignee_ids) || assignee_keys(project_id, assignee_ids)))"
        " WHERE assignee_ids <> '{}'"
    )
    op.execute("CREATE INDEX ix_tasks_all_assignees ON tasks USING gin (assignee_ids) WHERE assignee_ids <> '{}'")
    for table, column, are_there in (
        ("tasks", "assignee_ids", ANY_OF_TASK),
        ("series", "template", ANY_OF_SERIES),
    ):
        changed = f"(OLD.project_id, OLD.{column}) IS DISTINCT FROM (NEW.project_id, NEW.{column})"
        for name, event, when in (
            ("insert", "INSERT", are_there),
            ("update", f"UPDATE OF project_id, {column}", f"{are_there} AND {changed}"),
        ):
            op.execute(
                f"CREATE TRIGGER {table}_keep_assignees_{name} BEFORE {event} ON {table}"
                f" FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {table}_keep_assignees()"
            )
    op.execute(
        "CREATE TRIGGER project_access_end_assignments AFTER DELETE ON project_access"
        " FOR EACH ROW EXECUTE FUNCTION project_access_end_assignments()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER project_access_end_assignments ON project_access")
    for table in ("tasks", "series"):
        for name in ("insert", "update"):
            op.execute(f"DROP TRIGGER {table}_keep_assignees_{name} ON {table}")
    op.drop_index("ix_tasks_assignees", "tasks")
    op.drop_index("ix_tasks_all_assignees", "tasks")
    op.drop_column("tasks", "assignee_ids")
    op.execute("UPDATE series SET template = template - 'assignee_ids'")
    for function in (
        "project_access_end_assignments()", "series_keep_assignees()", "tasks_keep_assignees()",
        "with_access(uuid[], uuid)", "assignee_keys(uuid, uuid[])",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION {function}")
