"""Tasks, as operators see them."""

from collections.abc import Collection, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, any_, func, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, Computed, ModelAdmin, action
from todo.admin.fields import TextFormat
from todo.admin.inlines import Inline
from todo.database import ACTOR, Database, WriteSession
from todo.domain.accounts.models import USER
from todo.domain.projects.queries import VISIBLE_PEOPLE
from todo.domain.recurrence.schemas import Recurrence
from todo.domain.tasks import rules
from todo.domain.tasks.admin.due_format import MOMENT
from todo.domain.tasks.guards import reachable
from todo.domain.tasks.held import held, hold
from todo.domain.tasks.labels.rules import Labels
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.schemas import (
    PRIORITY_NAMES,
    Assignees,
    Minutes,
    Moment,
    Priority,
    Status,
    TaskIn,
    TaskOut,
    TaskPatch,
    Title,
)
from todo.domain.tasks.series.locks import lock_owner
from todo.domain.tasks.series.models import SERIES
from todo.domain.tasks.series.services.occurrences import SeriesService
from todo.domain.tasks.services.closing import ClosingService
from todo.domain.tasks.services.explaining import TIMEZONE
from todo.domain.tasks.services.tasks import TaskService
from todo.domain.tasks.services.trash import TrashService
from todo.domain.tasks.subtasks import descendants
from todo.errors import Invalid
from todo.schema import Text

OWN_TASKS = reachable(ACTOR)
RULE_OF_SERIES = (
    select(func.jsonb_build_object("rrule", SERIES.rrule)).where(SERIES.id == TASK.series_id).scalar_subquery()
)
_assignees = select(USER.name).where(USER.id == any_(TASK.assignee_ids)).order_by(USER.name, USER.id)
_known = _assignees.where(USER.id.in_(VISIBLE_PEOPLE))
ASSIGNEES = func.array(_assignees.correlate(Task).scalar_subquery())
KNOWN_ASSIGNEES = func.array(_known.correlate(Task).scalar_subquery())
RRULE = TextFormat(
    lambda text: {"rrule": text}, itemgetter("rrule"), "An RFC 5545 rule, such as FREQ=MONTHLY;BYMONTHDAY=31."
)


