"""Adding, changing and moving tasks."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from uuid import UUID

from litestar import Response
from msgspec import UNSET
from sqlalchemy import bindparam, select

from todo.audit import insert_in_one_statement, update_in_one_statement
from todo.database import Database
from todo.domain.accounts.models import USER
from todo.domain.projects.models import PROJECT, Project
from todo.domain.projects.services.places import Place, check_section, lock_place, project_of_section
from todo.domain.recurrence.rules.preview import preview
from todo.domain.tasks import rules
from todo.domain.tasks.activities.services import note_assigned
from todo.domain.tasks.assignees import check_assignees
from todo.domain.tasks.guards import allowed_to, visible_to
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.order.services import Spot, find_after, key_after, lock_order
from todo.domain.tasks.queries import task_out, task_saved
from todo.domain.tasks.schemas import Moment, MoveAfter, Scope, TaskIn, TaskOut, TaskPatch, TaskSaved
from todo.domain.tasks.series.locks import lock_owner, lock_tree
from todo.domain.tasks.series.models import Series
from todo.domain.tasks.series.services.edit import SeriesChanges, scope_of
from todo.domain.tasks.services.locked import LockedTasks
from todo.domain.tasks.services.project_changes import ProjectChange, follow_timezone_of
from todo.domain.tasks.services.values import new_task, values_of
from todo.domain.tasks.subtasks import check_parent
from todo.errors import Conflict, Contention, Invalid, NotFound
from todo.http.idempotency import IdempotencyKey, stored_with

IN_ZONE = (
    select(USER.id)
    .join(Project, PROJECT.owner_id == USER.id)
    .where(USER.id == bindparam("owner"), USER.timezone == bindparam("timezone"))
    .where(PROJECT.id == bindparam("project"), PROJECT.archived_at.is_(None))
    .with_for_update(read=True, key_share=True)
)
IN_ZONE_WITH_ANSWER = stored_with(IN_ZONE)
# What the owner's time zone, the series, and other tasks have no part in.
PLAIN = frozenset({"title", "notes", "status", "priority", "estimate_minutes", "deadline", "labels"})


class Keyed(NamedTuple):
    """The idempotency key of a request to add a task, and its response."""

    key: IdempotencyKey
    respond: Callable[[TaskSaved], Response[TaskSaved]]


class TaskService(LockedTasks):
    """Adds tasks, changes them, and moves them in time and order; raises as `LockedTasks`."""

    async def add(self, data: TaskIn, keyed: Keyed | None = None) -> TaskSaved:
        """Add a task; with a rule, the first occurrence of a series. Raises Invalid for due, parent or rule.

        The response is stored with the task when it has an idempotency key; raises like `IdempotencyKey.take`.
        """
        database = keyed.key.database if keyed else self._database
        alone = data.recurrence is None and data.parent_id is None and data.section_id is None
        if database and alone and not data.assignee_ids:
            place = Place(data.project_id or self.person, self.person, self.actor.timezone)
            task = new_task(data, place, self.actor.id)
            if await self._add_at_once(database, task, keyed):
                return task_saved(task, [])
        if keyed:
            await keyed.key.take()
        place = await self._place(data)
        task = new_task(data, place, self.actor.id)
        if data.section_id is not None:
            await check_section(self.session, place.project_id, data.section_id)
        if data.parent_id is not None:
            await check_parent(self.session, place.project_id, data.parent_id)
        await check_assignees(self.session, place.project_id, place.owner_id, (), task.assignee_ids)
        if data.recurrence is not None:
            _refuse_subtask(task.parent_id)
            for name, value in (await self.series.begin(task, data.recurrence, place.timezone)).items():
                setattr(task, name, value)
        await self.create(task, action="tasks.add")
        await note_assigned(self.session, self.actor, task, ())
        return await self._saved(task, None)

    async def _place(self, data: TaskIn) -> Place:
        """Where a new task goes, locked: to the project of its parent, of its section, that was sent, or the inbox."""
        project_id = data.project_id
        if data.section_id is not None and data.parent_id is None and project_id is None:
            project_id = await project_of_section(self.session, self.person, data.section_id)
        if data.parent_id is not None:
            _, found = await self._lock_tree_of(data.parent_id, field="body.parent_id")
            if project_id not in (None, found):
                raise Invalid.field("body.project_id", "A subtask is in the project of its parent.")
            project_id = found
        if project_id in (None, self.person):
            return Place(self.person, self.person, await lock_owner(self.session, self.person))
        lock = partial(lock_place, self.session, self.person, project_id)
        return await self.session.once(("place", self.person, project_id), lock)

    async def _lock_tree_of(self, task_id: UUID, field: str | None = None) -> tuple[UUID, UUID]:
        """Lock the tree with a task that the person may change; return the owner and the project of the task.

        Raises NotFound, or Invalid for the `field` that names the task.
        """
        query = select(TASK.owner_id, TASK.project_id).where(allowed_to(self.person, "edit"), TASK.id == task_id)
        found = (await self.session.execute(query)).one_or_none()
        if found is None:
            problem = await self._problem_of(task_id, "edit")
            if field and isinstance(problem, NotFound):
                raise Invalid.field(field, "There is no such task.", "not_found")
            raise problem
        await lock_tree(self.session, found.owner_id)
        return found.owner_id, found.project_id

    async def _saved(self, task: Task, old_series_id: UUID | None) -> TaskSaved:
        if task.series_id is None or task.series_id == old_series_id:
            return task_saved(task, [])
        series = await self.session.get_one(Series, task.series_id)
        return task_saved(task, preview(series.plan(), 0, series.owner_timezone).warnings)

    async def _add_at_once(self, database: Database, task: Task, keyed: Keyed | None) -> bool:
        """Add a task in one round trip; False when the actor's time zone has changed since it was remembered, or when
        the key is in use or has been.
        """
        return await insert_in_one_statement(
            database,
            self.session.origin,
            task,
            "tasks.add",
            IN_ZONE_WITH_ANSWER if keyed else IN_ZONE,
            owner=task.owner_id,
            timezone=self.actor.timezone,
            project=task.project_id,
            **(keyed.key.parameters(keyed.respond(task_saved(task, []))) if keyed else {}),
        )

    async def change_fields(
        self, task_id: UUID, data: TaskPatch, if_match: frozenset[int] | None, scope: Scope | None = None
    ) -> TaskSaved:
        """Change what was sent, in this occurrence or in its series; raises NotFound, Stale, Invalid, Conflict."""
        sent = data.sent()
        scope = scope_of(sent, scope)
        if self._database and scope == "this" and sent.keys() <= PLAIN:
            task = await self._change_at_once(self._database, task_id, data, if_match)
            if task:
                return task_saved(task, [])
        target = await self._target(task_id, data)
        series, task, timezone = await self.locked_with_owner(task_id, "edit", if_match)
        _check_status(task, data)
        values, series_id = values_of(data, target.timezone if target else timezone), task.series_id
        if target and target.project_id != task.project_id:
            values |= await ProjectChange(self.series, target).apply(series, task, values, scope)
        if values.get("section_id") is not None:
            await check_section(self.session, values.get("project_id", task.project_id), values["section_id"])
        if (parent_id := values.get("parent_id")) is not None:
            _refuse_subtask(task.series_id)
            await check_parent(self.session, values.get("project_id", task.project_id), parent_id, task)
        if "assignee_ids" in values:
            place = values.get("project_id", task.project_id), values.get("owner_id", task.owner_id)
            await check_assignees(self.session, *place, task.assignee_ids, values["assignee_ids"])
        if scope != "this" or "recurrence" in sent:
            values |= await SeriesChanges(self.series).apply(series, task, values, data, scope, timezone)
        elif series:
            await self.series.note_moved(series, task, values)
        before = task.assignee_ids
        changed = await self.update(values, task, action="tasks.change")
        await note_assigned(self.session, self.actor, changed, before)
        if series and series.repeats_by in values:
            await self.series.advance_as_it_is(series)
        return await self._saved(changed, series_id)

    async def _target(self, task_id: UUID, data: TaskPatch) -> Place | None:
        """The project that a task is to move to, locked, with the tree of the task where it gets another place."""
        if not data.sent().keys() & {"parent_id", "project_id"}:
            return None
        owner_id, _ = await self._lock_tree_of(task_id)
        if data.project_id is UNSET:
            return None
        place = await lock_place(self.session, self.person, data.project_id)
        if place.owner_id != owner_id:
            await follow_timezone_of(self.session, place.owner_id)
        return place

    async def _change_at_once(
        self, database: Database, task_id: UUID, data: TaskPatch, if_match: frozenset[int] | None
    ) -> Task | None:
        """Change a task without a lock, in two round trips; None when somebody else changed it between them."""
        task = await self._read(database, task_id, if_match)
        if task.owner_id != self.person:
            return None
        _check_status(task, data)
        values = values_of(data, "")
        done = await update_in_one_statement(database, self.session.origin, task, "tasks.change", values)
        return task if done else None

    async def move(self, task_id: UUID, due: Moment, if_match: frozenset[int] | None) -> TaskOut:
        """Give an open task another due; raises NotFound, Stale, Invalid, Conflict."""
        series, task, timezone = await self.locked_with_owner(task_id, "edit", if_match)
        if task.status in rules.CLOSED:
            raise Conflict("This task is closed; reopen it first.", slug="task-closed")
        values = values_of(TaskPatch(due=due), timezone)
        if series and series.repeats_by == "start":
            raise Invalid.field("body.due", "This series repeats by its start: change `start` of the task instead.")
        if series:
            await self.series.note_moved(series, task, values)
        moved = await self.update(values, task, action="tasks.move")
        if series:
            await self.series.advance_as_it_is(series)
        return task_out(moved)

    async def move_after(self, task_id: UUID, data: MoveAfter, if_match: frozenset[int] | None) -> TaskOut:
        """Give a task its place in the order of its project; raises NotFound, Forbidden, Stale, Invalid."""
        there = select(TASK.project_id).where(visible_to(self.person), TASK.id == task_id)
        project_id = await self.session.scalar(there)
        if project_id is None:
            raise NotFound
        await lock_order(self.session, project_id)
        _, task, _ = await self.locked_with_owner(task_id, "edit", if_match)
        if task.project_id != project_id:
            raise Contention
        after = await find_after(self.session, task, data.after_id) if data.after_id else None
        section_id = after.section_id if after else task.section_id
        if data.section_id is not UNSET:
            if after and data.section_id != section_id:
                raise Invalid.field("body.section_id", "The task to come after is in another section.")
            section_id = data.section_id
        if section_id and section_id != task.section_id:
            await check_section(self.session, project_id, section_id)
        key = await key_after(self.session, task, Spot(project_id, section_id, task.parent_id), after)
        values = {"position": key, "section_id": section_id}
        return task_out(await self.update(values, task, action="tasks.order"))


def _check_status(task: Task, data: TaskPatch) -> None:
    if task.status in rules.CLOSED and data.status is not UNSET:
        raise Conflict("This task is closed; reopen it first.", slug="task-closed")


def _refuse_subtask(other: UUID | None) -> None:
    """A task is either a subtask or recurring; the subtasks of an occurrence come back with it."""
    if other is not None:
        raise Invalid.field("body.parent_id", "A subtask cannot come back by itself; it comes back with its parent.")
