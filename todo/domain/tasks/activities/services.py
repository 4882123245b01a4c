"""Noting what people do with shared work."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import insert

from todo.access import Actor
from todo.database import WriteSession, table_of
from todo.domain.tasks.activities.models import Activity, Kind
from todo.domain.tasks.models import Task


async def note_activity(
    session: WriteSession,
    actor: Actor,
    kind: Kind,
    task_id: UUID,
    *,
    people: Collection[UUID] = (),
    comment_id: UUID | None = None,
) -> None:
    """Note what somebody did, in the transaction of the change: the worker notifies the others, within seconds.

    `people` are those whom it newly names: assigned or mentioned.
    """
    row = Activity(kind=kind, task_id=task_id, comment_id=comment_id, actor_id=actor.id, people=sorted(people))
    await session.execute(insert(table_of(Activity)).values(row.model_dump()))


async def note_assigned(session: WriteSession, actor: Actor, task: Task, before: Collection[UUID]) -> None:
    """Note that a task was assigned to others than before."""
    people = set(task.assignee_ids) - {*before, actor.id}
    if people:
        await note_activity(session, actor, "assigned", task.id, people=people)


def concerns_others(task: Task, actor: Actor) -> bool:
    """Return whether somebody else may want to know that a task was completed."""
    return task.created_by != actor.id or bool(task.assignee_ids)
