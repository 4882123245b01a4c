"""Bringing up the turns of series as tasks, each once."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Update, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import Repository, now
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
from todo.domain.tasks.models import OCCURRENCE, TASK, Occurrence, Task
from todo.errors import Conflict

log = logging.getLogger(__name__)
TEMPLATE = ("title", "notes", "priority", "estimate_minutes")  # what every turn of a series begins with


class TaskWriter(AuditedService[Task]):
    """Writes tasks with their trail."""

    class Repo(Repository[Task]):
        model_type = Task

    repository_type = Repo


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
