"""Deleting for good what lies in the trash."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Boolean, delete, func, literal_column, select

from todo.audit import record_changes
from todo.cleanup import BATCH
from todo.database import WriteSession
from todo.domain.tasks.comments.models import COMMENT
from todo.domain.tasks.comments.services import erase_comments
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.schemas import TrashEmptied
from todo.domain.tasks.series.locks import lock_owner
from todo.erasure import EVENT, erase_events
from todo.errors import Conflict

# True of the last occurrence of a series that goes on, and of what went to the trash with it: the next occurrence
# copies its subtasks from there. Correlated to `tasks`.
STILL_COPIED = literal_column(
    """EXISTS (
    WITH RECURSIVE above AS (
        SELECT tasks.id, tasks.parent_id, tasks.series_id
        UNION ALL
        SELECT parent.id, parent.parent_id, parent.series_id
        FROM tasks AS parent JOIN above ON parent.id = above.parent_id
        WHERE parent.deleted_at = tasks.deleted_at
    )
    SELECT FROM above JOIN series ON series.id = above.series_id AND series.status <> 'ended'
    WHERE above.id = (
        SELECT task_id FROM occurrences WHERE series_id = series.id AND task_id IS NOT NULL
        ORDER BY original_start DESC LIMIT 1
    ))""",
    Boolean(),
)


async def purge(session: WriteSession, kept: timedelta, limit: int, owner_id: UUID | None = None) -> int:
    """Delete up to `limit` tasks that were put into the trash longer ago, of everybody or of one person, each with its
    subtasks; return how many. Their audit events stay, without values.

    What a series still needs for its next occurrence waits until that is there, or the series has ended.
    """
    old = select(TASK.id).where(TASK.deleted_at <= func.now() - kept, ~STILL_COPIED).limit(limit)
    old = old if owner_id is None else old.where(TASK.owner_id == owner_id)
    tree = select(old.with_for_update(skip_locked=True).cte("old").c.id).cte("tree", recursive=True)
    tree = tree.union(select(TASK.id).join(tree, TASK.parent_id == tree.c.id))
    found = select(TASK.id, TASK.deleted_at).where(TASK.id.in_(select(tree.c.id))).order_by(TASK.id).with_for_update()
    rows = (await session.execute(found)).all()
    if rows:
        ids = [row.id for row in rows]
        await erase_comments(session, COMMENT.task_id.in_(ids))
        await session.execute(delete(Task).where(TASK.id.in_(ids)))
        await erase_values(session, ids)
        changes = ((row.id, {"deleted_at": row.deleted_at}, None) for row in rows)
        await record_changes(session, "tasks.purge", "tasks", changes)
    return len(rows)


async def empty_trash(session: WriteSession, owner_id: UUID) -> TrashEmptied:
    """Delete up to `BATCH` tasks from one person's trash, as `purge` does; raises Conflict for a deleted account."""
    await lock_owner(session, owner_id)
    deleted = await purge(session, timedelta(0), BATCH, owner_id)
    rest = select(TASK.id).where(TASK.owner_id == owner_id, TASK.deleted_at.is_not(None), ~STILL_COPIED).limit(1)
    more = deleted >= BATCH and await session.scalar(rest) is not None
    return TrashEmptied(deleted, more)


async def erase_values(session: WriteSession, ids: Sequence[UUID]) -> None:
    """Erase the values of deleted tasks from the audit log: what is deleted for good is nowhere any more."""
    await erase_events(session, EVENT.subject == "tasks", EVENT.subject_id.in_(ids))


async def require_purgeable(session: WriteSession, task_id: UUID) -> None:
    """Raises Conflict for a task in the trash that its series still needs."""
    if await session.scalar(select(TASK.id).where(TASK.id == task_id, STILL_COPIED)):
        raise Conflict(
            "The next occurrence of its series copies its subtasks: end the series, or delete this later.",
            slug="needed-by-series",
        )
