"""Tasks that a batch has locked: each by itself, without a series, and without tasks above or below it.

So nothing that is done to another task of the batch changes such a task but for what triggers keep in it.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from todo.database import WriteSession, table_of
from todo.domain.accounts.models import USER
from todo.domain.tasks.models import TASK, Task

CHILD = table_of(Task).alias("child").c
_GIVEN = TASK.id == any_(bindparam("ids", type_=ARRAY(Uuid)))
_OWNERS = select(TASK.owner_id).where(_GIVEN)
LOCK_OWNERS = (
    select(USER.id, USER.timezone).where(USER.id.in_(_OWNERS)).order_by(USER.id)
    .with_for_update(read=True, key_share=True)
)  # fmt: skip
LOCK_TASKS = (
    select(Task).where(_GIVEN, TASK.series_id.is_(None), TASK.parent_id.is_(None)).order_by(TASK.id)
    .with_for_update(key_share=True).execution_options(populate_existing=True)
)  # fmt: skip
PARENTS = select(CHILD.parent_id).where(CHILD.parent_id == any_(bindparam("ids", type_=ARRAY(Uuid)))).distinct()


class Held(NamedTuple):
    """A locked task, and the time zone of its owner, who is locked too."""

    task: Task
    timezone: str


async def hold(session: WriteSession, ids: Sequence[UUID], owner_id: UUID | None) -> None:
    """Lock these tasks, with `owner_id` those of one person, for `held`: three statements."""
    if session.batch is None:
        return
    timezones = {user_id: timezone for user_id, timezone in await session.execute(LOCK_OWNERS, {"ids": ids})}
    tasks = (await session.scalars(LOCK_TASKS, {"ids": ids})).all()
    parents = set(await session.scalars(PARENTS, {"ids": ids}))
    for task in tasks:
        if task.id not in parents and task.owner_id in timezones and owner_id in (None, task.owner_id):
            session.batch.keep(("task", task.id), Held(task, timezones[task.owner_id]))


def held(session: WriteSession, task_id: UUID) -> Held | None:
    """Return a task that the batch has locked, or None."""
    found: Held | None = session.batch.kept(("task", task_id)) if session.batch else None
    return found


def release(session: WriteSession, task_id: UUID) -> None:
    """Find a task by the database again: it gets others below it."""
    if session.batch:
        session.batch.forget(("task", task_id))
