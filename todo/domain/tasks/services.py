"""Adding, changing, completing and finding tasks."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, structs
from sqlalchemy import String, Update, any_, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import WORKER, Actor
from todo.audit import AuditedService, insert_alone
from todo.database import ACTOR, Database, Direct, Query, Repository, now
from todo.domain.accounts.models import USER
from todo.domain.accounts.rules import TIMEZONES
from todo.domain.recurrence.models import Series
from todo.domain.recurrence.rules.catch_up import catch_up
from todo.domain.recurrence.rules.clock import to_local, written
from todo.domain.recurrence.rules.opening import due_at
from todo.domain.recurrence.rules.plan import Plan, Turn
from todo.domain.recurrence.rules.shift import due
from todo.domain.recurrence.rules.turns import after_completion
from todo.domain.recurrence.schemas import Recurrence
from todo.domain.recurrence.services import SeriesService, plan_of
from todo.domain.tasks import rules
from todo.domain.tasks.guards import trashed_by, visible_to
from todo.domain.tasks.models import FAR_AWAY, OCCURRENCE, TASK, Occurrence, Task
from todo.domain.tasks.schemas import Completed, Moment, TaskIn, TaskOut, TaskPatch, Zoned
from todo.errors import Conflict, Invalid, NotFound, Stale
from todo.listing import Listing, Sort
from todo.schema import Instant, Page

COLUMNS = select(
    TASK.id, TASK.version, TASK.title, TASK.notes, TASK.status, TASK.priority, TASK.due, TASK.due_at, TASK.start,
    TASK.deadline, TASK.estimate_minutes, TASK.series_id, TASK.occurrence, TASK.created_at, TASK.updated_at,
    TASK.completed_at, TASK.owner_id,
)  # fmt: skip
log = logging.getLogger(__name__)
TEMPLATE = ("title", "notes", "priority", "estimate_minutes")  # what every turn of a series begins with
FAR = datetime(9999, 12, 31, tzinfo=UTC)  # where tasks without a due date sort

READ = Query(TaskOut, COLUMNS.where(visible_to(ACTOR), TASK.id == bindparam("task")))
SORTS = {
    "id": Sort(TASK.id, UUID, lambda task: task.id),
    "created_at": Sort(TASK.created_at, Instant, lambda task: task.created_at),
    "updated_at": Sort(TASK.updated_at, Instant, lambda task: task.updated_at),
    "due_at": Sort(func.coalesce(TASK.due_at, literal_column(FAR_AWAY)), Instant, lambda task: task.due_at or FAR),
    "priority": Sort(TASK.priority, int, lambda task: task.priority),
}
FILTERS = {
    "status": TASK.status == any_(bindparam("status", type_=ARRAY(String))),
    "priority": TASK.priority == bindparam("priority"),
    "due_before": TASK.due_at < bindparam("due_before"),
    "due_after": TASK.due_at >= bindparam("due_after"),
    "series_id": TASK.series_id == bindparam("series_id"),
}
TASKS = Listing(TaskOut, COLUMNS.where(visible_to(ACTOR)), filters=FILTERS, sorts=SORTS, default="-created_at")
TRASH = Listing(TaskOut, COLUMNS.where(trashed_by(ACTOR)), filters={}, sorts=SORTS, default="-updated_at")


class TaskReads:
    """What one person can see of the tasks."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor.user_id

    async def one(self, task_id: UUID) -> TaskOut:
        """Raises NotFound."""
        task = await self._reads.one_or_none(READ, actor=self._actor, task=task_id)
        if task is None:
            raise NotFound
        return task

    async def page(self, filters: Mapping[str, Any], **options: Any) -> Page[TaskOut]:
        """Raises Invalid for an undeclared sort field or a cursor that is none of ours."""
        return await TASKS.page(self._reads, filters, actor=self._actor, **options)

    async def trash(self, **options: Any) -> Page[TaskOut]:
        return await TRASH.page(self._reads, {}, actor=self._actor, **options)


def task_out(task: Task) -> TaskOut:
    """A loaded row as the wire shows it."""
    return TaskOut(*(getattr(task, column.name) for column in COLUMNS.selected_columns))


