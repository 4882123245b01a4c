"""Subtasks: which parent is allowed; moving to the trash, restoring and copying them with their parent."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, insert, select, text, update
from sqlalchemy.orm.attributes import set_committed_value

from todo.actions import Action
from todo.audit import record_changes
from todo.database import WriteSession, now, table_of
from todo.domain.accounts.models import USER, User
from todo.domain.tasks import rules
from todo.domain.tasks.held import held, release
from todo.domain.tasks.models import FOLLOWING, TASK, Task
from todo.errors import Invalid

MAX_LEVELS = 5
CHILD = table_of(Task).alias("child")
# What a copy does not take from its model.
NOT_COPIED = {"id", "created_at", "updated_at", "version", "status", "completed_at", "deleted_at", *FOLLOWING}
# As the trigger `tasks_copy_reminders` does for the occurrence itself; at the epoch means: send it also when late.
COPY_REMINDERS = text("""
    WITH copied AS (
        INSERT INTO reminders (id, created_at, updated_at, version, user_id, task_id, timing, urgent, run_at)
        SELECT new_id(), now(), now(), 1, user_id, new, timing, urgent, to_timestamp(0)
        FROM unnest(CAST(:old AS uuid[]), CAST(:new AS uuid[])) AS pairs (old, new) JOIN reminders ON task_id = old
        WHERE timing->>'kind' = 'relative' RETURNING id)
    SELECT pg_notify('todo_due', 'reminders') FROM copied LIMIT 1""")


class Copied(NamedTuple):
    """A task whose subtasks are copied to a new one, and the time zone of their owner."""

    old: Task
    new: Task
    timezone: str


async def descendants(session: WriteSession, roots: Sequence[UUID], *where: ColumnElement[bool]) -> Sequence[Task]:
    """All subtasks of these tasks, each after its parent, locked."""
    roots = [root for root in roots if held(session, root) is None]
    if not roots:
        return []
    tree = select(TASK.id, TASK.parent_id).where(TASK.parent_id.in_(roots)).cte("tree", recursive=True)
    tree = tree.union_all(select(CHILD.c.id, CHILD.c.parent_id).join(tree, CHILD.c.parent_id == tree.c.id))
    found = await session.scalars(
        select(Task).where(TASK.id.in_(select(tree.c.id)), *where).order_by(TASK.id).with_for_update(key_share=True)
    )
    tasks = {task.id: task for task in found}
    return sorted(tasks.values(), key=lambda task: level(task, tasks))


def level(task: Task, tasks: Mapping[UUID, Task]) -> int:
    """How many of these tasks are ancestors of a task."""
    parent = tasks.get(task.parent_id) if task.parent_id else None
    return 1 + level(parent, tasks) if parent else 0


async def check_parent(session: WriteSession, project_id: UUID, parent_id: UUID, task: Task | None = None) -> None:
    """Raises Invalid unless a new task of a project, or this one with its subtasks, may have that parent."""
    release(session, parent_id)
    above = await _from_top(session, project_id, parent_id)
    if not above:
        raise Invalid.field("body.parent_id", "There is no such task.", "not_found")
    children = {child.id: child for child in await descendants(session, [task.id])} if task else {}
    if task and task.id in above:
        raise Invalid.field("body.parent_id", "A task cannot be below itself.")
    height = 1 + max((1 + level(child, children) for child in children.values()), default=0)
    if len(above) + height > MAX_LEVELS:
        raise Invalid.field("body.parent_id", f"Subtasks go at most {MAX_LEVELS} levels deep.")


async def _from_top(session: WriteSession, project_id: UUID, task_id: UUID) -> Sequence[UUID]:
    """A task of a project and its ancestors; nothing when it is not there."""
    there = (TASK.id == task_id, TASK.project_id == project_id, TASK.deleted_at.is_(None))
    chain = select(TASK.id, TASK.parent_id).where(*there)
    chain_cte = chain.cte("chain", recursive=True)
    above = select(CHILD.c.id, CHILD.c.parent_id).join(chain_cte, CHILD.c.id == chain_cte.c.parent_id)
    return (await session.scalars(select(chain_cte.union_all(above).c.id))).all()


def completed_with(task: Task) -> Sequence[ColumnElement[bool]]:
    """The WHERE clauses of what was completed together with a task, and was not changed since."""
    moment = task.completed_at
    return TASK.status == "done", TASK.completed_at == moment, TASK.updated_at == moment, TASK.deleted_at.is_(None)


async def change_all(
    session: WriteSession,
    tasks: Sequence[Task],
    values: Mapping[str, Any],
    action: Action,
    changed_at: datetime | None = None,
) -> None:
    """Write the same values to loaded, locked tasks, by default as of now; two statements whatever their number."""
    if not tasks:
        return
    written = {**values, "updated_at": changed_at or now(), "version": TASK.version + 1}
    await session.execute(update(table_of(Task)).where(TASK.id.in_([task.id for task in tasks])).values(written))
    changes = [(task.id, {name: getattr(task, name) for name in values}, values) for task in tasks]
    await record_changes(session, action, "tasks", changes)


async def load_copied(session: WriteSession, pairs: Sequence[tuple[UUID, UUID]]) -> list[Copied]:
    """The tasks with these ids, old and new, and the time zones of their owners, for `copy_subtasks`."""
    ends = {one for pair in pairs for one in pair}
    owned = select(Task, USER.timezone).join(User, USER.id == TASK.owner_id)
    found = await session.execute(owned.where(TASK.id.in_(ends)))
    known = {task.id: (task, timezone) for task, timezone in found}
    return [Copied(known[old][0], *known[new]) for old, new in pairs]


async def copy_subtasks(session: WriteSession, roots: Sequence[Copied]) -> None:
    """Add copies of the subtasks of each old task to its new one, all open.

    Of an old task in the trash these are the subtasks that were moved there with it: deleting one occurrence takes
    nothing from the later ones. Dues, starts and deadlines move as far as one occurrence is from the other. The new
    tasks must be stored. Reminders that follow a date are copied too. Four statements whatever the number of tasks; one
    when there is nothing to copy.
    """
    children = defaultdict[UUID | None, list[Task]](list)
    for task in await descendants(session, [root.old.id for root in roots]):
        children[task.parent_id].append(task)
    copies = [copy for root in roots for copy in _copies(children, root, root.old.id, root.new.id)]
    for root in roots:
        set_committed_value(root.new, "subtasks_total", sum(copy.parent_id == root.new.id for copy, _ in copies))
    if not copies:
        return
    await session.execute(insert(table_of(Task)), [copy.model_dump() for copy, _ in copies])
    await session.execute(COPY_REMINDERS, {"old": [old for _, old in copies], "new": [copy.id for copy, _ in copies]})
    await record_changes(session, "tasks.open", "tasks", [(copy.id, None, copy.model_dump()) for copy, _ in copies])


def _copies(
    children: Mapping[UUID | None, Sequence[Task]], root: Copied, old: UUID, parent: UUID
) -> Iterator[tuple[Task, UUID]]:
    """Copies, for one root, of what is below the task `old`, to be below `parent`; each with the id of its model."""
    for task in children.get(old, ()):
        if task.deleted_at not in (None, root.old.deleted_at):  # deleted by itself
            continue
        copy = Task(
            **task.model_dump(exclude=NOT_COPIED), created_at=root.new.created_at, updated_at=root.new.created_at
        )
        copy.parent_id = parent
        _shift(copy, _distance(root.old, root.new), root.timezone)
        yield copy, task.id
        yield from _copies(children, root, task.id, copy.id)


def _distance(old: Task, new: Task) -> timedelta:
    """From one occurrence to the next as the rule counts them, so that an occurrence that was moved does not move those
    after it.
    """
    if old.occurrence and new.occurrence:
        return datetime.fromisoformat(new.occurrence) - datetime.fromisoformat(old.occurrence)
    if old.due is None or new.due is None:
        return timedelta()
    return rules.local_time_of(new.due) - rules.local_time_of(old.due)


def _shift(task: Task, distance: timedelta, owner_timezone: str) -> None:
    """Move all dates of a copy, or none when one would leave the calendar: its parent must be able to close."""
    try:
        moved = {name: rules.shifted(moment, distance) for name in ("due", "start") if (moment := getattr(task, name))}
        instants = rules.instants_of(moved.get("due"), owner_timezone)
        deadline = task.deadline + timedelta(days=distance.days) if task.deadline else None
    except (ValueError, OverflowError):
        return
    for name, value in (moved | instants | {"deadline": deadline}).items():
        setattr(task, name, value)
