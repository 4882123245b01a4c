"""What must hold between tasks, series and occurrences, whatever runs at the same moment."""

from todo.invariants import Invariant

OPEN = "status NOT IN ('done', 'cancelled') AND deleted_at IS NULL"
NOTHING_OPEN = (
    "NOT EXISTS (SELECT FROM occurrences WHERE occurrences.series_id = series.id AND occurrences.status = 'open')"
)
# The wall-clock time of a due that goes along with its owner.
LOCAL = "coalesce(due->>'date', due->>'at')::timestamp"

# Of several series that claim a task, the one that the task names goes on.
FOREIGN = (
    "FROM occurrences JOIN tasks ON tasks.id = task_id WHERE tasks.series_id IS DISTINCT FROM occurrences.series_id"
)
END_RIVALS = f"""
    UPDATE series SET status = 'ended', next_original_start = NULL, next_n = NULL, next_run_at = NULL,
        updated_at = now(), version = series.version + 1
    FROM (SELECT occurrences.series_id AS rival, tasks.series_id AS named {FOREIGN}) AS claim
    JOIN series AS going ON going.id = claim.named AND going.status <> 'ended'
    WHERE series.id = claim.rival AND series.status <> 'ended'"""
DETACH = f"""
    UPDATE occurrences SET task_id = NULL, undo = NULL, updated_at = now(), version = version + 1,
        status = CASE status WHEN 'open' THEN 'cancelled' ELSE status END, closed_at = coalesce(closed_at, now())
    WHERE id IN (SELECT occurrences.id {FOREIGN})"""

# The deletion of a series closes what is open: one that lives with its open task in the trash was to end.
END_DELETED = """
    UPDATE series SET status = 'ended', next_original_start = NULL, next_n = NULL, next_run_at = NULL,
        updated_at = now(),
        version = series.version + 1
    FROM occurrences JOIN tasks ON tasks.id = task_id AND tasks.deleted_at IS NOT NULL
    WHERE occurrences.series_id = series.id AND occurrences.status = 'open' AND series.status <> 'ended'"""
CLOSE_WITH_TASK = """
    UPDATE occurrences SET closed_at = now(), undo = NULL, updated_at = now(), version = occurrences.version + 1,
        status = CASE WHEN tasks.deleted_at IS NOT NULL THEN 'cancelled' WHEN tasks.status = 'done' THEN 'done'
            ELSE 'skipped' END
    FROM tasks WHERE tasks.id = task_id AND occurrences.status = 'open'
        AND (tasks.status IN ('done', 'cancelled') OR deleted_at IS NOT NULL)"""
CLOSE_WITHOUT_TASK = """
    UPDATE occurrences SET status = 'cancelled', closed_at = now(), undo = NULL, updated_at = now(),
        version = version + 1 WHERE task_id IS NULL AND status = 'open'"""

SECOND_OPEN = """
    SELECT id FROM (
        SELECT occurrences.id, row_number() OVER (
            PARTITION BY task_id
            ORDER BY original_start IS NOT DISTINCT FROM tasks.occurrence::timestamp DESC, original_start
        ) AS place FROM occurrences JOIN tasks ON tasks.id = task_id WHERE occurrences.status = 'open'
    ) AS numbered WHERE place > 1"""

REST = "next_original_start = NULL, next_n = NULL"
BEYOND_END = "next_n > count"
AT_REST = "status <> 'active' AND next_run_at IS NOT NULL"
NO_TITLE = "status <> 'ended' AND coalesce(template->>'title', '') = ''"
LAST_TASKS = """
    SELECT DISTINCT ON (occurrences.series_id) occurrences.series_id, title, notes, priority, estimate_minutes,
        labels, assignee_ids
    FROM occurrences JOIN tasks ON tasks.id = task_id ORDER BY occurrences.series_id, original_start DESC"""
WRITTEN = """CASE WHEN kind = 'day' THEN to_char(original_start, 'YYYY-MM-DD')
    ELSE to_char(original_start, 'YYYY-MM-DD"T"HH24:MI') || CASE
        WHEN original_start = date_trunc('minute', original_start) THEN ''
        WHEN original_start = date_trunc('second', original_start) THEN to_char(original_start, ':SS')
        ELSE to_char(original_start, ':SS.US') END
    END"""
OLD_ZONE = "series.timezone IS NULL AND owner_timezone <> users.timezone"
OTHER_VACATIONS = "series.vacations <> users.vacations"
# In the nights when clocks change, the offset of the day before counts.
OLD_DUE = f"""due->>'kind' <> 'zoned' AND due_at <> {LOCAL} AT TIME ZONE users.timezone
    AND due_at <> ({LOCAL} - interval '24 hours') AT TIME ZONE users.timezone + interval '24 hours'"""
FOLLOW = """
    UPDATE users SET timezone_pending_since = now() WHERE timezone_pending_since IS NULL
        AND EXISTS (SELECT FROM {table} WHERE owner_id = users.id AND {broken})"""
WORKER_FOLLOWS = "A running worker puts this right within seconds: start one, and look again."

