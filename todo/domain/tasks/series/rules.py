"""Where a series stands, and what every occurrence of it begins with."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from todo.domain.recurrence.rules.clock import to_local
from todo.domain.recurrence.rules.occurrences import after_completion, in_pause, next_after
from todo.domain.recurrence.rules.plan import Anchor, Plan, PlannedOccurrence
from todo.domain.recurrence.rules.timing import OpenOccurrence, next_run_at, pause_ends_at
from todo.domain.tasks import rules

AS_THEY_ARE = ("title", "notes", "priority", "estimate_minutes", "labels", "assignee_ids")
TEMPLATE = (*AS_THEY_ARE, "start", "deadline")  # columns of a task
# Every other column of a task, and why a template does not have it.
NOT_IN_TEMPLATE = {
    "id": "names one task",
    "created_at": "belongs to one task",
    "updated_at": "belongs to one task",
    "version": "belongs to one task",
    "status": "every occurrence begins open",
    "completed_at": "every occurrence begins open",
    "deleted_at": "what lies in the trash is one task",
    "owner_id": "the series has it",
    "project_id": "the series has it",
    "position": "belongs to one task",
    "section_id": "the series has it",
    "created_by": "the owner of the series has what comes up by itself",
    "series_id": "the series has it",
    "due": "comes from the rule",
    "due_at": "comes from the rule",
    "overdue_at": "comes from the rule",
    "occurrence": "comes from the rule",
    "parent_id": "a recurring task is no subtask",
    "blocked": "one task waits for others",
    "subtasks_total": "follows its subtasks",
    "subtasks_done": "follows its subtasks",
}


class ScheduleState(Struct, frozen=True):
    """Where a series stands: the last occurrence that has opened, the next one, and when the worker evaluates it again.

    The fields are columns of a series. `next_run_at` is None when nothing happens by itself.
    """

    status: str  # active | paused | ended
    last_original_start: datetime | None
    n: int  # the number of the last occurrence
    next_original_start: datetime | None
    next_n: int | None
    next_run_at: datetime | None

    @classmethod
    def after(
        cls,
        plan: Plan,
        last: PlannedOccurrence,
        coming: PlannedOccurrence | None,
        still_open: Sequence[OpenOccurrence],
        moment: datetime,
    ) -> "ScheduleState":
        """The state once `last` has opened, `coming` is next, and these occurrences are open.

        Counted from completion, the next one is known once nothing is open. A series of which nothing is open and
        nothing follows has ended.
        """
        if plan.anchor is Anchor.COMPLETION and coming is None and not still_open:
            coming = after_completion(plan, last.original_start, to_local(moment, plan.timezone), last.n)
        start, n = coming or (None, None)
        status = "active" if coming or still_open else "ended"
        run_at = next_run_at(plan, start, still_open)
        if (
            start and run_at and not still_open and not in_pause(plan, start)
        ):  # it may have waited for the one that was open
            run_at = max(run_at, pause_ends_at(plan, moment) or run_at)
        return cls(status, last.original_start, last.n, start, n, run_at)

    def paused(self) -> "ScheduleState":
        return replace(self, status="paused", next_run_at=None)

    def ended(self) -> "ScheduleState":
        return replace(self, status="ended", next_original_start=None, next_n=None, next_run_at=None)

    def due(self, moment: datetime) -> "ScheduleState":
        """The same, to be evaluated by the worker at this moment."""
        return replace(self, next_run_at=moment)


class Undo(Struct, frozen=True):
    """What takes the closing of an occurrence back: the series before it, its version then, and what opened next."""

    version: int
    before: ScheduleState
    next: datetime | None


def following(plan: Plan, occurrence: PlannedOccurrence) -> PlannedOccurrence | None:
    """The occurrence after this one as far as it is known: counted from completion, it is not."""
    return None if plan.anchor is Anchor.COMPLETION else next_after(plan, occurrence.original_start, occurrence.n)


def template_of(columns: Mapping[str, Any], due: Mapping[str, Any]) -> dict[str, Any]:
    """These columns of a task that is due then, as a template keeps them; those it does not keep are left out."""
    template = {name: columns[name] for name in AS_THEY_ARE if name in columns}
    if "assignee_ids" in columns:
        template["assignee_ids"] = [str(person) for person in columns["assignee_ids"]]
    if "start" in columns:
        template["start_offset"] = columns["start"] and _start_offset(columns["start"], due)
    if "deadline" in columns:
        deadline: date | None = columns["deadline"]
        template["deadline_offset_days"] = (deadline - rules.local_time_of(due).date()).days if deadline else None
    return template


def columns_of(template: Mapping[str, Any], due: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a task with this template that is due then; a date that would leave the calendar is None."""
    start, days = template.get("start_offset"), template.get("deadline_offset_days")
    dates: dict[str, Any] = {"start": None, "deadline": None}
    try:
        dates["start"] = start and _start_at(start, due)
        dates["deadline"] = None if days is None else rules.local_time_of(due).date() + timedelta(days=days)
    except OverflowError:
        pass
    same = {name: template[name] for name in AS_THEY_ARE if name in template}
    return same | {"assignee_ids": [UUID(person) for person in template.get("assignee_ids", ())]} | dates


def _start_offset(start: Mapping[str, Any], due: Mapping[str, Any]) -> dict[str, Any]:
    distance = rules.local_time_of(start) - _base(start["kind"], due)
    return {
        "kind": start["kind"],
        "timezone": start.get("timezone"),
        "seconds": round(distance.total_seconds()),
    }


def _start_at(offset: Mapping[str, Any], due: Mapping[str, Any]) -> dict[str, Any]:
    original_start = _base(offset["kind"], due) + timedelta(seconds=offset["seconds"])
    return rules.moment_at(original_start, offset["kind"], offset["timezone"])


def _base(kind: str, due: Mapping[str, Any]) -> datetime:
    """The wall-clock time of a due, from which a start of this kind is counted: days from the midnight of its day."""
    original_start = rules.local_time_of(due)
    return datetime.combine(original_start.date(), time.min) if kind == "day" else original_start.replace(microsecond=0)
