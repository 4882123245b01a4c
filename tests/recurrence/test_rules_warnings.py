"""What a preview warns of."""

from datetime import date, datetime
from typing import Any

import pytest

from todo.domain.recurrence.rules.occurrences import next_after
from todo.domain.recurrence.rules.plan import Plan
from todo.domain.recurrence.rules.preview import Preview, preview

CHRISTMAS = [date(2026, 12, 25)]


def previewed(rrule: str, start: str, count: int = 3, **columns: Any) -> Preview:
    plan = Plan.of(rrule, datetime.fromisoformat(start), all_day="T" not in start, **columns)
    return preview(plan, count, "Europe/Berlin")


@pytest.mark.parametrize(
    ("warning", "rrule", "start", "columns"),
    [
        (
            "This rule never happens within 83 years: no date fits every part of it.",
            *("FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1,2,3", "2026-01-01", {}),
        ),
        (
            "This rule never happens within 400 years: no date fits every part of it.",
            *("FREQ=YEARLY;BYDAY=MO;BYMONTH=1;BYSETPOS=6", "2026-01-01", {}),
        ),
        (
            "This rule never happens within 2 years: no date fits every part of it.",
            *("FREQ=HOURLY;INTERVAL=168;BYDAY=WE", "2026-01-01T09:00", {"timezone": "UTC"}),
        ),
        ("This rule never happens before its end.", "FREQ=DAILY;UNTIL=20251231", "2026-01-01", {}),
        (
            "This rule never happens before its end.",
            *("FREQ=DAILY;COUNT=1", "2026-01-01", {"exceptions": [datetime(2026, 1, 1)]}),
        ),
        (
            "This rule never happens: all its occurrences are exceptions, on days off or in a pause.",
            *("FREQ=DAILY;INTERVAL=7", "2026-01-03", {"shift": "skip"}),
        ),
        (
            "This rule never happens: all its occurrences are exceptions, on days off or in a pause.",
            *("FREQ=DAILY;COUNT=3", "2026-01-03", {"pauses": [(date(2026, 1, 1), date(2026, 1, 9))]}),
        ),
        (
            "Only 2 of 3 occurrences are shown: the later ones are exceptions, on days off or in a pause.",
            *("FREQ=DAILY", "2026-01-03", {"pauses": [(date(2026, 1, 5), date(2199, 1, 1))]}),
        ),
        (
            "Saturday, 3 January 2026 is not an occurrence: the first is Saturday, 10 January 2026.",
            *("FREQ=DAILY", "2026-01-03", {"pauses": [(date(2026, 1, 1), date(2026, 1, 9))]}),
        ),
        ("This rule happens more than 500 times a year.", "FREQ=HOURLY", "2026-01-01T09:00", {}),
        ("This rule happens more than 500 times a year.", "FREQ=DAILY;BYHOUR=9,21", "2026-01-01T09:00", {}),
        ("This rule happens only in leap years.", "FREQ=YEARLY", "2024-02-29", {"on_invalid_date": "omit"}),
        ("This rule skips the months that are too short.", "FREQ=MONTHLY", "2026-01-30", {"on_invalid_date": "omit"}),
        (
            "Saturday, 28 November 2026 at 09:00 is not an occurrence: the first is Tuesday, 1 December 2026 at 09:00.",
            *("FREQ=WEEKLY;BYDAY=TU", "2026-11-28T09:00", {}),
        ),
        (
            "Thursday, 1 January 2026 at 08:00 is not an occurrence: the first is Thursday, 1 January 2026 at 09:00.",
            *("FREQ=WEEKLY;BYHOUR=9", "2026-01-01T08:00", {}),
        ),
        (
            "Wednesday, 25 November 2026 is not an occurrence: the first is Saturday, 28 November 2026.",
            *("FREQ=WEEKLY;BYDAY=SA", "2026-11-25", {"anchor": "completion"}),
        ),
        (
            "Friday, 25 December 2026 is not an occurrence: the first is Friday, 1 January 2027.",
            *("FREQ=WEEKLY", "2026-12-25", {"holidays": CHRISTMAS, "shift": "skip"}),
        ),
        (
            "shift moves several occurrences to one day: 4 are due on Monday, 28 December 2026.",
            *("FREQ=DAILY", "2026-12-24", {"holidays": CHRISTMAS, "shift": "next"}),
        ),
        (
            "shift moves several occurrences to one day: 2 are due on Thursday, 24 December 2026 at 09:00.",
            *("FREQ=WEEKLY;BYDAY=TH,FR", "2026-10-01T09:00", {"holidays": CHRISTMAS, "shift": "previous"}),
        ),
    ],
)
def test_a_warning(warning: str, rrule: str, start: str, columns: dict[str, Any]) -> None:
    assert previewed(rrule, start, **columns).warnings == [warning]


@pytest.mark.parametrize(
    ("rrule", "start", "columns"),
    [
        ("FREQ=DAILY", "2026-01-31", {}),
        ("FREQ=MONTHLY", "2026-01-31", {}),
        ("FREQ=YEARLY;BYMONTH=1", "2026-01-31", {}),
        ("FREQ=WEEKLY", "2026-01-31", {}),
        ("FREQ=DAILY;BYHOUR=9", "2026-01-31T09:00", {}),
        ("FREQ=HOURLY;INTERVAL=24", "2026-01-31T09:00", {}),
        ("FREQ=WEEKLY;BYHOUR=9,21", "2026-01-31T09:00", {}),
        ("FREQ=WEEKLY", "2026-12-25", {"holidays": CHRISTMAS, "shift": "next"}),
        ("FREQ=DAILY;COUNT=2", "2026-01-31", {}),
        ("FREQ=DAILY;UNTIL=20260201", "2026-01-31", {}),
        ("FREQ=DAILY;COUNT=3", "2026-01-31", {"exceptions": [datetime(2026, 2, 2)]}),
    ],
)
def test_no_warning(rrule: str, start: str, columns: dict[str, Any]) -> None:
    assert previewed(rrule, start, **columns).warnings == []


def test_a_long_step_and_few_months_are_searched_for_a_century() -> None:
    found = previewed("FREQ=DAILY;INTERVAL=52;BYMONTH=9;BYDAY=SA,TU,TH", "2026-06-29", count=1)

    assert [occurrence.original_start for occurrence in found.occurrences] == [datetime(2119, 9, 30)]


def test_a_list_that_no_other_date_continues_says_so() -> None:
    found = previewed("FREQ=DAILY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=29", "2024-02-29", count=2, on_invalid_date="omit")

    assert len(found.occurrences) == 1
    assert found.warnings == ["Only 1 of 2 occurrences are shown: the rule gives no other within 100 years."]


def test_a_list_of_centuries_is_cut_off_and_says_where() -> None:
    found = previewed("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU", "2026-01-01", 100, on_invalid_date="omit")

    assert (len(found.occurrences), found.occurrences[-1].original_start.year) == (11, 2348)
    assert any("Only 11 of 100 occurrences are shown: the next is Sunday, 29 February" in one for one in found.warnings)


def test_every_next_of_a_rare_rule_is_the_one_of_its_list() -> None:
    plan = Plan.of("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU", datetime(2026, 1, 1), on_invalid_date="omit")
    listed = [occurrence.original_start for occurrence in preview(plan, 9, "UTC").occurrences]

    for number, (before, following) in enumerate(zip(listed, listed[1:], strict=False), 1):
        assert next_after(plan, before, number) == (following, number + 1)
