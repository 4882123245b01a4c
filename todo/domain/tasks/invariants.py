"""What must hold of tasks and of who has to do with them; `series/invariants.py` has what concerns series."""

from todo.invariants import Invariant

HAS_ACCESS = """(person = owner_id
    OR EXISTS (SELECT FROM project_access AS access WHERE user_id = person AND access.project_id = tasks.project_id))"""
WITHOUT_ACCESS = f"EXISTS (SELECT FROM unnest(assignee_ids) AS person WHERE NOT {HAS_ACCESS})"

COUNTED = """SELECT count(*) AS total, count(*) FILTER (WHERE below.status = 'done') AS done FROM tasks AS below
    WHERE below.parent_id = tasks.id AND below.deleted_at IS NULL AND below.status <> 'cancelled'"""
WAITS = """EXISTS (SELECT FROM dependencies JOIN tasks AS blocker ON blocker.id = blocker_id
    WHERE task_id = tasks.id AND blocker.deleted_at IS NULL AND blocker.status NOT IN ('done', 'cancelled'))"""
UNSEEN = """SELECT dependencies.id FROM dependencies
    JOIN tasks AS waiting ON waiting.id = task_id JOIN tasks AS blocker ON blocker.id = blocker_id
    WHERE waiting.owner_id <> blocker.owner_id AND NOT EXISTS (SELECT FROM project_access AS access
        WHERE access.user_id = waiting.owner_id AND access.project_id = blocker.project_id) ORDER BY 1"""
MISCOUNTED = f"(subtasks_total, subtasks_done) <> ({COUNTED})"

INVARIANTS = (
    Invariant(
        "assignee_without_access",
        "The people a task is assigned to have access to its project.",
        "tasks",
        f"SELECT id FROM tasks WHERE assignee_ids <> '{{}}' AND {WITHOUT_ACCESS} ORDER BY 1",  # noqa: S608 -- fixed words
        (
            f"""UPDATE tasks SET updated_at = now(), version = version + 1,
            assignee_ids = ARRAY(SELECT person FROM unnest(assignee_ids) AS person WHERE {HAS_ACCESS} ORDER BY 1)
            WHERE assignee_ids <> '{{}}' AND {WITHOUT_ACCESS}""",  # noqa: S608 -- fixed words
        ),
    ),
    Invariant(
        "blocked_without_blocker",
        "A task is blocked while it waits for an open task that is not in the trash.",
        "tasks",
        f"SELECT id FROM tasks WHERE blocked <> {WAITS} ORDER BY 1",  # noqa: S608 -- fixed words
        (f"UPDATE tasks SET blocked = NOT blocked WHERE blocked <> {WAITS}",),  # noqa: S608 -- fixed words
    ),
    Invariant(
        "dependency_without_access",
        "The owner of a task sees the tasks that it waits for.",
        "dependencies",
        UNSEEN,
        advice="Delete these dependencies in the administration.",
    ),
    Invariant(
        "progress_miscounted",
        "The progress of a task is how many of its subtasks are done, without those in the trash and cancelled ones.",
        "tasks",
        f"SELECT id FROM tasks WHERE {MISCOUNTED} ORDER BY 1",  # noqa: S608 -- fixed words
        (f"UPDATE tasks SET (subtasks_total, subtasks_done) = ({COUNTED}) WHERE {MISCOUNTED}",),  # noqa: S608 -- fixed words
    ),
)
