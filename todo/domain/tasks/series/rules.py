"""What every occurrence of a series begins with; `start` and `deadline` keep their distance to the due."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from todo.domain.tasks import rules

AS_THEY_ARE = ("title", "notes", "priority", "estimate_minutes")
TEMPLATE = (*AS_THEY_ARE, "start", "deadline")  # columns of a task
# Every other column of a task, and why a template does not have it.
NOT_IN_TEMPLATE = {
    "id": "names one task",
    "created_at": "tells of one task",
    "updated_at": "tells of one task",
    "version": "tells of one task",
    "status": "every occurrence begins open",
    "completed_at": "every occurrence begins open",
    "deleted_at": "what lies in the trash is one task",
    "owner_id": "the series has it",
    "series_id": "the series has it",
    "due": "comes from the rule",
    "due_at": "comes from the rule",
    "occurrence": "comes from the rule",
    "parent_id": "a task that comes back is below no other",
}


def template_of(columns: Mapping[str, Any], due: Mapping[str, Any]) -> dict[str, Any]:
    """These columns of a task that is due then, as a template keeps them; those it does not keep are left out."""
    template = {name: columns[name] for name in AS_THEY_ARE if name in columns}
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
    return {name: template[name] for name in AS_THEY_ARE if name in template} | dates


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
