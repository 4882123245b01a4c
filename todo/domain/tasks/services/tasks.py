"""Adding, changing, completing and deleting tasks."""

from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, structs
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import WORKER, Actor
from todo.audit import insert_alone
from todo.database import Database, now
from todo.domain.accounts.models import USER
from todo.domain.accounts.rules import TIMEZONES
from todo.domain.recurrence.models import Series
from todo.domain.recurrence.services import SeriesService
from todo.domain.tasks import rules
from todo.domain.tasks.guards import trashed_by, visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.schemas import Completed, Moment, TaskIn, TaskOut, TaskPatch, Zoned
from todo.domain.tasks.services.reads import task_out
from todo.domain.tasks.services.turns import OccurrenceService, TaskWriter
from todo.errors import Conflict, Invalid, Stale


class TaskService(TaskWriter):
    """Changes one person's tasks, inside the caller's transaction: the actor's own, or those of `owner`."""

    def __init__(self, session: AsyncSession, actor: Actor, owner: UUID | None = None):
        super().__init__(session, actor)
        self._owner = owner

    @property
    def owner_id(self) -> UUID:
        return self._owner or self.actor.user_id

    @cached_property
    def occurrences(self) -> OccurrenceService:
        return OccurrenceService(self.session, self.actor)

    async def add(self, data: TaskIn) -> TaskOut:
        """Raises Invalid for a due that does not exist and a rule that cannot be."""
        task = new_task(data, self.actor)
        if data.recurrence is None:
            return task_out(await self.insert(task, "tasks.add"))
        return task_out(await self.occurrences.begin(task, data.recurrence))

    async def change_fields(self, task_id: UUID, data: TaskPatch, if_match: frozenset[int] | None) -> TaskOut:
        """Change what was sent; raises NotFound, Stale, Invalid."""
        task = await self._own(task_id, if_match)
        if task.status in rules.CLOSED and data.status is not UNSET:
            raise Conflict("This task is closed; reopen it first.")
        return task_out(await self.change(task, values_of(data, self.actor.timezone), "tasks.change"))

    async def trash(self, task_id: UUID, if_match: frozenset[int] | None) -> None:
        """Move to the trash, from where it can be restored; a turn of a series is skipped. Raises NotFound, Stale."""
        series = await self._series_of(task_id)
        task = await self._own(task_id, if_match)
        await self.change(task, {"deleted_at": now()}, "tasks.delete")
        if series and task.status not in rules.CLOSED:
            await self.occurrences.succeed(series, task, "skipped")

    async def restore(self, task_id: UUID) -> TaskOut:
        """Raises NotFound when it is not in this person's trash."""
        task = await self.locked(trashed_by(self.owner_id), TASK.id == task_id)
        if task.status not in rules.CLOSED:
            await self.occurrences.reopen(task)
        return task_out(await self.change(task, {"deleted_at": None}, "tasks.restore"))

    async def complete(self, task_id: UUID, if_match: frozenset[int] | None) -> Completed:
        """Close a task, and bring up the next turn of its series with it; raises NotFound, Stale, Conflict."""
        series = await self._series_of(task_id)
        task = await self._own(task_id, if_match)
        if task.status in rules.CLOSED:
            raise Conflict("This task is already done.")
        await self.change(task, {"status": "done", "completed_at": now()}, "tasks.complete")
        following = await self.occurrences.succeed(series, task, "done") if series else None
        return Completed(**structs.asdict(task_out(task)), next_task=task_out(following) if following else None)

    async def reopen(self, task_id: UUID, if_match: frozenset[int] | None) -> TaskOut:
        """Open a closed task again; raises NotFound, Stale, Conflict."""
        task = await self._own(task_id, if_match)
        if task.status not in rules.CLOSED:
            raise Conflict("This task is open.")
        await self.occurrences.reopen(task)
        return task_out(await self.change(task, {"status": "open", "completed_at": None}, "tasks.reopen"))

    async def _series_of(self, task_id: UUID) -> Series | None:
        return await self.occurrences.series.lock_of(
            select(TASK.series_id).where(visible_to(self.owner_id), TASK.id == task_id)
        )

    async def _own(self, task_id: UUID, if_match: frozenset[int] | None) -> Task:
        task = await self.locked(visible_to(self.owner_id), TASK.id == task_id)
        if if_match is not None and task.version not in if_match:
            raise Stale(task_out(task))
        return task


async def add_alone(database: Database, actor: Actor, data: TaskIn) -> TaskOut:
    """Add a task that begins no series, in one round trip; raises Invalid for a due that does not exist."""
    task = new_task(data, actor)
    await insert_alone(database, actor, task, "tasks.add")
    return task_out(task)


def new_task(data: TaskIn, actor: Actor) -> Task:
    return Task(owner_id=actor.user_id, **values_of(data, actor.timezone))


def values_of(data: TaskIn | TaskPatch, owner_timezone: str) -> dict[str, Any]:
    """Column values of what was sent: moments as JSON, and the instant of `due`."""
    values = data.sent()
    values.pop("recurrence", None)
    for name in values.keys() & {"due", "start"}:
        values[name], instant = _moment(f"body.{name}", values[name], owner_timezone)
        if name == "due":
            values["due_at"] = instant
    return values


def _moment(field: str, moment: Moment | None, owner_timezone: str) -> tuple[dict[str, Any] | None, datetime | None]:
    if moment is None:
        return None, None
    if isinstance(moment, Zoned) and moment.timezone not in TIMEZONES:
        raise Invalid.field(f"{field}.timezone", "This is not an IANA time zone, such as Europe/Berlin.")
    stored = msgspec.to_builtins(moment)
    try:
        return stored, rules.instant_of(stored, owner_timezone)
    except ValueError:
        raise Invalid.field(field, "There is no such day or time.") from None


async def follow_timezone(session: AsyncSession, user_id: UUID) -> None:
    """After a person has moved: what is due "wherever they are" is due there now, and their series go on there."""
    timezone = await session.scalar(select(USER.timezone).where(USER.id == user_id).with_for_update())
    if timezone is None:
        return
    floating = select(Task).where(TASK.owner_id == user_id, TASK.due["kind"].astext != "zoned").with_for_update()
    for task in (await session.scalars(floating)).all():
        task.due_at = rules.instant_of(task.due or {}, timezone)
    await SeriesService(session, WORKER).move(user_id, timezone)
