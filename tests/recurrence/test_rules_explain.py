"""A plan and its occurrences in words."""

from datetime import date, datetime, timedelta

import pytest

from todo.domain.recurrence.rules.plan import Plan
from todo.domain.recurrence.rules.preview import preview

BERLIN = "Europe/Berlin"


def plan(rrule: str, start: str, **columns: object) -> Plan:
    given = {"timezone": BERLIN, "all_day": "T" not in start} | columns
    return Plan.of(rrule, datetime.fromisoformat(start), **given)


def notes(rrule: str, start: str, count: int, **columns: object) -> list[str | None]:
    return [occurrence.note for occurrence in preview(plan(rrule, start, **columns), count, "UTC").occurrences]


@pytest.mark.parametrize(
    ("sentence", "rrule", "start", "columns"),
    [
        (
            "Every month on the 31st at 09:00 (Europe/Berlin); in shorter months the last day",
            *("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31T09:00", {}),
        ),
        (
            "Every month on the 31st; in shorter months the 1st of the next month",
            *("FREQ=MONTHLY", "2026-01-31", {"on_invalid_date": "forward"}),
        ),
        (
            "Every year in February on the 29th; not in other years",
            *("FREQ=YEARLY", "2024-02-29", {"on_invalid_date": "omit"}),
        ),
        ("Every day at 08:05:30", "FREQ=DAILY", "2026-01-01T08:05:30", {"timezone": None}),
        ("Every day at 09:00 and 21:00", "FREQ=DAILY;BYHOUR=21,9", "2026-01-01T09:00", {"timezone": None}),
        (
            "Every week on Monday at 08:15, 08:45, 20:15 and 20:45 (Europe/Berlin)",
            *("FREQ=WEEKLY;BYDAY=MO;BYHOUR=8,20;BYMINUTE=15,45", "2026-01-01T09:30", {}),
        ),
        ("Every day at 09:30:15", "FREQ=DAILY;BYHOUR=9", "2026-01-01T07:30:15", {"timezone": None}),
        ("Every day, only on Monday to Friday", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "2026-01-01", {}),
        (
            "Every 2 weeks on Monday and Sunday (weeks begin on Sunday), 5 times",
            *("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU;COUNT=5", "2026-01-01", {}),
        ),
        (
            "Every month on the last Friday and the 1st Monday, until 31 December 2026",
            *("FREQ=MONTHLY;BYDAY=1MO,-1FR;UNTIL=20261231", "2026-01-01", {}),
        ),
        (
            "Every month on Monday to Friday, only the last of these",
            *("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-01", {}),
        ),
        ("Every month on the 13th if it is Friday", "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "2026-01-01", {}),
        (
            "Every year in every month on the 13th if it is Friday",
            "FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR",
            "2026-01-01",
            {},
        ),
        (
            "Every year in every month on the 1st if it is the 1st Monday of the year",
            *("FREQ=YEARLY;BYMONTHDAY=1;BYDAY=1MO", "2026-01-01", {}),
        ),
        ("Every month on the 1st, last day and 2nd last day", "FREQ=MONTHLY;BYMONTHDAY=-2,-1,1", "2026-01-01", {}),
        ("Every year in March and July on the 4th, once", "FREQ=YEARLY;BYMONTH=7,3;COUNT=1", "2026-03-04", {}),
        (
            "Every 6 hours at minute 15 (Europe/Berlin), until 1 May 2026 12:00",
            *("FREQ=HOURLY;INTERVAL=6;UNTIL=20260501T120000", "2026-01-01T09:15", {}),
        ),
        (
            "Every 10 days after it is done at 09:00 (Europe/Berlin)",
            *("FREQ=DAILY;INTERVAL=10", "2026-01-01T09:00", {"anchor": "completion"}),
        ),
        (
            "Every day; on a holiday or weekend due the working day after",
            *("FREQ=DAILY", "2026-01-01", {"shift": "next"}),
        ),
    ],
)
def test_a_sentence(sentence: str, rrule: str, start: str, columns: dict[str, object]) -> None:
    assert preview(plan(rrule, start, **columns), 0, "UTC").sentence == sentence


def test_a_short_month_is_noted() -> None:
    assert notes("FREQ=MONTHLY", "2026-01-31", 3) == [None, "February has no 31st: the 28th", None]
    assert notes("FREQ=MONTHLY", "2026-01-31", 3, on_invalid_date="forward")[1] == "February has no 31st: 1 March"
    assert notes("FREQ=YEARLY", "2024-02-29", 2)[1] == "February 2025 has no 29th: the 28th"
    assert notes("FREQ=MONTHLY;BYMONTHDAY=28,31", "2026-02-28", 1) == [None]
    assert notes("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31", 2) == [None, None]


def test_a_clock_change_is_noted() -> None:
    new_york = {"timezone": "America/New_York"}
    assert notes("FREQ=DAILY", "2026-03-08T02:30", 2, **new_york) == ["02:30 does not exist that night: 03:30", None]
    assert notes("FREQ=DAILY", "2026-11-01T01:30", 2, **new_york) == ["01:30 comes twice that night: the first", None]
    assert notes("FREQ=HOURLY", "2026-11-01T01:00", 2, **new_york) == [None, "01:00 for the second time that night"]
    assert notes("FREQ=DAILY", "2011-12-30", 2, timezone="Pacific/Apia") == [
        "30 December does not exist there: 31 December",
        None,
    ]
    assert notes("FREQ=DAILY", "2026-03-29", 1, timezone="Asia/Beirut") == [None]
    assert notes("FREQ=DAILY;BYHOUR=2,4", "2026-03-08T02:30", 2, **new_york) == [
        "02:30 does not exist that night: 03:30",
        None,
    ]


def test_a_free_day_and_a_pause_are_noted() -> None:
    christmas = {"holidays": [date(2026, 12, 25)], "shift": "next"}
    assert notes("FREQ=DAILY", "2026-12-25", 2, **christmas) == [
        "holiday: due on 28 December",
        "weekend: due on 28 December",
    ]
    pause = {"pauses": [(date(2026, 12, 24), date(2026, 12, 31))]}
    pause |= {"lead": timedelta(days=2)}
    assert notes("FREQ=WEEKLY", "2026-12-25", 2, **pause) == ["paused: opens on 1 January", None]  # without the 25th


def test_the_rule_of_a_preview_reads_back() -> None:
    requested = plan("byday=mo;freq=weekly;until=20261231T120000Z", "2026-01-01T09:00")

    answer = preview(requested, 3, "UTC")

    assert answer.rrule == "FREQ=WEEKLY;BYDAY=MO;UNTIL=20261231T130000"
    assert plan(answer.rrule, "2026-01-01T09:00") == requested


def test_a_floating_plan_is_previewed_where_its_owner_is() -> None:
    requested = plan("FREQ=HOURLY", "2026-01-01T09:00", timezone=None)

    answer = preview(requested, 1, "Asia/Tokyo")

    assert answer.occurrences[0].at == datetime.fromisoformat("2026-01-01T00:00Z")
    assert answer.sentence == "Every hour at minute 00"
