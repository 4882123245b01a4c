"""What triggers end, assignments and dependencies, is in the audit log, as done by who acts."""

from alembic import context, op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None
compatible_with = "0052"

# Who acts is what the transaction has set (`name_actor`). The id is a UUIDv7 of now.
EVENT = """
CREATE FUNCTION audit_event(action text, subject text, subject_id uuid, before jsonb, after jsonb)
RETURNS audit_events LANGUAGE plpgsql AS $$
DECLARE
    origin jsonb = '{"actor": "database", "actor_kind": "worker", "source": "worker", "request_id": "", "address": ""}';
    clock text = lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0');
BEGIN
    RETURN jsonb_populate_record(NULL::audit_events,
        coalesce(nullif(current_setting('todo.origin', true), '')::jsonb, origin) || jsonb_build_object(
            'id', left(clock, 8) || '-' || right(clock, 4) || '-7' || substr(gen_random_uuid()::text, 16),
            'at', clock_timestamp(), 'action', action, 'subject', subject, 'subject_id', subject_id,
            'before', before, 'after', after));
END $$
"""
TASKS = """
CREATE OR REPLACE FUNCTION tasks_keep_assignees() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept uuid[] = with_access(NEW.assignee_ids, NEW.project_id);
BEGIN
    IF kept <> NEW.assignee_ids THEN
        INSERT INTO audit_events SELECT event.* FROM audit_event('tasks.change', 'tasks', NEW.id,
            jsonb_build_object('assignee_ids', NEW.assignee_ids), jsonb_build_object('assignee_ids', kept)) AS event;
        NEW.assignee_ids = kept;
    END IF;
    RETURN NEW;
END $$
"""
TEMPLATE = """
CREATE FUNCTION template_with_access(template jsonb, place uuid) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_set(template, '{assignee_ids}', to_jsonb(with_access(
        ARRAY(SELECT jsonb_array_elements_text(template -> 'assignee_ids'))::uuid[], place)))
$$
"""
SERIES = """
CREATE OR REPLACE FUNCTION series_keep_assignees() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept jsonb = template_with_access(NEW.template, NEW.project_id);
BEGIN
    IF kept <> NEW.template THEN
        INSERT INTO audit_events SELECT event.* FROM audit_event('series.change', 'series', NEW.id,
            jsonb_build_object('template', NEW.template), jsonb_build_object('template', kept)) AS event;
        NEW.template = kept;
    END IF;
    RETURN NEW;
END $$
"""
END_ASSIGNMENTS = """
CREATE OR REPLACE FUNCTION project_access_end_assignments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM projects WHERE id = OLD.project_id AND owner_id = OLD.user_id) THEN
        WITH theirs AS (
            SELECT id, assignee_ids AS was FROM tasks
            WHERE project_id = OLD.project_id AND assignee_ids <> '{}'
                AND assignee_keys(owner_id, assignee_ids) || assignee_keys(project_id, assignee_ids)
                    @> assignee_keys(OLD.project_id, ARRAY[OLD.user_id])
            ORDER BY id FOR NO KEY UPDATE
        ), ended AS (
            UPDATE tasks SET assignee_ids = with_access(was, project_id), updated_at = clock_timestamp(),
                version = version + 1
            FROM theirs WHERE tasks.id = theirs.id RETURNING tasks.id, was, assignee_ids AS is_now
        )
        INSERT INTO audit_events SELECT event.* FROM ended, audit_event('tasks.change', 'tasks', id,
            jsonb_build_object('assignee_ids', was), jsonb_build_object('assignee_ids', is_now)) AS event;
        WITH theirs AS (
            SELECT id, template AS was FROM series
            WHERE project_id = OLD.project_id AND template -> 'assignee_ids' ? OLD.user_id::text
            ORDER BY id FOR NO KEY UPDATE
        ), ended AS (
            UPDATE series SET template = template_with_access(was, project_id), updated_at = clock_timestamp(),
                version = version + 1
            FROM theirs WHERE series.id = theirs.id RETURNING series.id, was, template AS is_now
        )
        INSERT INTO audit_events SELECT event.* FROM ended, audit_event('series.change', 'series', id,
            jsonb_build_object('template', was), jsonb_build_object('template', is_now)) AS event;
    END IF;
    RETURN NULL;
END $$
"""
UNSEEN = """
    WITH ended AS (
        DELETE FROM dependencies USING tasks AS waiting, tasks AS blocker
        WHERE waiting.id = task_id AND blocker.id = blocker_id AND waiting.owner_id <> blocker.owner_id
            AND NOT EXISTS (SELECT FROM project_access
                            WHERE user_id = waiting.owner_id AND project_access.project_id = blocker.project_id)
            AND {0}
        RETURNING dependencies.*
    )
    INSERT INTO audit_events SELECT event.* FROM ended,
        audit_event('dependencies.delete', 'dependencies', ended.id, to_jsonb(ended), NULL) AS event;
"""
DEPENDENCIES = """
CREATE OR REPLACE FUNCTION {0}_end_dependencies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {1}
    RETURN NULL;
END $$
"""
OF_TASK = "NEW.id IN (task_id, blocker_id)"
OF_ACCESS = "waiting.owner_id = OLD.user_id AND blocker.project_id = OLD.project_id"
FUNCTIONS = (
    EVENT, TEMPLATE, TASKS, SERIES, END_ASSIGNMENTS,
    DEPENDENCIES.format("tasks", UNSEEN.format(OF_TASK)),
    DEPENDENCIES.format("project_access", UNSEEN.format(OF_ACCESS)),
)  # fmt: skip


def upgrade() -> None:
    for function in FUNCTIONS:
        op.execute(function.replace("::", r"\:\:"))


def downgrade() -> None:
    assignees, dependencies = (context.script.get_revision(number).module for number in ("0038", "0047"))
    old = (
        assignees.TASKS, assignees.SERIES, assignees.END_ASSIGNMENTS,
        dependencies.END_OF_TASK, dependencies.END_OF_ACCESS,
    )  # fmt: skip
    for function in old:
        op.execute(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION").replace("::", r"\:\:"))
    op.execute("DROP FUNCTION template_with_access(jsonb, uuid)")
    op.execute("DROP FUNCTION audit_event(text, text, uuid, jsonb, jsonb)")
