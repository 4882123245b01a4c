"""From what somebody asked for to a plan, and what the plan would do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from todo.database import now
from todo.domain.recurrence.models import Series
from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.grammar import Freq, RuleError, parse
from todo.domain.recurrence.rules.holidays import read_holidays
from todo.domain.recurrence.rules.plan import Plan
from todo.domain.recurrence.rules.preview import preview
from todo.domain.recurrence.schemas import DayOff, HolidaysOut, PreviewIn, PreviewOccurrence, PreviewOut
from todo.errors import Invalid

NOBODY = UUID(int=0)
ON_THE_WIRE = {"lead": "lead_seconds", "expire_after": "expire_after_seconds"}


def plan_of(series: Series) -> Plan:
    """A series as arithmetic sees it, in the zone that counts for it. Raises RuleError for what cannot be."""
    return Plan.of(
        series.rrule,
        series.start,
        all_day=series.kind == "day",
        timezone=series.timezone or series.owner_timezone,
        anchor=series.anchor,
        on_invalid_date=series.on_invalid_date,
        on_missed=series.on_missed,
        opens=series.opens,
        lead=timedelta(seconds=series.lead_seconds),
        until=series.until,
        count=series.count,
        holidays=[date.fromisoformat(day) for day in series.holidays],
        shift=series.shift,
        pauses=[(date.fromisoformat(begin), date.fromisoformat(end)) for begin, end in series.pauses],
        exceptions=[datetime.fromisoformat(original_start) for original_start in series.exceptions],
        max_open=series.max_open,
        expire_after=timedelta(seconds=series.expire_after_seconds) if series.expire_after_seconds else None,
    )


@contextmanager
def rule_problems(body: str, **fields: str) -> Iterator[None]:
    """What a plan refuses becomes Invalid, naming the field under `body`, or the one that `fields` gives for it."""
    try:
        yield
    except RuleError as error:
        field = fields.get(error.field) or f"{body}.{ON_THE_WIRE.get(error.field, error.field)}"
        raise Invalid.field(field, error.message) from None
    except (ValueError, OverflowError):  # a text that looks like a day or time, and is none
        raise Invalid.field(f"{body}.until", "There is no such day or time.") from None


def merged(series: Series, sent: Mapping[str, Any], *, hourly: bool) -> Series:
    """A series with some columns changed and its rule in canonical form, not stored. Raises RuleError.

    An end that is sent, in the rule or beside it, replaces the old one. `hourly`: whether a new rule may be; what
    is stored goes on.
    """
    if sent.get("rrule") not in (None, series.rrule):
        parse(sent["rrule"], hourly)
    ends = dict.fromkeys(("count", "until")) if _says_end(sent) else {}
    changed = Series(**(series.model_dump() | ends | dict(sent)))
    plan = plan_of(changed)
    _check_exceptions(changed)
    changed.rrule, changed.count, changed.until = str(plan.rule), plan.count, plan.until
    return changed


def remembering(rrule: str, before: Plan) -> str:
    """A monthly rule that names no days, with those of the plan before it, so that a 31st is not forgotten."""
    rule, old = parse(rrule).rule, before.explicit
    if rule.freq is old.freq is Freq.MONTHLY and old.by_month_day and not (rule.by_day or rule.by_month_day):
        return f"{rrule};BYMONTHDAY={','.join(map(str, old.by_month_day))}"
    return rrule


def preview_of(data: PreviewIn, owner_timezone: str, *, hourly: bool) -> PreviewOut:
    """What a series would do for somebody who lives in this zone; raises Invalid."""
    with rule_problems("body"):
        parse(data.rrule, hourly)
        columns = data.columns()
        try:
            start = datetime.fromisoformat(data.start)
        except ValueError:
            raise RuleError("start", "There is no such day or time.") from None
        kind = "floating" if "T" in data.start else "day"
        series = Series(
            owner_id=NOBODY, owner_timezone=owner_timezone, start=start, kind=kind, timezone=data.timezone, **columns
        )
        _check_exceptions(series)
        plan = replace(plan_of(series), timezone=data.timezone)
        found = preview(plan, data.count, owner_timezone)
    occurrences = [
        PreviewOccurrence(written(occurrence.original_start, kind == "day"), occurrence.at, occurrence.note)
        for occurrence in found.occurrences
    ]
    return PreviewOut(occurrences, found.rrule, found.sentence, found.warnings)


def holidays_of(ics: str) -> HolidaysOut:
    """The days off of a calendar file from this year on; raises Invalid."""
    with rule_problems("body"):
        days, notes = read_holidays(ics, now().date())
    return HolidaysOut([DayOff(day, name) for day, name in days.items()], notes)


def _says_end(sent: Mapping[str, Any]) -> bool:
    parsed = parse(sent["rrule"]) if "rrule" in sent else None
    return bool(sent.get("count") or sent.get("until") or (parsed and (parsed.count or parsed.until)))


def _check_exceptions(series: Series) -> None:
    """An exception that no occurrence could ever be would silently do nothing."""
    timed = series.kind != "day"
    for text in series.exceptions:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise RuleError("exceptions", f"There is no day or time {text}.") from None
        if ("T" in text) is not timed:
            raise RuleError("exceptions", f"exceptions must be {'times' if timed else 'days'}, as the occurrences are.")
