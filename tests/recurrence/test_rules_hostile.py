"""Whatever a person sends is refused, or answered in a bounded number of steps."""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import FrameType
from typing import Any, TypeAlias

import pytest

from todo.domain.recurrence.rules import days
from todo.domain.recurrence.rules.generator import original_starts
from todo.domain.recurrence.rules.grammar import MAX_COUNT, RuleError, parse
from todo.domain.recurrence.rules.missed import decide_missed
from todo.domain.recurrence.rules.occurrences import after_completion, first, first_after, next_after
from todo.domain.recurrence.rules.plan import OnMissed, Plan, PlannedOccurrence, Shift
from todo.domain.recurrence.rules.preview import preview

# Lines of Python: 400,000 take some 20 to 40 ms on a machine with nothing else to do.
MOST_STEPS = 400_000
TraceFunction: TypeAlias = Callable[[FrameType, str, Any], Any]
MONDAY = datetime(2026, 3, 2, 23, 30)
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)

REFUSED = (
    "",
    " ",
    ";",
    "RRULE:",
    "FREQ=",
    "FREQ=DAILY;",
    "FREQ=DAILY;;INTERVAL=2",
    "FREQ = DAILY",
    "INTERVAL=2",
    "FREQ=DAILY\nRRULE:FREQ=WEEKLY",
    "DTSTART:20260101T090000\nRRULE:FREQ=DAILY",
    "FREQ=DAILY;FREQ=WEEKLY",
    "FREQ=FORTNIGHTLY",
    "FREQ=MINUTELY",
    "FREQ=MINUTELY;COUNT=10000000",
    "FREQ=SECONDLY;INTERVAL=30",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=MONTHLY;INTERVAL=0",
    "FREQ=DAILY;INTERVAL=-1",
    "FREQ=DAILY;INTERVAL=1000",
    "FREQ=DAILY;INTERVAL=1_0",
    "FREQ=DAILY;INTERVAL=2.5",
    "FREQ=DAILY;INTERVAL=\u0662",
    "FREQ=DAILY;INTERVAL=" + "9" * 250,
    "FREQ=DAILY;COUNT=0",
    "FREQ=DAILY;COUNT=-5",
    "FREQ=DAILY;COUNT=10001",
    "FREQ=DAILY;COUNT=5;UNTIL=20271231",
    "FREQ=DAILY;UNTIL=2027-12-31",
    "FREQ=DAILY;UNTIL=20270230",
    "FREQ=DAILY;UNTIL=20271231T250000",
    "FREQ=DAILY;UNTIL=20271231T1200",
    "FREQ=DAILY;UNTIL=99991231",
    "FREQ=DAILY;UNTIL=00000000T000000Z",
    "FREQ=DAILY;BYMONTHDAY=0",
    "FREQ=MONTHLY;BYMONTHDAY=32",
    "FREQ=MONTHLY;BYMONTHDAY=-32",
    "FREQ=MONTHLY;BYMONTHDAY=1,,2",
    "FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["1"] * 32),
    "FREQ=WEEKLY;BYMONTHDAY=13",
    "FREQ=YEARLY;BYMONTH=0",
    "FREQ=YEARLY;BYMONTH=13",
    "FREQ=YEARLY;BYMONTH=-1",
    "FREQ=MONTHLY;BYDAY=6MO",
    "FREQ=MONTHLY;BYDAY=0MO",
    "FREQ=MONTHLY;BYDAY=MON",
    "FREQ=MONTHLY;BYDAY=1",
    "FREQ=WEEKLY;BYDAY=1MO",
    "FREQ=DAILY;BYDAY=-1FR",
    "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1",
    "FREQ=MONTHLY;BYSETPOS=1",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=32",
    "FREQ=WEEKLY;WKST=1",
    "FREQ=DAILY;BYHOUR=24",
    "FREQ=DAILY;BYHOUR=-1",
    "FREQ=DAILY;BYMINUTE=60",
    "FREQ=DAILY;BYHOUR=",
    "FREQ=DAILY;BYHOUR=0,1,2,3,4;BYMINUTE=0,10,20,30,40",
    "FREQ=HOURLY;BYHOUR=9",
    "FREQ=HOURLY;BYMINUTE=30",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;BYHOUR=9,17",
    "FREQ=DAILY;BYSECOND=1",
    "FREQ=YEARLY;BYWEEKNO=20",
    "FREQ=YEARLY;BYYEARDAY=100",
    "FREQ=YEARLY;BYEASTER=400",
    "FREQ=YEARLY;RSCALE=GREGORIAN;SKIP=BACKWARD",
    "FREQ=DAILY;TZID=Nowhere/Bad",
    "FREQ=DAILY;EXDATE=20260101",
    "FREQ=DAILY;X-MINE=1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30,31",
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;INTERVAL=2;BYMONTH=4,6,9,11;BYMONTHDAY=31",
    "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=-31",
    "FREQ=DAILY;" * 26,
    "FREQ=DAILY" + " " * 291,
    "\x00",
    "FREQ=DAILY\x00",
    "'; DROP TABLE series; --",
    "A" * 1_000_000,
)

