"""Bringing up the turns of series as tasks, each once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Update, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import Repository, now
from todo.domain.recurrence.models import Series
from todo.domain.recurrence.rules.clock import to_local, written
from todo.domain.recurrence.rules.opening import due_at
from todo.domain.recurrence.rules.plan import Plan, Turn
from todo.domain.recurrence.rules.shift import due
from todo.domain.recurrence.rules.turns import after_completion
from todo.domain.recurrence.schemas import Recurrence
from todo.domain.recurrence.services import SeriesService, plan_of
from todo.domain.tasks import rules
from todo.domain.tasks.models import OCCURRENCE, Occurrence, Task
from todo.errors import Conflict

TEMPLATE = ("title", "notes", "priority", "estimate_minutes")  # what every turn of a series begins with


class TaskWriter(AuditedService[Task]):
    """Writes tasks with their trail."""

    class Repo(Repository[Task]):
        model_type = Task

    repository_type = Repo


def fields_of(series: Series, plan: Plan, turn: Turn) -> dict[str, Any]:
    """What a turn's task begins with."""
    return series.template | {
        "owner_id": series.owner_id,
        "due": rules.moment_at(due(plan, turn.nominal), series.kind, series.timezone),
        "due_at": due_at(plan, turn.nominal),
        "series_id": series.id,
        "occurrence": written(turn.nominal, all_day=series.kind == "day"),
    }


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

    async def _open(self, series: Series, plan: Plan, turn: Turn, action: str, task: Task | None = None) -> Task | None:
        """Write a turn's task and its ledger row; None when it has come up before."""
        task = task or Task(owner_id=series.owner_id, title="")
        for name, value in fields_of(series, plan, turn).items():
            setattr(task, name, value)
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

    async def _open_nominals(self, series: Series) -> Sequence[datetime]:
        still = select(OCCURRENCE.nominal).where(OCCURRENCE.series_id == series.id, OCCURRENCE.status == "open")
        return (await self.session.scalars(still.order_by(OCCURRENCE.nominal))).all()

    def _ledger(self, *statuses: str) -> Update:
        return update(Occurrence).where(OCCURRENCE.status.in_(statuses))
