"""What goes by its owner's time zone follows the owner into another one.

`users.timezone_pending_since` says that something may not have followed yet; a NOTIFY only makes the worker start
sooner. Each batch is a transaction that reads the zone again, in the order of `locks.py`. A killed worker leaves the
rest to the next run, which changes only what has not followed.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, literal_column, select, text, union_all, update

from todo.access import Origin, worker_origin
from todo.audit import record_changes
from todo.contention import retry
from todo.database import ACTOR, Database, Query, now, table_of
from todo.domain.accounts.models import USER, User
from todo.domain.tasks import rules
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.locks import lock_owner
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.services.occurrences import SeriesService
from todo.errors import NotFound
from todo.queue import enqueue

log = logging.getLogger(__name__)

PEOPLE = 100  # in one run
SERIES_BATCH = 100
TASK_BATCH = 500
PENDING = Query(
    lambda *values: values,
    select(USER.id, USER.timezone_pending_since)
    .where(USER.timezone_pending_since.is_not(None))
    .order_by(USER.timezone_pending_since)
    .limit(PEOPLE),
)
FLOATING = TASK.due["kind"].astext != "zoned"
# Two indexes have a person's tasks: one the trash, one the others.
_theirs = select(TASK.id).where(TASK.owner_id == ACTOR, FLOATING)
FLOATING_IDS = Query(
    lambda task_id: task_id,
    union_all(_theirs.where(TASK.deleted_at.is_(None)), _theirs.where(TASK.deleted_at.is_not(None))).order_by(
        literal_column("1")
    ),
)
# A closing can still be undone: it left its series as it is now, and the worker evaluates the restored state.
KEEP_UNDO = text("""
    UPDATE occurrences SET undo = jsonb_set(undo || jsonb_build_object('version', series.version),
        '{before,next_run_at}', CASE WHEN undo #>> '{before,next_run_at}' IS NULL THEN 'null' ELSE to_jsonb(now()) END)
    FROM series WHERE series.id = series_id AND series.id = ANY(:ids)
        AND (undo ->> 'version')::int = series.version - 1""")


async def follow_pending(database: Database) -> None:
    """Compute again what is due for everybody who has changed their time zone."""
    for user_id, since in await database.primary.all(PENDING):
        try:
            await _follow(database, user_id, since)
        except NotFound:  # the account is gone
            continue
        except Exception:  # what cannot be computed for one must not stop the others
            log.exception("the dues of %s have not followed the time zone", user_id)


async def _follow(database: Database, user_id: UUID, since: datetime) -> None:
    origin = worker_origin()
    while await retry(partial(_move_series, database, origin, user_id)):
        pass
    # With the old zone nothing comes any more: the change of the zone has waited for those who stored with it.
    ids = await database.primary.all(FLOATING_IDS, actor=user_id)
    for start in range(0, len(ids), TASK_BATCH):
        await retry(partial(_move_tasks, database, origin, user_id, ids[start : start + TASK_BATCH]))
    await retry(partial(_note_followed, database, origin, user_id, since))


async def _move_series(database: Database, origin: Origin, user_id: UUID) -> bool:
    """Let the next series of a person go on in their zone; whether there may be more."""
    async with database.session(origin) as session:
        timezone = await lock_owner(session, user_id)
        left = select(Series).where(SERIES.owner_id == user_id, SERIES.timezone.is_(None))
        left = left.where(SERIES.owner_timezone != timezone).order_by(SERIES.id).limit(SERIES_BATCH)
        found = (await session.scalars(left.with_for_update(key_share=True))).all()
        service = SeriesService(session, session.origin.actor)
        for series in found:
            await service.move(series, timezone)
        await session.execute(KEEP_UNDO, {"ids": [series.id for series in found]})
        await enqueue(session, "materialize_due")
        return bool(found)


async def _move_tasks(database: Database, origin: Origin, user_id: UUID, ids: Sequence[UUID]) -> None:
    async with database.session(origin) as session:
        timezone = await lock_owner(session, user_id)
        found = select(Task).where(TASK.id.in_(ids), FLOATING).order_by(TASK.id).with_for_update(key_share=True)
        moved = [
            (task, before, after)
            for task in await session.scalars(found)
            if (after := _instants(task, timezone)) != (before := {name: getattr(task, name) for name in after})
        ]
        if not moved:
            return
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("due_at", "overdue_at")}
        values |= {"updated_at": now(), "version": TASK.version + 1}
        change = update(table_of(Task)).where(TASK.id == bindparam("task")).values(values)
        await session.execute(
            change, [{"task": task.id} | {f"new_{name}": at for name, at in after.items()} for task, _, after in moved]
        )
        changes = ((task.id, before, after) for task, before, after in moved)
        await record_changes(session, "tasks.change", "tasks", changes)


def _instants(task: Task, timezone: str) -> dict[str, datetime | None]:
    """The instants of a due in this zone; at the edge of the calendar they stay as they are."""
    try:
        return rules.instants_of(task.due, timezone)
    except (ValueError, OverflowError):
        return {"due_at": task.due_at, "overdue_at": task.overdue_at}


async def _note_followed(database: Database, origin: Origin, user_id: UUID, since: datetime) -> None:
    """Unless the zone has changed again meanwhile."""
    async with database.session(origin) as session:
        same = (USER.id == user_id, USER.timezone_pending_since == since)
        await session.execute(update(User).where(*same).values(timezone_pending_since=None))
