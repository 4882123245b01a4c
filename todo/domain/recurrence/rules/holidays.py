"""Days off out of a calendar file (iCalendar, RFC 5545), as governments and calendar programs give them away."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import takewhile

from icalendar import Calendar, Event, vDDDTypes, vRecur

from todo.domain.recurrence.rules.grammar import RuleError
from todo.domain.recurrence.rules.occurrences import occurrences
from todo.domain.recurrence.rules.plan import Plan

YEARS = 10  # how many years of days are read, after this year
MOST_DAYS = 1_000  # of a series
MOST_EVENTS = 3_000
MOST_RULES = 200  # each may search for its occurrences in vain for milliseconds


def read_holidays(text: str, today: date) -> tuple[dict[date, str], list[str]]:
    """What the days of a calendar's whole-day events are called, from the first of January to ten years on, in order.

    And sentences on what was passed over.
    Events that come back every year are followed, as far as their rule is one of ours; those with a time of day are no
    days off. Raises RuleError naming `ics` for what is no calendar, or names more than 1,000 days.
    """
    events = _events(text)
    begin, end = date(today.year, 1, 1), date(today.year + YEARS, 12, 31)
    elsewhere: defaultdict[str, set[date]] = defaultdict(
        set
    )  # days of a repeated event that another event changes, by its UID
    for event in events:
        if moved := _day(event.get("RECURRENCE-ID")):
            elsewhere[str(event.get("UID"))].add(moved)
    found: dict[date, str] = {}
    notes: list[str] = []
    for event in events:
        if event.get("STATUS") == "CANCELLED":
            continue
        name = _name(event)
        other = set() if "RECURRENCE-ID" in event else elsewhere[str(event.get("UID"))]
        try:
            first, length = _span(event)
            for day in takewhile(lambda day: day <= end, _repeated(event, first, begin, other)):
                off = (day + timedelta(days=number) for number in range(length))
                found |= {one: name for one in off if begin <= one <= end and one not in found}
        except RuleError as error:
            notes.append(f"{name or 'An event'}: {error.message}")
        except ValueError:  # the library's, for a value that is none
            notes.append(f"{name or 'An event'}: passed over, it cannot be read.")
        if len(found) > MOST_DAYS:
            raise RuleError("ics", f"The calendar names more than {MOST_DAYS:,} days.")
    return dict(sorted(found.items())), notes[:100]


def _events(text: str) -> list[Event]:
    try:
        calendars = Calendar.from_ical(text.removeprefix("\ufeff"), multiple=True)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):  # whatever a parser meets in what is none
        calendars = []
    if not calendars or not all(isinstance(one, Calendar) for one in calendars):
        raise RuleError("ics", "This is no calendar in the iCalendar format.")
    events = [event for one in calendars for event in one.walk("VEVENT") if isinstance(event, Event)]
    if len(events) > MOST_EVENTS or sum("RRULE" in event for event in events) > MOST_RULES:
        raise RuleError("ics", f"A calendar may have {MOST_EVENTS:,} events, and {MOST_RULES} that come back.")
    return events


def _name(event: Event) -> str:
    """What an event is called, in one line; of several languages the first."""
    summary = event.get("SUMMARY", "")
    return " ".join(str(summary[0] if isinstance(summary, list) else summary).split())[:200]


def _span(event: Event) -> tuple[date, int]:
    """The first day of a whole-day event and how many there are; RuleError for another."""
    begin, end = (_day(event.get(name)) for name in ("DTSTART", "DTEND"))
    if begin is None:
        raise RuleError("ics", "passed over, it is not about whole days.")
    lasts = getattr(event.get("DURATION"), "td", None) or timedelta()
    return begin, min(max((end - begin if end else lasts).days, 1), MOST_DAYS + 1)


def _day(value: object) -> date | None:
    """The day of a property; None when there is none, it cannot be read, or has a time."""
    moment = value.dt if isinstance(value, vDDDTypes) else None
    return moment if isinstance(moment, date) and not isinstance(moment, datetime) else None


def _repeated(event: Event, first: date, begin: date, other: set[date]) -> Iterator[date]:
    """The first day and, of a yearly event, those of later years, but for excepted ones; RuleError for other rules."""
    excepted = {getattr(moment, "dt", moment) for moment in event.exdates} | other
    if first not in excepted:
        yield first
    if "RDATE" in event:
        raise RuleError("ics", f"only {first} was taken, for it names further days one by one (RDATE).")
    rule = event.get("RRULE")
    if rule is None:
        return
    if not isinstance(rule, vRecur) or rule.get("FREQ") != ["YEARLY"]:
        raise RuleError("ics", f"only {first} was taken, for it does not come back by one yearly rule.")
    start = datetime.combine(first, time())
    text = rule.to_ical().decode()  # type: ignore[no-untyped-call]  # the library has no annotation there
    plan = Plan.of(text, start, all_day=True, on_invalid_date="omit")
    after = start if plan.count else max(start, datetime(max(begin.year - 1, 1), 1, 1))
    yield from (
        occurrence.original_start.date()
        for occurrence in occurrences(plan, after, 1)
        if occurrence.original_start.date() not in excepted
    )
