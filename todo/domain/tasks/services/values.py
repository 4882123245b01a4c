"""What was sent of a task, as the columns of its row."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from todo.database import now
from todo.domain.accounts.rules import TIMEZONES
from todo.domain.projects.services.places import Place
from todo.domain.tasks import rules
from todo.domain.tasks.labels.rules import clean_labels
from todo.domain.tasks.models import Task
from todo.domain.tasks.schemas import Floating, Moment, TaskIn, TaskPatch, Zoned
from todo.errors import Invalid
from todo.titles import clean_title


def new_task(data: TaskIn, place: Place, author_id: UUID | None) -> Task:
    """A task that was not there before; with its history, when it comes from elsewhere. Raises Invalid."""
    values, at = values_of(data, place.timezone), now()
    created_at: datetime = values.pop("created_at") or at
    completed_at: datetime | None = values.pop("completed_at")
    closed = data.status in rules.CLOSED
    if not rules.EARLIEST <= created_at <= at:
        raise Invalid.field("body.created_at", "This must be in the past, and not before the year 1900.")
    if completed_at is not None and not closed:
        raise Invalid.field("body.completed_at", "Only a task that is done or cancelled has this.")
    if completed_at is not None and not created_at <= completed_at <= at:
        raise Invalid.field("body.completed_at", "This must be in the past, and not before `created_at`.")
    if closed and data.recurrence is not None:
        raise Invalid.field("body.status", "A series begins with an open task.")
    values |= {"created_at": created_at.astimezone(UTC), "updated_at": at}
    values |= {"completed_at": (completed_at or at).astimezone(UTC)} if closed else {}
    values |= {"owner_id": place.owner_id, "project_id": place.project_id, "created_by": author_id or place.owner_id}
    return Task(**values)


def values_of(data: TaskIn | TaskPatch, owner_timezone: str) -> dict[str, Any]:
    """Column values of what was sent: moments as JSON, and the instants of `due`."""
    values = data.sent()
    values.pop("recurrence", None)
    if "title" in values:
        values["title"] = clean_title(values["title"])
    if "labels" in values:
        values["labels"] = clean_labels(values["labels"])
    if "assignee_ids" in values:
        values["assignee_ids"] = sorted(set(values["assignee_ids"] or ()))
    for name in values.keys() & {"due", "start"}:
        values[name], instants = _moment(f"body.{name}", values[name], owner_timezone)
        if name == "due":
            values |= instants
    return values


def _moment(field: str, moment: Moment | None, owner_timezone: str) -> tuple[Any, dict[str, datetime | None]]:
    """A moment as JSON, and the columns that follow from it when it is the due."""
    if isinstance(moment, Zoned) and moment.timezone not in TIMEZONES:
        raise Invalid.field(f"{field}.timezone", "Unknown time zone. Use an IANA name such as Europe/Berlin.")
    stored = msgspec.to_builtins(moment)
    if isinstance(moment, Floating | Zoned):
        stored["at"] = moment.at.removesuffix(".000")  # as JavaScript writes whole seconds
    try:
        instants = rules.instants_of(stored, owner_timezone)
    except ValueError:
        raise Invalid.field(field, "There is no such day or time.") from None
    if instants["due_at"] and instants["due_at"] < rules.EARLIEST:
        raise Invalid.field(field, "This must not be before the year 1900.")
    return stored, instants
