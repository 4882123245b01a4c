"""Moving tasks and series to another project, which may belong to somebody else."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from todo.audit import name_actor
from todo.database import WriteSession, now, table_of
from todo.domain.accounts.models import USER, User
from todo.domain.projects.services.places import Place
from todo.domain.tasks import rules
from todo.domain.tasks.assignees import with_access
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.schemas import Scope
from todo.domain.tasks.series.models import Series
from todo.domain.tasks.series.services.occurrences import SeriesService, TaskWriter
from todo.domain.tasks.subtasks import change_all, descendants
from todo.errors import Invalid
from todo.queue import enqueue


class ProjectChange:
    """Moves a task to a locked project, with its subtasks or its series."""

    def __init__(self, series: SeriesService, place: Place):
        self.series = series
        self.place = place

    async def apply(
        self, series: Series | None, task: Task, values: dict[str, Any], scope: Scope
    ) -> dict[str, Any]:  # fmt: skip
        """Move what belongs to a locked task; the columns that the task itself must change. Raises Invalid."""
        if values.get("parent_id", task.parent_id) is not None and "parent_id" not in values:
            raise Invalid.field(
                "body.project_id", "A subtask is in the project of its parent: move that, or send `parent_id: null`."
            )
        if series and scope != "all":
            raise Invalid.field("query.scope", "A series is in one project: move all of it with `scope=all`.")
        await name_actor(self.series.session)
        moved: dict[str, Any] = {"project_id": self.place.project_id, "owner_id": self.place.owner_id}
        session = self.series.session
        others: list[Task] = []
        if series:
            template = await self._template(series)
            await self.series.update(moved | {"section_id": None, "template": template}, series, action="series.change")
            same = select(Task).where(TASK.series_id == series.id, TASK.id != task.id).order_by(TASK.id)
            others = list(await session.scalars(same.with_for_update(key_share=True)))
        below = await descendants(session, [task.id, *(other.id for other in others)])
        along = [*others, *below]
        staying = await self._end_assignments(task, along)
        left = {"section_id": None} if any(other.section_id for other in along) else {}
        await change_all(session, along, moved | left, "tasks.change")
        moved["section_id"] = values.get("section_id")
        if "assignee_ids" not in values:
            moved["assignee_ids"] = staying
        if "due" in values or task.owner_id == self.place.owner_id:
            return moved
        return moved | rules.instants_of(task.due, self.place.timezone)

    async def _with_access(self, people: Collection[UUID]) -> set[UUID]:
        return await with_access(self.series.session, self.place.project_id, self.place.owner_id, people)

    async def _template(self, series: Series) -> dict[str, Any]:
        """The template of a series for the assignees who see the project."""
        people = [UUID(person) for person in series.template.get("assignee_ids", ())]
        return series.template | {"assignee_ids": [str(person) for person in sorted(await self._with_access(people))]}

    async def _end_assignments(self, task: Task, along: Sequence[Task]) -> list[UUID]:
        """End the assignments of what moves along with a task to people who do not see the project.

        Return whom the task itself stays assigned to.
        """
        seeing = await self._with_access({person for one in (task, *along) for person in one.assignee_ids})
        writer = TaskWriter(self.series.session, self.series.actor)
        for one in along:
            staying = [person for person in one.assignee_ids if person in seeing]
            await writer.update({"assignee_ids": staying}, one, action="tasks.change")
        return [person for person in task.assignee_ids if person in seeing]


async def follow_timezone_of(session: WriteSession, owner_id: UUID) -> None:
    """Let the worker compute again what goes by the time zone of an owner, who gets tasks of somebody else."""
    pending = {"timezone_pending_since": now()}
    await session.execute(update(table_of(User)).where(USER.id == owner_id).values(pending))
    await enqueue(session, "follow_timezones")
