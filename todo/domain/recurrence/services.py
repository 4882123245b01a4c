"""What an unsaved rule would do, and the holidays in a calendar file."""

from dataclasses import replace
from datetime import datetime

from todo.database import now
from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.grammar import RuleError, parse
from todo.domain.recurrence.rules.holidays import read_holidays
from todo.domain.recurrence.rules.plan import Plan, check_exceptions
from todo.domain.recurrence.rules.preview import preview
from todo.domain.recurrence.schemas import (
    DayOff,
    HolidaysOut,
    PreviewIn,
    PreviewOccurrence,
    PreviewOut,
    rule_problems,
)  # fmt: skip


def preview_of(data: PreviewIn, owner_timezone: str, *, hourly: bool) -> PreviewOut:
    """What a series would do for an owner in this time zone; raises Invalid. `hourly`: whether HOURLY is allowed."""
    kind = "floating" if "T" in data.start else "day"
    with rule_problems("body"):
        parse(data.rrule, hourly)
        columns = data.columns()
        try:
            start = datetime.fromisoformat(data.start)
        except ValueError:
            raise RuleError("start", "There is no such day or time.") from None
        check_exceptions(columns.get("exceptions", ()), kind)
        plan = Plan.from_columns(start=start, kind=kind, timezone=data.timezone or owner_timezone, **columns)
        found = preview(replace(plan, timezone=data.timezone), data.count, owner_timezone)
    occurrences = [
        PreviewOccurrence(written(occurrence.original_start, kind == "day"), occurrence.at, occurrence.note)
        for occurrence in found.occurrences
    ]
    return PreviewOut(occurrences, found.rrule, found.sentence, found.warnings)


def holidays_of(ics: str) -> HolidaysOut:
    """The holidays in a calendar file from this year on; raises Invalid."""
    with rule_problems("body"):
        days, notes = read_holidays(ics, now().date())
    return HolidaysOut([DayOff(day, name) for day, name in days.items()], notes)
