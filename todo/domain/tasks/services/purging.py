"""Deleting for good what lies in the trash."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select

from todo.access import WORKER
from todo.audit import Event, event
from todo.database import WriteSession
from todo.domain.tasks.models import TASK, Task

BATCH = 1_000


async def purge(session: WriteSession, kept: timedelta) -> int:
    """Delete up to a thousand tasks that were put into the trash longer ago; how many. Their trail stays."""
    old = select(TASK.id).where(TASK.deleted_at < func.now() - kept).limit(BATCH).with_for_update(skip_locked=True)
    gone = delete(Task).where(TASK.id.in_(old)).returning(TASK.id, TASK.title, TASK.deleted_at)
    events: list[dict[str, Any]] = [
        event(WORKER, "tasks.purge", "tasks", task_id, before={"title": title, "deleted_at": deleted_at})
        for task_id, title, deleted_at in (await session.execute(gone)).all()
    ]
    if events:
        await session.execute(insert(Event), events)
    return len(events)