INVARIANTS = (
    Invariant(
        "occurrence_of_another_series",
        "The task of an occurrence belongs to the same series, so that one series at most claims a task.",
        "occurrences",
        f"SELECT occurrences.id {FOREIGN} ORDER BY 1",
        (END_RIVALS, DETACH),
    ),
    Invariant(
        "second_open_occurrence",
        "A task is one open occurrence at most.",
        "occurrences",
        f"{SECOND_OPEN} ORDER BY 1",
        (
            f"""UPDATE occurrences SET status = 'cancelled', closed_at = now(), task_id = NULL, undo = NULL,
            updated_at = now(), version = version + 1 WHERE id IN ({SECOND_OPEN})""",
        ),
    ),
    Invariant(
        "open_occurrence_without_open_task",
        "The task of an open occurrence is open and not in the trash.",
        "occurrences",
        f"""SELECT id FROM occurrences WHERE status = 'open'
        AND NOT EXISTS (SELECT FROM tasks WHERE tasks.id = task_id AND {OPEN}) ORDER BY 1""",
        (END_DELETED, CLOSE_WITH_TASK, CLOSE_WITHOUT_TASK),
    ),
    Invariant(
        "open_task_without_open_occurrence",
        "An open task of a series is an open occurrence of it.",
        "tasks",
        f"""SELECT id FROM tasks WHERE series_id IS NOT NULL AND {OPEN}
        AND NOT EXISTS (SELECT FROM occurrences WHERE task_id = tasks.id AND occurrences.status = 'open') ORDER BY 1""",
        (
            """UPDATE occurrences SET status = 'open', closed_at = NULL, undo = NULL, updated_at = now(),
            version = occurrences.version + 1 FROM tasks WHERE tasks.id = task_id AND occurrences.status <> 'open'
            AND tasks.status NOT IN ('done', 'cancelled') AND deleted_at IS NULL
            AND original_start = tasks.occurrence::timestamp""",
        ),
    ),
    Invariant(
        "task_names_another_occurrence",
        "A task and its occurrence name the same original time.",
        "tasks",
        """SELECT tasks.id FROM tasks JOIN occurrences ON task_id = tasks.id
        WHERE occurrence::timestamp IS DISTINCT FROM original_start ORDER BY 1""",
        (
            f"""UPDATE tasks SET occurrence = {WRITTEN}, updated_at = now(), version = tasks.version + 1
            FROM occurrences JOIN series ON series.id = occurrences.series_id
            WHERE task_id = tasks.id AND occurrence::timestamp IS DISTINCT FROM original_start""",
        ),
    ),
    Invariant(
        "occurrence_beyond_count",
        "No occurrence comes after the last one that COUNT allows.",
        "series",
        f"SELECT id FROM series WHERE {BEYOND_END} ORDER BY 1",
        (
            f"""UPDATE series SET {REST}, updated_at = now(), version = version + 1, status = 'ended',
            next_run_at = NULL WHERE {BEYOND_END} AND {NOTHING_OPEN}""",
            f"""UPDATE series SET {REST}, updated_at = now(), version = version + 1,
            next_run_at = CASE status WHEN 'active' THEN now() END WHERE {BEYOND_END}""",
        ),
    ),
    Invariant(
        "series_at_rest_goes_on",
        "A series that is paused or has ended has no time at which it goes on.",
        "series",
        f"SELECT id FROM series WHERE {AT_REST} ORDER BY 1",
        (f"UPDATE series SET next_run_at = NULL, updated_at = now(), version = version + 1 WHERE {AT_REST}",),
    ),
    Invariant(
        "template_without_title",
        "A series that goes on has a template with a title.",
        "series",
        f"SELECT id FROM series WHERE {NO_TITLE} ORDER BY 1",
        (
            f"""UPDATE series SET updated_at = now(), version = version + 1, template = jsonb_build_object(
                'title', title, 'notes', notes, 'priority', priority, 'estimate_minutes', estimate_minutes,
                'labels', to_jsonb(labels), 'assignee_ids', to_jsonb(assignee_ids)
            ) || (template - 'title') FROM ({LAST_TASKS}) AS last WHERE series_id = series.id AND {NO_TITLE}""",
        ),
        "No task is left to take it from: give the series a title with PATCH /api/series/{id}, or end it.",
    ),
    Invariant(
        "series_stands_still",
        "An active series of which nothing is open has a time at which it goes on.",
        "series",
        f"SELECT id FROM series WHERE status = 'active' AND next_run_at IS NULL AND {NOTHING_OPEN} ORDER BY 1",
        (f"UPDATE series SET next_run_at = now() WHERE status = 'active' AND next_run_at IS NULL AND {NOTHING_OPEN}",),
    ),
    Invariant(
        "series_in_old_time_zone",
        "A series without a time zone of its own goes by that of its owner, seconds after the owner has changed it.",
        "series",
        f"SELECT series.id FROM series JOIN users ON users.id = owner_id WHERE {OLD_ZONE} ORDER BY 1",
        (FOLLOW.format(table="series", broken=OLD_ZONE),),
        WORKER_FOLLOWS,
    ),
    Invariant(
        "series_without_vacation",
        "A series has the vacations of its owner.",
        "series",
        f"SELECT series.id FROM series JOIN users ON users.id = owner_id WHERE {OTHER_VACATIONS} ORDER BY 1",
        (
            f"""UPDATE series SET vacations = users.vacations,
            next_run_at = CASE WHEN next_run_at IS NOT NULL THEN now() END
            FROM users WHERE users.id = owner_id AND {OTHER_VACATIONS}""",
        ),
    ),
    Invariant(
        "task_due_in_old_time_zone",
        "A due without a time zone falls where its owner lives now, seconds after the owner has changed the zone.",
        "tasks",
        f"SELECT tasks.id FROM tasks JOIN users ON users.id = owner_id WHERE {OLD_DUE} ORDER BY 1",
        (FOLLOW.format(table="tasks", broken=OLD_DUE),),
        WORKER_FOLLOWS,
    ),
)
