"""Adding, changing, completing and deleting tasks."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from litestar import Response
from msgspec import UNSET, structs
from sqlalchemy import ColumnElement, and_, bindparam, or_, select

from todo.access import Actor
from todo.actions import Action
from todo.audit import insert_in_one_statement, update_in_one_statement
from todo.database import ACTOR, Database, Query, WriteSession, now, table_of
from todo.domain.accounts.models import USER
from todo.domain.projects.models import PROJECT, Project
from todo.domain.projects.rules import Verb
from todo.domain.projects.services.places import (
    Place,
    check_section,
    lock_access,
    lock_place,
    problem_of_row,
    project_of_section,
)
from todo.domain.recurrence.rules.preview import preview
from todo.domain.tasks import rules
from todo.domain.tasks.activities.services import concerns_others, note_activity, note_assigned
from todo.domain.tasks.assignees import check_assignees
from todo.domain.tasks.comments.models import COMMENT
from todo.domain.tasks.comments.services import erase_comments
from todo.domain.tasks.dependencies.queries import check_unblocked
from todo.domain.tasks.guards import allowed_to, trashed_by, visible_to
from todo.domain.tasks.models import FOLLOWING, TASK, Task
from todo.domain.tasks.order.services import Spot, find_after, key_after, lock_order
from todo.domain.tasks.queries import IS_OPEN, task_out, task_saved
from todo.domain.tasks.schemas import (
    Children,
    Completed,
    Moment,
    MoveAfter,
    Scope,
    TaskIn,
    TaskOut,
    TaskPatch,
    TaskSaved,
)
from todo.domain.tasks.series.locks import lock_owner, lock_owner_of, lock_tree
from todo.domain.tasks.series.models import Series
from todo.domain.tasks.series.services.edit import SeriesChanges, scope_of
from todo.domain.tasks.series.services.occurrences import SeriesService, TaskChange, TaskWriter
from todo.domain.tasks.series.services.reopening import Reopening
from todo.domain.tasks.series.statements import LOCK_OCCURRENCE
from todo.domain.tasks.services.project_changes import ProjectChange, follow_timezone_of
from todo.domain.tasks.services.purging import erase_values, require_purgeable
from todo.domain.tasks.services.values import new_task, values_of
from todo.domain.tasks.subtasks import change_all, check_parent, completed_with, descendants
from todo.errors import Conflict, Contention, Invalid, NotFound, Stale
from todo.http.idempotency import IdempotencyKey, stored_with

IN_ZONE = (
    select(USER.id)
    .join(Project, PROJECT.owner_id == USER.id)
    .where(USER.id == bindparam("owner"), USER.timezone == bindparam("timezone"))
    .where(PROJECT.id == bindparam("project"), PROJECT.archived_at.is_(None))
    .with_for_update(read=True, key_share=True)
)
IN_ZONE_WITH_ANSWER = stored_with(IN_ZONE)
ROW = Query(
    lambda *values: Task(**dict(zip(Task.model_fields, values, strict=True))),
    select(*(TASK[name] for name in Task.model_fields)).where(visible_to(ACTOR), TASK.id == bindparam("task")),
)
OTHER = table_of(Task).alias("other").c
# What the owner's time zone, the series, and other tasks have no part in.
PLAIN = frozenset({"title", "notes", "status", "priority", "estimate_minutes", "deadline", "labels"})


class Keyed(NamedTuple):
    """The idempotency key of a request to add a task, and its response."""

    key: IdempotencyKey
    respond: Callable[[TaskSaved], Response[TaskSaved]]


class TaskService(TaskWriter):
    """Changes tasks on behalf of a person, inside the caller's transaction: of the actor, or of `person`.

    Raises NotFound for tasks that the person does not see, Forbidden where their role in the project is not enough.
    With `database` the transaction is this service's alone: what one statement can do may be committed outside of it.
    """

    def __init__(
        self, session: WriteSession, actor: Actor, person: UUID | None = None, database: Database | None = None
    ):
        super().__init__(session, actor)
        self.person = person or actor.user_id
        self._database = database

    @cached_property
    def series(self) -> SeriesService:
        return SeriesService(self.session, self.actor)

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
        return await lock_place(self.session, self.person, project_id)

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

    async def _read(self, database: Database, task_id: UUID, if_match: frozenset[int] | None) -> Task:
        task = await database.primary.one_or_none(ROW, actor=self.person, task=task_id)
        if task is None:
            raise NotFound
        return _current(task, if_match)

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

    async def trash(self, task_id: UUID, if_match: frozenset[int] | None, scope: Scope = "this") -> None:
        """Move a task and its subtasks to the trash, from where it can be restored; raises NotFound, Stale, Invalid.

        `this` skips an occurrence, `following` ends its series with this occurrence and those after it, `all` with
        every open one.
        """
        series, task, timezone = await self.locked_with_owner(task_id, "edit", if_match)
        if scope != "this":
            await SeriesChanges(self.series).end_from(series, task, scope)
        deleted_at = now()
        values = {"deleted_at": deleted_at}
        if series and scope == "this" and task.status not in rules.CLOSED:
            change = TaskChange(values, "tasks.delete", "skipped")
            await self.series.close_and_open_next(series, task, change, timezone)
        else:
            await self.update(values, task, action="tasks.delete")
        subtasks = await descendants(self.session, [task.id], TASK.deleted_at.is_(None))
        await change_all(self.session, subtasks, values, "tasks.delete")

    async def restore(self, task_id: UUID) -> TaskOut:
        """Restore a task and the subtasks deleted with it; raises NotFound when it is not in the trash.

        One whose parent is still in the trash is below nothing: it would be deleted with that.
        """
        series, task, _ = await self.locked_with_owner(task_id, "edit", within=trashed_by)
        if series and task.status not in rules.CLOSED:
            await Reopening(self.series).reopen(series, task)
        subtasks = await descendants(self.session, [task.id], TASK.deleted_at == task.deleted_at)
        restored: dict[str, Any] = {"deleted_at": None}
        await change_all(self.session, subtasks, restored, "tasks.restore")
        if await self.session.scalar(select(TASK.id).where(TASK.id == task.parent_id, TASK.deleted_at.is_not(None))):
            restored["parent_id"] = None
        return task_out(await self._followed(await self.update(restored, task, action="tasks.restore"), subtasks))

    async def purge(self, task_id: UUID) -> None:
        """Delete a task in the trash permanently, with its subtasks; raises NotFound, Conflict."""
        _, task, _ = await self.locked_with_owner(task_id, "manage", within=trashed_by)
        await require_purgeable(self.session, task.id)
        ids = [task.id, *(subtask.id for subtask in await descendants(self.session, [task.id]))]
        await erase_comments(self.session, COMMENT.task_id.in_(ids))
        await self.delete(task, action="tasks.purge")
        await erase_values(self.session, ids)

    async def complete(self, task_id: UUID, if_match: frozenset[int] | None, children: Children = "leave") -> Completed:
        """Close a task, and open the next occurrence of its series; raises NotFound, Stale, Conflict.

        `children`: what happens to its open subtasks.
        """
        if self._database and children == "leave":
            task = await self._read(self._database, task_id, if_match)
            alone = task.series_id is None and task.parent_id is None and not task.blocked
            alone = alone and not concerns_others(task, self.actor)
            if alone and task.status not in rules.CLOSED and task.owner_id == self.person:
                done = {"status": "done", "completed_at": now()}
                if await update_in_one_statement(self._database, self.session.origin, task, "tasks.complete", done):
                    return Completed(**structs.asdict(task_out(task)), next_task=None)
        return await self._close(task_id, if_match, {"status": "done"}, "tasks.complete", children)

    async def skip(self, task_id: UUID, if_match: frozenset[int] | None) -> Completed:
        """Skip an occurrence, and open the next one; raises NotFound, Stale, Conflict."""
        return await self._close(task_id, if_match, {"status": "cancelled"}, "tasks.skip")

    async def cancel(self, task_id: UUID, if_match: frozenset[int] | None) -> Completed:
        """Close a task that is not done any more; an occurrence is skipped. Raises NotFound, Stale, Conflict."""
        return await self._close(task_id, if_match, {"status": "cancelled"}, "tasks.cancel")

    async def reopen(self, task_id: UUID, if_match: frozenset[int] | None) -> TaskOut:
        """Open a closed task again, with the subtasks that were completed with it and not changed since; what closing
        it opened is removed if it was not changed. Raises NotFound, Stale, Conflict.
        """
        series, task, _ = await self.locked_with_owner(task_id, "complete", if_match)
        if task.status not in rules.CLOSED:
            raise Conflict("This task is open.", slug="task-open")
        if series:
            await Reopening(self.series).reopen(series, task)
        opened = {"status": "open", "completed_at": None}
        subtasks = await descendants(self.session, [task.id], *completed_with(task))
        await change_all(self.session, subtasks, opened, "tasks.reopen")
        return task_out(await self._followed(await self.update(opened, task, action="tasks.reopen"), subtasks))

    async def _close(
        self,
        task_id: UUID,
        if_match: frozenset[int] | None,
        values: dict[str, Any],
        action: Action,
        children: Children = "leave",
    ) -> Completed:
        series, task, timezone = await self._locked_occurrence(task_id, if_match)
        if task.status in rules.CLOSED:
            raise Conflict(f"This task is already {task.status}.", slug="already-done")
        if series is None and action == "tasks.skip":
            raise Conflict("This task comes only once: complete, cancel or delete it.", slug="not-recurring")
        values = values | {"completed_at": now()}
        subtasks = await self._open_subtasks(task, children)
        if action == "tasks.complete":
            await check_unblocked(self.session, [task, *subtasks])
        following = None
        if series:
            change = TaskChange(values, action, "done" if action == "tasks.complete" else "skipped")
            following = await self.series.close_and_open_next(series, task, change, timezone)
        else:
            await self.update(values, task, action=action)
        await change_all(self.session, subtasks, values, action, values["completed_at"])
        await self._followed(task, subtasks)
        if action == "tasks.complete" and concerns_others(task, self.actor):
            await note_activity(self.session, self.actor, "completed", task.id)
        return Completed(**structs.asdict(task_out(task)), next_task=task_out(following) if following else None)

    async def _open_subtasks(self, task: Task, children: Children) -> Sequence[Task]:
        """The subtasks to complete with a task, locked; raises Conflict where none may be open."""
        if children == "leave":
            return ()
        found = await descendants(self.session, [task.id], TASK.deleted_at.is_(None), IS_OPEN)
        if found and children == "refuse":
            raise Conflict(
                f"Open subtasks: {len(found)}. Complete them first, or send `children=complete` or `children=leave`.",
                slug="subtasks-open",
            )
        return found

    async def _locked_occurrence(
        self, task_id: UUID, if_match: frozenset[int] | None
    ) -> tuple[Series | None, Task, str]:
        """`locked_with_owner` of a task to close; one statement for an occurrence of a series."""
        found = await self.session.execute(LOCK_OCCURRENCE, {"actor": self.person, "task": task_id})
        if row := found.first():
            series, task, timezone = row
            await lock_access(self.session, self.person, task.owner_id, task.project_id, "complete")
            return series, _current(task, if_match), timezone
        return await self.locked_with_owner(task_id, "complete", if_match)  # or one that has just changed

    async def locked_with_owner(
        self,
        task_id: UUID,
        verb: Verb,
        if_match: frozenset[int] | None = None,
        within: Callable[[UUID, Verb], ColumnElement[bool]] = allowed_to,
    ) -> tuple[Series | None, Task, str]:
        """A task, its series and the time zone of its owner, all locked; raises NotFound, Forbidden, Stale."""
        there = (within(self.person, verb), TASK.id == task_id)
        try:
            owner_id, timezone = await lock_owner_of(self.session, select(TASK.owner_id).where(*there))
            series = await self.series.lock_of(select(TASK.series_id).where(*there))
            task = await self._locked_below(task_id, there)
        except NotFound:
            raise await self._problem_of(task_id, verb, within) from None
        if task.series_id != (series.id if series else None) or task.owner_id != owner_id:
            raise Contention  # it has changed its series or its owner while we waited for the lock
        await lock_access(self.session, self.person, owner_id, task.project_id, verb)
        return series, _current(task, if_match), timezone

    async def _locked_below(self, task_id: UUID, there: Sequence[ColumnElement[bool]]) -> Task:
        """A task, locked after the one above it, whose progress changes with it; raises NotFound."""
        above = select(OTHER.parent_id).where(OTHER.id == task_id).scalar_subquery()
        both = select(Task).where(TASK.id.in_([task_id, above]), or_(TASK.id != task_id, and_(*there)))
        locked = both.order_by(TASK.id == task_id).with_for_update(key_share=True)
        rows = await self.session.scalars(locked.execution_options(populate_existing=True))
        for task in rows:
            if task.id == task_id:
                return task
        raise NotFound

    async def _followed(self, task: Task, changed: Sequence[Task]) -> Task:
        """A task with the progress that it has after a change of others, perhaps its subtasks."""
        if changed:
            await self.session.refresh(task, FOLLOWING)
        return task

    async def _problem_of(
        self, task_id: UUID, verb: Verb, within: Callable[[UUID, Verb], ColumnElement[bool]] = allowed_to
    ) -> Exception:
        seen = within(self.person, "see"), TASK.id == task_id
        return await problem_of_row(self.session, within(self.person, verb), *seen)


def _current(task: Task, if_match: frozenset[int] | None) -> Task:
    if if_match is not None and task.version not in if_match:
        raise Stale(task_out(task))
    return task


def _check_status(task: Task, data: TaskPatch) -> None:
    if task.status in rules.CLOSED and data.status is not UNSET:
        raise Conflict("This task is closed; reopen it first.", slug="task-closed")


def _refuse_subtask(other: UUID | None) -> None:
    """A task is either a subtask or recurring; the subtasks of an occurrence come back with it."""
    if other is not None:
        raise Invalid.field("body.parent_id", "A subtask cannot come back by itself; it comes back with its parent.")