class TaskAdmin(ModelAdmin[Task]):
    model = Task
    icon, group = "check", "Work"
    display = "title"
    help = "All tasks you may see, with their owners."
    columns = ("title", "status", "priority", "due_at", "owner_id", "assignees", "created_at")
    types = {
        "title": Title, "notes": Text, "status": Status, "priority": Priority, "due": Moment, "start": Moment,
        "estimate_minutes": Minutes, "labels": Labels, "assignee_ids": Assignees,
    }  # fmt: skip
    references = {"assignee_ids": "users"}
    field_labels = {"assignee_ids": "Assigned to"}
    filters = (
        "status", "priority", "due_at", "owner_id", "assignee_ids", "project_id", "series_id", "parent_id",
        "created_at", "owner.email", "owner.status", "project.name", "project.owner.email", "series.status",
    )  # fmt: skip
    search = ("title",)
    sorts = ("created_at", "due_at", "priority")
    sums = ("estimate_minutes",)
    sort = "-created_at"  # of one owner, too, an index has this order
    date_hierarchy = "created_at"
    fieldsets = {
        "Task": (
            "title",
            "notes",
            "status",
            "priority",
            "labels",
            "assignees",
            "assignee_ids",
            "owner_id",
            "project_id",
            "section_id",
            "parent_id",
            "created_by",
        ),
        "When": ("due", "due_at", "overdue_at", "start", "deadline", "estimate_minutes"),
        "History": ("created_at", "completed_at"),
        "Series": ("recurrence", "series_id", "occurrence"),
    }
    tabs = {
        "Task": ("Task", "When"), "Recurrence": ("Series", "occurrences"), "Subtasks": ("tasks", "dependencies"),
        "Comments": ("comments",), "Reminders": ("reminders",),
    }  # fmt: skip
    widgets = {"notes": "markdown", "recurrence": "recurrence_field.html"}
    badges = {"priority": {"3": "warn", "4": "bad"}, "blocked": {"true": "warn"}}
    shown_if = {"completed_at": ("status", ("done", "cancelled"))}
    computed = {
        "recurrence": Computed(RULE_OF_SERIES, Recurrence),
        "assignees": Computed(ASSIGNEES, list[str], of="users", known=KNOWN_ASSIGNEES),
    }  # fmt: skip
    help_texts = {
        "created_at": "Of a task from elsewhere: when it was added there.",
        "completed_at": "Of a task that is done or cancelled: when it was closed; now without it.",
    }
    settable = {"status": ("open", "in_progress", "waiting")}  # others by actions, so that a series goes on
    value_names = {"priority": PRIORITY_NAMES}
    text_formats = {"due": MOMENT, "start": MOMENT, "recurrence": RRULE}
    inlines = (
        Inline("tasks", via="parent_id"),
        Inline("dependencies", via="task_id"),
        Inline("comments", via="task_id"),
        Inline("reminders", via="task_id"),
        Inline("occurrences", via="task_id"),
    )
    hidden = ("words",)  # what searches read
    heavy = ("notes", "recurrence")
    editable = (
        "title", "notes", "status", "priority", "due", "start", "deadline", "estimate_minutes", "labels",
        "assignee_ids", "project_id", "section_id", "parent_id",
    )  # fmt: skip
    only_on_add = ("owner_id", "recurrence", "created_at", "completed_at")  # with the history of tasks from elsewhere
    defaults = {
        "owner_id": lambda actor: actor.id,
        "project_id": lambda _: None,
        "section_id": lambda _: None,
    }  # the inbox of the owner
    trash = "deleted_at"
    verbs = ("view", "add", "change", "delete", "purge", "export", "import", "explain")
    every_row = "tasks.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_TASKS

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        """Closed tasks are reopened, open ones completed; what lies in the trash is restored first."""
        if row.deleted_at is not None:
            kept = {"view", "delete", "purge", "export", "explain"}
            return "" if verb in kept else "This task is in the trash: restore it first."
        closed = row.status in rules.CLOSED
        if closed and verb in {"cancel", "complete", "complete_all", "skip"}:
            return "This task is closed: reopen it first."
        if verb == "skip" and row.series_id is None:
            return "This task comes only once: complete, cancel or delete it."
        return "This task is open: only closed tasks can be reopened." if verb == "reopen" and not closed else ""

    async def timezone_of(self, database: Database, actor: Actor, row: Any) -> str:
        """That of the owner."""
        return await database.reads.one_or_none(TIMEZONE, owner=row.owner_id) or actor.timezone

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """The owner and the series come before the task: see `series/locks.py`."""
        await lock_owner(do.session, select(TASK.owner_id).where(TASK.id == row_id))
        await SeriesService(do.session, do.actor).lock_of(select(TASK.series_id).where(TASK.id == row_id))

    async def hold(self, do: ActionContext, ids: Sequence[UUID]) -> None:
        await hold(do.session, ids, None if do.actor.may(self.every_row) else do.actor.user_id)

    def held(self, session: WriteSession, row_id: UUID) -> Task | None:
        found = held(session, row_id)
        return found.task if found else None

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> TaskOut:
        owner_id = values.pop("owner_id", None)
        if owner_id is None:
            raise Invalid.field("body.owner_id", "Give the id of the owner.")
        added = await _service(do, owner_id).add(TaskIn(**values))
        if not do.actor.may(self.every_row) and owner_id != do.actor.user_id:
            owner = await do.session.scalar(select(TASK.owner_id).where(TASK.id == added.id))
            if owner != owner_id:  # they may add tasks for the owner of a project shared with them
                raise Invalid.field("body.owner_id", "There is no such user.", "not_found")
        return added

    async def change_row(self, do: ActionContext, row: Task, values: dict[str, Any]) -> None:
        _require_open(values, row)
        service = _service(do, row.owner_id)
        await service.change_fields(row.id, TaskPatch(**values), None)

    async def trash_row(self, do: ActionContext, row: Task) -> None:
        await _trash(do, row.owner_id).trash(row.id, None)

    async def remove_added(self, do: ActionContext, row: Task) -> None:
        """With its series, which the import began: it is not to go on."""
        await _trash(do, row.owner_id).trash(row.id, None, "all" if row.series_id else "this")

    async def delete_row(self, do: ActionContext, row: Task) -> None:
        await _trash(do, row.owner_id).purge(row.id)

    async def in_order(self, do: ActionContext, ids: Sequence[UUID]) -> Sequence[UUID]:
        """Parents first: subtasks are deleted and restored with them."""
        below_others = await do.session.scalars(select(TASK.id).where(TASK.id.in_(ids), TASK.parent_id.is_not(None)))
        return sorted(ids, key=set(below_others).__contains__)

    async def count_cascade(self, do: ActionContext, ids: Collection[UUID]) -> int:
        """Their subtasks."""
        found = await descendants(do.session, list(ids), TASK.deleted_at.is_(None))
        return len({task.id for task in found} - set(ids))

    async def restore_row(self, do: ActionContext, row: Task) -> None:
        await _trash(do, row.owner_id).restore(row.id)

    @action("Complete")
    async def complete(self, do: ActionContext, row: Task) -> None:
        """Close it as done; the next occurrence of its series opens."""
        await _closing(do, row.owner_id).complete(row.id, None)

    @action("Complete with subtasks")
    async def complete_all(self, do: ActionContext, row: Task) -> None:
        """Close it and its open subtasks as done; the next occurrence of its series opens."""
        await _closing(do, row.owner_id).complete(row.id, None, "complete")

    @action("Cancel")
    async def cancel(self, do: ActionContext, row: Task) -> None:
        """Close it as no longer to be done; an occurrence of a series is skipped, and the next one opens."""
        await _closing(do, row.owner_id).cancel(row.id, None)

    @action("Skip")
    async def skip(self, do: ActionContext, row: Task) -> None:
        """Close this occurrence of a series as skipped; the next one opens."""
        await _closing(do, row.owner_id).skip(row.id, None)

    @action("Reopen")
    async def reopen(self, do: ActionContext, row: Task) -> None:
        """Open it again; the occurrence that its closing opened is removed if it was not changed."""
        await _closing(do, row.owner_id).reopen(row.id, None)


def _require_open(values: dict[str, Any], row: Task) -> None:
    """Closing has its own action, so that a series goes on."""
    if "status" in values and not rules.CLOSED.isdisjoint({values["status"], row.status}):
        raise Invalid.field("body.status", "Complete or reopen it by its action, so that its series goes on.")


def _person(do: ActionContext, owner_id: UUID) -> UUID:
    """For whom they act: for the owner, or as their role in a project allows where they do not have every row."""
    return owner_id if do.actor.may(TaskAdmin.every_row) else do.actor.user_id


def _service(do: ActionContext, owner_id: UUID) -> TaskService:
    return TaskService(do.session, do.actor, _person(do, owner_id))


def _closing(do: ActionContext, owner_id: UUID) -> ClosingService:
    return ClosingService(do.session, do.actor, _person(do, owner_id))


def _trash(do: ActionContext, owner_id: UUID) -> TrashService:
    return TrashService(do.session, do.actor, _person(do, owner_id))
