"""Skipping what is overdue in series, and going on with what comes next."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from todo.access import Actor
from todo.audit import record
from todo.database import WriteSession, now
from todo.domain.tasks import rules
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.queries import task_out
from todo.domain.tasks.series.locks import lock_owner
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series
from todo.domain.tasks.series.queries import series_out
from todo.domain.tasks.series.schemas import SkippedMissed
from todo.domain.tasks.series.services.occurrences import SeriesService, TaskChange, TaskWriter
from todo.domain.tasks.series.services.series import lock_series
from todo.errors import Stale

MAY_BE_LATE = or_(TASK.due_at < func.now(), SERIES.repeats_by == "start")
MOST = 200  # series in one request


class MissedWork:
    """Skips the overdue occurrences of series on behalf of a person; without one, of everybody's."""

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None):
        self.session = session
        self.person = person
        self.series = SeriesService(session, actor)
        self.tasks = TaskWriter(session, actor)

    async def skip(self, series_id: UUID, if_match: frozenset[int] | None = None) -> SkippedMissed:
        """Skip what is overdue of one series, and open what comes next. Raises NotFound, Stale."""
        series, timezone = await lock_series(self.series, self.person, "complete", series_id)
        if if_match is not None and series.version not in if_match:
            raise Stale(series_out(series))
        skipped, following = await self._skip(series, timezone)
        return SkippedMissed(skipped, 1 if skipped else 0, [task_out(task) for task in following], more=False)

    async def skip_all(self, owner_id: UUID) -> SkippedMissed:
        """The same for up to MOST series that one person owns, in the order of their ids. Raises Conflict."""
        timezone = await lock_owner(self.session, owner_id)
        late = select(OCCURRENCE.series_id).join(Task, TASK.id == OCCURRENCE.task_id)
        late = late.join(Series, SERIES.id == OCCURRENCE.series_id)
        late = late.where(SERIES.owner_id == owner_id, OCCURRENCE.status == "open", MAY_BE_LATE).distinct()
        found = (await self.session.scalars(late.order_by(OCCURRENCE.series_id).limit(MOST + 1))).all()
        answer = SkippedMissed(0, 0, [], more=len(found) > MOST)
        for series_id in found[:MOST]:
            series = await self.series.locked(SERIES.owner_id == owner_id, SERIES.id == series_id)
            skipped, following = await self._skip(series, timezone)
            answer.skipped += skipped
            answer.series += 1 if skipped else 0
            answer.next_tasks += [task_out(task) for task in following]
        return answer

    async def _skip(self, series: Series, timezone: str) -> tuple[int, Sequence[Task]]:
        """Skip the overdue occurrences of a locked series, the first first; how many, and what opened."""
        late = [task for task in await self._open_tasks(series) if _is_over(series.date_of(task), timezone)]
        following = []
        for task in late:
            change = TaskChange({"status": "cancelled", "completed_at": now()}, "tasks.skip", "skipped")
            following += [await self.series.close_and_open_next(series, task, change, timezone, jump=True)]
        if late:
            await record(
                self.session, "series.skip_missed", "series", subject_id=series.id, after={"skipped": len(late)}
            )
        return len(late), [task for task in following if task]

    async def _open_tasks(self, series: Series) -> Sequence[Task]:
        """The tasks of the open occurrences, locked in the order of their ids, returned in that of the occurrences."""
        query = select(Task, OCCURRENCE.original_start).join(Occurrence, OCCURRENCE.task_id == TASK.id)
        query = query.where(OCCURRENCE.series_id == series.id, OCCURRENCE.status == "open").order_by(TASK.id)
        found = await self.session.execute(query.with_for_update(of=Task, key_share=True))
        return [task for task, _ in sorted(found, key=lambda row: row[1])]


def _is_over(moment: dict[str, Any] | None, timezone: str) -> bool:
    return moment is not None and rules.overdue_at(moment, timezone) <= now()
