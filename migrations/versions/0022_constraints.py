"""The database refuses transactions that leave tasks, series and occurrences in contradiction.

Series are repaired here. Occurrences and tasks are checked when they change, so that what is wrong already blocks
nothing: `todo doctor --repair` puts it right.
"""
# ruff: noqa: S608 -- fixed words

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

REST = "next_original_start = NULL, next_n = NULL, updated_at = now(), version = series.version + 1"
NOTHING_OPEN = "NOT EXISTS (SELECT FROM occurrences WHERE series_id = series.id AND occurrences.status = 'open')"
NO_TITLE = "series.status <> 'ended' AND coalesce(template->>'title', '') = ''"
REPAIR = (
    f"UPDATE series SET status = 'ended', next_run_at = NULL, {REST} WHERE next_n > count AND {NOTHING_OPEN}",
    f"UPDATE series SET {REST}, next_run_at = CASE status WHEN 'active' THEN now() END WHERE next_n > count",
    "UPDATE series SET next_run_at = NULL WHERE status <> 'active' AND next_run_at IS NOT NULL",
    f"""UPDATE series SET updated_at = now(), version = series.version + 1, template = jsonb_build_object(
        'title', title, 'notes', notes, 'priority', priority, 'estimate_minutes', estimate_minutes
    ) || (template - 'title') FROM (
        SELECT DISTINCT ON (occurrences.series_id) occurrences.series_id, title, notes, priority, estimate_minutes
        FROM occurrences JOIN tasks ON tasks.id = task_id ORDER BY occurrences.series_id, original_start DESC
    ) AS last WHERE last.series_id = series.id AND {NO_TITLE}""",
    # Nothing is left to take a title from; the worker has set these aside.
    f"UPDATE series SET status = 'ended', next_run_at = NULL, {REST} WHERE {NO_TITLE}",
    f"UPDATE series SET next_run_at = now() WHERE status = 'active' AND next_run_at IS NULL AND {NOTHING_OPEN}",
)

REFUSE = """
CREATE FUNCTION refuse_contradiction(name text, id uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'this would break the invariant % at %', name, id
        USING ERRCODE = 'check_violation', CONSTRAINT = name;
END $$
"""
STANDS_STILL = """EXISTS (SELECT FROM series WHERE id = {id} AND status = 'active' AND next_run_at IS NULL)
        AND NOT EXISTS (SELECT FROM occurrences WHERE series_id = {id} AND status = 'open')"""


def is_open(task: str) -> str:
    return f"{task}.status NOT IN ('done', 'cancelled') AND {task}.deleted_at IS NULL"


OCCURRENCES = f"""
CREATE FUNCTION occurrences_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    entry occurrences;
BEGIN
    SELECT * INTO entry FROM occurrences WHERE id = NEW.id;
    IF entry.status = 'open' THEN
        IF NOT EXISTS (SELECT FROM tasks WHERE id = entry.task_id AND {is_open("tasks")}) THEN
            PERFORM refuse_contradiction('open_occurrence_without_open_task', entry.id);
        ELSIF NOT EXISTS (
            SELECT FROM tasks WHERE id = entry.task_id AND occurrence::timestamp = entry.original_start
        ) THEN
            PERFORM refuse_contradiction('task_names_another_occurrence', entry.task_id);
        END IF;
    ELSIF EXISTS (SELECT FROM tasks WHERE id = entry.task_id AND {is_open("tasks")})
        AND NOT EXISTS (SELECT FROM occurrences WHERE task_id = entry.task_id AND status = 'open') THEN
        PERFORM refuse_contradiction('open_task_without_open_occurrence', entry.task_id);
    ELSIF {STANDS_STILL.format(id="entry.series_id")} THEN
        PERFORM refuse_contradiction('series_stands_still', entry.series_id);
    END IF;
    RETURN NULL;
END $$
"""
TASKS = f"""
CREATE FUNCTION tasks_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    task tasks;
    entry occurrences;
BEGIN
    SELECT * INTO task FROM tasks WHERE id = NEW.id AND series_id IS NOT NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO entry FROM occurrences WHERE task_id = task.id AND status = 'open';
    IF entry.original_start <> task.occurrence::timestamp THEN
        PERFORM refuse_contradiction('task_names_another_occurrence', task.id);
    ELSIF {is_open("task")} AND entry.id IS NULL THEN
        PERFORM refuse_contradiction('open_task_without_open_occurrence', task.id);
    ELSIF NOT ({is_open("task")}) AND entry.id IS NOT NULL THEN
        PERFORM refuse_contradiction('open_occurrence_without_open_task', entry.id);
    END IF;
    RETURN NULL;
END $$
"""
SERIES = f"""
CREATE FUNCTION series_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    it series;
BEGIN
    SELECT * INTO it FROM series WHERE id = NEW.id;
    IF it.status <> 'active' AND it.next_run_at IS NOT NULL THEN
        PERFORM refuse_contradiction('series_at_rest_goes_on', it.id);
    ELSIF it.next_n > it.count THEN
        PERFORM refuse_contradiction('occurrence_beyond_count', it.id);
    ELSIF it.status <> 'ended' AND coalesce(it.template->>'title', '') = '' THEN
        PERFORM refuse_contradiction('template_without_title', it.id);
    ELSIF {STANDS_STILL.format(id="it.id")} THEN
        PERFORM refuse_contradiction('series_stands_still', it.id);
    END IF;
    RETURN NULL;
END $$
"""
# Checked at commit, where a statement has left what may be a contradiction: a transaction passes through some.
TRIGGERS = {
    "occurrences_check_insert": (
        "occurrences", "INSERT", "occurrences_check", "NEW.task_id IS NOT NULL OR NEW.status = 'open'",
    ),
    "occurrences_check_update": (
        "occurrences", "UPDATE", "occurrences_check",
        "(OLD.status = 'open', OLD.task_id, OLD.original_start)"
        " IS DISTINCT FROM (NEW.status = 'open', NEW.task_id, NEW.original_start)",
    ),
    "tasks_check_insert": ("tasks", "INSERT", "tasks_check", "NEW.series_id IS NOT NULL"),
    "tasks_check_update": (
        "tasks", "UPDATE", "tasks_check",
        f"""NEW.series_id IS NOT NULL
        AND ({is_open("OLD")}, OLD.series_id, OLD.occurrence) IS DISTINCT FROM
            ({is_open("NEW")}, NEW.series_id, NEW.occurrence)""",
    ),
    "series_check": (
        "series", "INSERT OR UPDATE", "series_check",
        """NEW.status <> 'active' AND NEW.next_run_at IS NOT NULL OR NEW.next_n > NEW.count
        OR NEW.status = 'active' AND NEW.next_run_at IS NULL
        OR NEW.status <> 'ended' AND coalesce(NEW.template->>'title', '') = ''""",
    ),
}  # fmt: skip
FUNCTIONS = ("occurrences_check()", "tasks_check()", "series_check()", "refuse_contradiction(text, uuid)")


def upgrade() -> None:
    for statement in (*REPAIR, REFUSE, OCCURRENCES, TASKS, SERIES):
        op.execute(statement)
    for name, (table, when, function, condition) in TRIGGERS.items():
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {name} AFTER {when} ON {table} DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {function}()"
        )


def downgrade() -> None:
    for name, (table, *_) in TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