class OccurrenceService(AuditedService[Occurrence]):
    """Brings up the turns of series as tasks, each once: the ledger's unique (series, nominal time) sees to that."""

    class Repo(Repository[Occurrence]):
        model_type = Occurrence

    repository_type = Repo

    def __init__(self, session: AsyncSession, actor: Actor):
        super().__init__(session, actor)
        self.series = SeriesService(session, actor)

    async def begin(self, task: Task, recurrence: Recurrence) -> Task:
        """Make a new task the first turn of a series; without a due it begins today. Raises Invalid."""
        if task.due is None:
            today = datetime.now(ZoneInfo(self.actor.timezone)).date()
            task.due = {"kind": "day", "date": today.isoformat()}
        template = {name: getattr(task, name) for name in TEMPLATE}
        series, plan, turn = await self.series.begin(
            recurrence, rules.nominal_of(task.due), task.due["kind"], task.due.get("timezone"), template
        )
        opened = await self._open(series, plan, turn, "tasks.add", task)
        if opened is None:
            raise Conflict("This occurrence is there already.")
        return opened

    async def succeed(self, series: Series, task: Task, status: str) -> Task | None:
        """Close a task's turn as done or skipped, and bring up the next unless another is open already."""
        closed_at = now()
        closed = self._ledger("open").where(OCCURRENCE.task_id == task.id).values(status=status, closed_at=closed_at)
        await self.session.execute(closed)
        if series.status != "active" or series.last_nominal is None or await self._open_nominals(series):
            return None
        plan = plan_of(series)
        turn = after_completion(plan, series.last_nominal, to_local(closed_at, plan.timezone), series.n)
        if turn is None:
            await self.series.end(series)
            return None
        opened = await self._open(series, plan, turn, "tasks.open")
        await self.series.advance_past(series, plan, turn)
        return opened

    async def reopen(self, task: Task) -> None:
        """Open the turn of a task that is open again."""
        closed = self._ledger("done", "skipped", "missed").where(OCCURRENCE.task_id == task.id)
        await self.session.execute(closed.values(status="open", closed_at=None))

    async def open_due(self, limit: int = 100) -> int:
        """Bring up every turn whose time has come, of up to `limit` series; the number of series looked at."""
        claimed = await self.series.claim(limit)
        # The clock that says what is due is the database's.
        moment: datetime = (await self.session.execute(select(func.now()))).scalar_one()
        for series in claimed:
            series_id, failures = series.id, series.failures
            try:
                async with self.session.begin_nested():
                    await self._catch_up(series, moment)
            except Exception as error:  # one series that cannot be opened must not stop the others
                log.exception("series %s is set aside", series_id)
                await self.series.set_aside(series_id, failures + 1, error)
        return len(claimed)

    async def _catch_up(self, series: Series, moment: datetime) -> None:
        plan = plan_of(series)
        waiting = Turn(series.next_nominal, series.next_n or 0) if series.next_nominal else None
        decision = catch_up(plan, waiting, await self._open_nominals(series), moment)
        for nominal in decision.closes:
            await self._miss(series, nominal)
        for turn in decision.missed:
            await self._enter(series, turn.nominal, status="missed", closed_at=now())
        for turn in decision.opens:
            await self._open(series, plan, turn, "tasks.open")
        last = max((*decision.opens, *decision.missed), default=Turn(series.last_nominal or series.start, series.n))
        await self.series.advance(series, plan, last, decision.next)

    async def _open(self, series: Series, plan: Plan, turn: Turn, action: str, task: Task | None = None) -> Task | None:
        """Write a turn's task and its ledger row; None when it has come up before."""
        task = task or Task(owner_id=series.owner_id, title="")
        for name, value in series.template.items():
            setattr(task, name, value)
        task.due = rules.moment_at(due(plan, turn.nominal), series.kind, series.timezone)
        task.due_at = due_at(plan, turn.nominal)
        task.series_id, task.occurrence = series.id, written(turn.nominal, all_day=series.kind == "day")
        if not await self._enter(series, turn.nominal, task_id=task.id):
            return None
        return await TaskWriter(self.session, self.actor).insert(task, action)

    async def _enter(self, series: Series, nominal: datetime, **values: Any) -> bool:
        """Claim a turn's place in the ledger; False when somebody has it."""
        row = Occurrence(series_id=series.id, nominal=nominal, **values).model_dump()
        entered = await self.session.execute(
            insert(Occurrence).values(row).on_conflict_do_nothing().returning(OCCURRENCE.id)
        )
        return entered.first() is not None

    async def _miss(self, series: Series, nominal: datetime) -> None:
        """Close an open turn as missed, and its task as cancelled."""
        missed = self._ledger("open").where(OCCURRENCE.series_id == series.id, OCCURRENCE.nominal == nominal)
        task_id = await self.session.scalar(
            missed.values(status="missed", closed_at=now()).returning(OCCURRENCE.task_id)
        )
        tasks = TaskWriter(self.session, self.actor)
        task = await tasks.get_one_or_none(TASK.id == task_id, with_for_update=True)
        if task is not None and task.status not in rules.CLOSED:
            await tasks.change(task, {"status": "cancelled", "completed_at": now()}, "tasks.miss")

    async def _open_nominals(self, series: Series) -> Sequence[datetime]:
        still = select(OCCURRENCE.nominal).where(OCCURRENCE.series_id == series.id, OCCURRENCE.status == "open")
        return (await self.session.scalars(still.order_by(OCCURRENCE.nominal))).all()

    def _ledger(self, *statuses: str) -> Update:
        return update(Occurrence).where(OCCURRENCE.status.in_(statuses))


class TaskWriter(AuditedService[Task]):
    """Writes tasks with their trail."""

    class Repo(Repository[Task]):
        model_type = Task

    repository_type = Repo


class TaskService(TaskWriter):
    """Changes one person's tasks, inside the caller's transaction."""

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
        task = await self.locked(trashed_by(self.actor.user_id), TASK.id == task_id)
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
            select(TASK.series_id).where(visible_to(self.actor.user_id), TASK.id == task_id)
        )

    async def _own(self, task_id: UUID, if_match: frozenset[int] | None) -> Task:
        task = await self.locked(visible_to(self.actor.user_id), TASK.id == task_id)
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