ALL_DAYS = "BYDAY=" + ",".join(f"{nth}{day}" for nth in (5, -5) for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU"))
LONG_LIST = "BYMONTHDAY=" + ",".join(map(str, range(1, 32)))
ALL_MONTHS = "BYMONTH=" + ",".join(map(str, range(1, 13)))

ALL_HOURS = "BYHOUR=" + ",".join(map(str, range(24)))

ACCEPTED = (
    f"FREQ=DAILY;{ALL_HOURS}",
    f"FREQ=DAILY;{ALL_HOURS};COUNT=10000",
    f"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;{ALL_HOURS};COUNT=10000",
    f"FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;{ALL_HOURS}",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU;BYHOUR=9,21;COUNT=10000",
    "FREQ=DAILY;INTERVAL=52;BYMONTH=9;BYDAY=SA,TU,TH",
    "FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR",
    f"FREQ=YEARLY;{LONG_LIST};BYDAY=5MO;BYSETPOS=31,-31",
    "FREQ=MONTHLY;BYMONTHDAY=31;BYSETPOS=31,-31",
    "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    "FREQ=DAILY;INTERVAL=364;BYDAY=TU",
    "FREQ=DAILY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    "FREQ=WEEKLY;INTERVAL=999;BYMONTH=2;BYDAY=MO",
    "FREQ=WEEKLY;INTERVAL=52;BYMONTH=8",
    "FREQ=WEEKLY;INTERVAL=313;BYMONTH=8",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;BYMONTH=1",
    "FREQ=MONTHLY;INTERVAL=999;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=1;BYSETPOS=2",
    "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1,2,3",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    f"FREQ=MONTHLY;{LONG_LIST};BYSETPOS=31,-31;{ALL_MONTHS}",
    f"FREQ=MONTHLY;{ALL_DAYS};BYMONTHDAY=10,11,12,13,14,15",
    "FREQ=YEARLY;BYDAY=MO;BYMONTH=1;BYSETPOS=6",
    "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;INTERVAL=999",
    f"FREQ=YEARLY;{ALL_MONTHS};{LONG_LIST};BYDAY=5MO;BYSETPOS=31",
    f"FREQ=YEARLY;{ALL_MONTHS};{ALL_DAYS};BYMONTHDAY=10,11,12,13,14,15",
    "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=31",
    "FREQ=HOURLY",
    "FREQ=HOURLY;COUNT=10000",
    "FREQ=HOURLY;INTERVAL=23;COUNT=10000",
    "FREQ=HOURLY;INTERVAL=52;BYDAY=MO,SA;COUNT=10000",
    "FREQ=HOURLY;INTERVAL=364;BYMONTHDAY=4,-25,6,31;BYDAY=MO",
    "FREQ=HOURLY;INTERVAL=168;BYDAY=WE",
    "FREQ=HOURLY;INTERVAL=24;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    "FREQ=HOURLY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=29;COUNT=10000",
    "FREQ=DAILY;COUNT=10000",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;COUNT=10000",
    "FREQ=DAILY;UNTIL=22001231",
    "FREQ=WEEKLY;COUNT=10000;BYDAY=MO,TU,WE,TH,FR,SA,SU",
    "FREQ=MONTHLY;COUNT=10000;" + LONG_LIST,
    "FREQ=YEARLY;COUNT=10000;BYDAY=MO,TU,WE,TH,FR,SA,SU",
    "\t rrule:freq=daily \n",
)


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python this runs with empty caches: the same on every machine, however busy."""
    count, tracer = 0, sys.gettrace()

    def step(frame: FrameType, event: str, argument: object) -> TraceFunction:
        nonlocal count
        count += event == "line"
        return step

    for cache in (days.days_of_span, days.days_of_year, parse):
        cache.cache_clear()
    sys.settrace(step)
    try:
        work()
    finally:
        sys.settrace(tracer)
    return count


def answer(text: str, start: datetime, **columns: object) -> Plan:
    return Plan.of(text, start, timezone="America/New_York", **columns)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:40]))
def test_refused_with_a_sentence_in_few_steps(text: str) -> None:
    def refuse() -> None:
        with pytest.raises(RuleError) as problem:
            parse(text, True)
        assert problem.value.field == "rrule"
        assert problem.value.message[0].isupper()
        assert problem.value.message.endswith(".")
        assert len(problem.value.message) < 200

    assert steps(refuse) < 2_000


@pytest.mark.parametrize("text", ACCEPTED, ids=lambda text: repr(text[:40]))
@pytest.mark.parametrize("invalid", ["backward", "forward", "omit"])
def test_previewed_in_bounded_steps(text: str, invalid: str) -> None:
    assert steps(lambda: preview(answer(text, MONDAY, on_invalid_date=invalid), 12, "UTC")) < MOST_STEPS


@pytest.mark.parametrize("text", ACCEPTED, ids=lambda text: repr(text[:40]))
@pytest.mark.parametrize("policy", list(OnMissed))
@pytest.mark.parametrize("years_ago", [1, 56])
def test_caught_up_in_bounded_steps(text: str, policy: OnMissed, years_ago: int) -> None:
    start = datetime(2026 - years_ago, 2, 28, 23, 30)
    plan = answer(text, start, on_missed=policy, expire_after=timedelta(days=366))
    occurrence = first(plan)

    assert steps(lambda: decide_missed(plan, occurrence, [], NOW)) < MOST_STEPS


@pytest.mark.parametrize("text", ACCEPTED, ids=lambda text: repr(text[:40]))
def test_the_next_after_a_long_sleep_in_bounded_steps(text: str) -> None:
    plan = answer(text, datetime(1970, 2, 28, 23, 30))
    moment = datetime(2026, 11, 21, 10)

    assert steps(lambda: first_after(plan, moment, plan.start, 1)) < MOST_STEPS
    assert steps(lambda: next_after(plan, moment, 1)) < MOST_STEPS


@pytest.mark.parametrize("freq", ["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
@pytest.mark.parametrize("completed", [datetime(1900, 1, 1), datetime(2026, 11, 21), datetime(2200, 12, 31, 23, 59)])
def test_completed_ages_early_or_late_in_bounded_steps(freq: str, completed: datetime) -> None:
    plan = answer(f"FREQ={freq};BYDAY=MO", datetime(2026, 1, 1, 9), anchor="completion")

    assert steps(lambda: after_completion(plan, datetime(2100, 1, 1, 9), completed, 1)) < MOST_STEPS


HOLIDAYS = [date(2020, 1, 1) + timedelta(days=days) for days in range(3_650)]


@pytest.mark.parametrize("holidays", [1_000, 3_650])
@pytest.mark.parametrize(
    ("text", "shift"),
    [("FREQ=HOURLY", "skip")]
    + [(text, shift) for text in ("FREQ=DAILY", "FREQ=WEEKLY", "FREQ=DAILY;COUNT=10000") for shift in Shift],
)
def test_years_of_holidays_in_bounded_steps(text: str, shift: str, holidays: int) -> None:
    plan = answer(text, datetime(2020, 1, 4, 9), shift=shift, holidays=HOLIDAYS[:holidays])

    assert steps(lambda: preview(plan, 100, "UTC")) < MOST_STEPS
    assert steps(lambda: decide_missed(plan, PlannedOccurrence(plan.start, 1), [], NOW)) < MOST_STEPS


def test_a_rule_that_a_zone_stopped_in_bounded_steps() -> None:
    # Kwajalein left out a day in 1993: what came on Thursdays would come on Fridays, and no more on days of the rule
    plan = Plan.of("FREQ=HOURLY;INTERVAL=168;BYDAY=TH,SU", datetime(1970, 5, 14, 4, 53), timezone="Pacific/Kwajalein")

    assert steps(lambda: decide_missed(plan, PlannedOccurrence(plan.start, 1), [], NOW)) < MOST_STEPS


def test_a_hundred_pauses_and_ten_thousand_exceptions_in_bounded_steps() -> None:
    pauses = [
        (date(2020 + year, month, 1), date(2020 + year, month, 20)) for year in range(8) for month in range(1, 13)
    ]
    exceptions = [datetime(2020, 1, 4, 9) + timedelta(hours=hours) for hours in range(10_000)]
    plan = answer("FREQ=HOURLY", datetime(2020, 1, 4, 9), pauses=pauses, exceptions=exceptions)

    assert steps(lambda: preview(plan, 100, "UTC")) < MOST_STEPS
    assert steps(lambda: decide_missed(plan, PlannedOccurrence(plan.start, 1), [], NOW)) < MOST_STEPS


@pytest.mark.parametrize(
    ("text", "anchor"),
    [(text, "schedule") for text in ("FREQ=HOURLY", f"FREQ=DAILY;{ALL_HOURS}", "FREQ=DAILY", "FREQ=DAILY;COUNT=10000")]
    + [("FREQ=HOURLY", "completion"), ("FREQ=DAILY", "completion")],
)
def test_a_pause_of_centuries_in_bounded_steps(text: str, anchor: str) -> None:
    plan = answer(text, datetime(1970, 1, 4, 9), anchor=anchor, pauses=[(date(1970, 1, 1), date(2200, 12, 31))])

    assert steps(lambda: preview(plan, 100, "UTC")) < MOST_STEPS
    decided = steps(lambda: decide_missed(plan, PlannedOccurrence(plan.start, 1), [], NOW))
    assert decided < 2 * MOST_STEPS  # a count numbers each of ten thousand


def test_after_many_days_of_a_pause_the_last_of_them_are_recorded() -> None:
    plan = Plan.of(
        "FREQ=HOURLY", datetime(2020, 1, 4, 9), timezone="UTC", pauses=[(date(2020, 1, 1), date(2200, 1, 1))]
    )

    decision = decide_missed(plan, PlannedOccurrence(plan.start, 1), [], NOW)

    assert len(decision.paused) < 5_000
    assert decision.paused[-1].original_start == datetime(2026, 11, 20, 23)
    assert decision.next is not None
    assert decision.next.original_start == datetime(2026, 11, 21)
    assert not decision.all_listed


def test_the_longest_preview_in_bounded_steps() -> None:
    for text in ACCEPTED:
        assert (
            steps(lambda text=text: preview(answer(text, MONDAY, on_invalid_date="omit"), 100, "UTC")) < MOST_STEPS
        ), text


@pytest.mark.parametrize("year", [1926, 2026])
def test_the_usual_next_takes_two_hundred_steps_at_any_age(year: int) -> None:
    plan = answer("FREQ=MONTHLY;BYMONTHDAY=31", datetime(year, 1, 31, 9))
    moment = datetime(2026, 10, 31, 9)

    assert steps(lambda: next_after(plan, moment, 1)) < 200


@pytest.mark.parametrize(
    "name", ["", "Nowhere/Bad", "Europe", "../../etc/passwd", "/etc/passwd", "localtime", "\x00", "é"]
)
def test_what_is_not_a_time_zone_is_refused(name: str) -> None:
    with pytest.raises(RuleError) as problem:
        Plan.of("FREQ=DAILY", MONDAY, timezone=name)

    assert problem.value.field == "timezone"


@pytest.mark.parametrize(
    ("field", "columns"),
    [
        ("start", {"start": datetime(1899, 12, 31)}),
        ("start", {"start": datetime(2201, 1, 1)}),
        ("start", {"start": datetime(1969, 12, 31), "rrule": "FREQ=HOURLY"}),
        ("start", {"start": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("start", {"start": datetime(2026, 1, 1, 9), "all_day": True}),
        ("count", {"count": 0}),
        ("count", {"count": MAX_COUNT + 1}),
        ("count", {"count": 3, "until": datetime(2027, 1, 1)}),
        ("lead", {"lead": timedelta(days=-1)}),
        ("lead", {"lead": timedelta(days=367)}),
        ("anchor", {"anchor": "moon"}),
        ("on_missed", {"on_missed": "panic"}),
        ("on_invalid_date", {"on_invalid_date": "sideways"}),
        ("shift", {"shift": "away"}),
        ("opens", {"opens": "never"}),
        ("shift", {"rrule": "FREQ=HOURLY", "shift": "next"}),
        ("rrule", {"rrule": "FREQ=HOURLY", "start": datetime(2026, 1, 1), "all_day": True}),
        ("rrule", {"rrule": "FREQ=MONTHLY;BYMONTHDAY=3", "anchor": "completion"}),
        ("expire_after", {"on_missed": "expire"}),
        ("max_open", {"max_open": 0}),
        ("pauses", {"pauses": [(date(2026, 2, 1), date(2026, 1, 1))]}),
    ],
)
def test_columns_out_of_range_are_refused(field: str, columns: dict[str, object]) -> None:
    with pytest.raises(RuleError) as problem:
        Plan.of(**{"rrule": "FREQ=DAILY", "start": MONDAY} | columns)

    assert problem.value.field == field


def test_hourly_is_refused_unless_allowed() -> None:
    with pytest.raises(RuleError, match="HOURLY rules are switched off"):
        parse("FREQ=HOURLY", hourly=False)


def test_a_rule_written_by_hand_ends_too() -> None:
    impossible = parse("FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1,2,3").rule
    start = datetime(2026, 1, 1, 9)

    assert (
        steps(lambda: list(original_starts(impossible, start, None, Plan(impossible, start).on_invalid_date, None)))
        < MOST_STEPS
    )
