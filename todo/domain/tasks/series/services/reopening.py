"""Opening a closed occurrence again."""

from typing import Any

from msgspec import convert
from msgspec.structs import replace
from sqlalchemy import delete, select, text, update

from todo.audit import record
from todo.domain.recurrence.rules.timing import next_run_at
from todo.domain.tasks.models import FOLLOWING, TASK, Task
from todo.domain.tasks.series.models import OCCURRENCE, Occurrence, Series
from todo.domain.tasks.series.rules import ScheduleState, Undo
from todo.domain.tasks.series.services.occurrences import SeriesService
from todo.domain.tasks.subtasks import descendants

# Those that came with an occurrence follow the template of its series.
OWN_PART = text("""
    SELECT EXISTS (
        SELECT FROM reminders WHERE task_id = :task AND (template_id IS NULL OR snoozed_until IS NOT NULL))
        OR EXISTS (SELECT FROM comments WHERE task_id = :task)
        OR EXISTS (SELECT FROM dependencies WHERE :task IN (task_id, blocker_id))""")


class Reopening:
    """Takes back the closing of an occurrence, with what it opened."""

    def __init__(self, service: SeriesService):
        self.service = service
        self.session = service.session

    async def reopen(self, series: Series, task: Task) -> None:
        """Open the occurrence of a task again, and remove the one that its closing opened if nobody has changed that.

        So closing and reopening changes nothing. If the successor was changed, or the series has gone on, both are
        open and nothing is doubled.
        """
        row = await self.session.execute(
            select(OCCURRENCE.id, OCCURRENCE.undo).where(OCCURRENCE.task_id == task.id, OCCURRENCE.status != "open")
        )
        for occurrence_id, stored in row:
            opened = update(Occurrence).where(OCCURRENCE.id == occurrence_id)
            await self.session.execute(opened.values(status="open", closed_at=None, undo=None))
            if stored and await self._withdraw(series, undo := convert(stored, Undo)):
                await self.service.save_state(series, await self._restored(series, undo.before))
            else:  # two are open, and the older one may expire sooner
                await self.service.advance_as_it_is(series)

    async def _withdraw(self, series: Series, undo: Undo) -> bool:
        """Remove the occurrence that a closing opened; whether the series is now as that closing left it."""
        if series.version != undo.version:
            return False
        if undo.next is None:
            return series.status == "ended"
        if series.last_original_start != undo.next:
            return series.next_original_start == undo.next and series.n == undo.before.n
        is_it = (OCCURRENCE.series_id == series.id, OCCURRENCE.original_start == undo.next)
        query = select(Task).join(Occurrence, OCCURRENCE.task_id == TASK.id).where(*is_it, OCCURRENCE.status == "open")
        successor: Task | None = await self.session.scalar(query.with_for_update(of=Task))  # nobody comments on it now
        fresh = Task(**series.new_task_values(series.plan(), undo.next))
        if successor is None or _content(successor) != _content(fresh) or await self._is_worked_on(successor):
            return False
        await self.session.execute(delete(Occurrence).where(*is_it))
        await self.session.execute(delete(Task).where(TASK.id == successor.id))
        before = successor.model_dump()
        await record(self.session, "tasks.undo", "tasks", subject_id=successor.id, before=before)
        return True

    async def _restored(self, series: Series, before: ScheduleState) -> ScheduleState:
        """The state before a closing; a vacation that began or ended since changes when it goes on."""
        if before.next_run_at is None:
            return before
        plan = series.plan()
        still_open = await self.service.open_occurrences(series, plan)
        return replace(before, next_run_at=next_run_at(plan, before.next_original_start, still_open))

    async def _is_worked_on(self, task: Task) -> bool:
        """Whether anybody changed or added a subtask, a reminder, a comment or a dependency since it came up."""
        if await self.session.scalar(OWN_PART, {"task": task.id}):
            return True
        children = await descendants(self.session, [task.id])
        return any(child.version > 1 or child.created_at != task.created_at for child in children)


def _content(task: Task) -> dict[str, Any]:
    """What a person can have changed; the due of an unchanged task follows its owner's time zone."""
    return task.model_dump(exclude={"id", "created_at", "updated_at", "version", *FOLLOWING})
