"""Our generator beside dateutil's, over the whole grammar that both read alike."""

from datetime import datetime, timedelta
from itertools import islice
from random import Random

import pytest
from dateutil import rrule as dateutil_rrule
from support.rules import is_read, ours, random_rule, random_start
from support.vectors import rfc_vectors

from todo.domain.recurrence.rules.clock import to_instant
from todo.domain.recurrence.rules.days import OnInvalidDate
from todo.domain.recurrence.rules.generator import explicit, original_starts
from todo.domain.recurrence.rules.grammar import Freq, canonical, parse
from todo.domain.recurrence.rules.occurrences import next_after, occurrences
from todo.domain.recurrence.rules.plan import Plan

RULES = 2_000
OCCURRENCES = 40
# dateutil visits every hour and day to see that nothing comes, so the comparison ends here.
HORIZON = 2050

NEVER = (
    "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1,2,3",
    "FREQ=MONTHLY;BYMONTHDAY=-14;BYSETPOS=2",
    "FREQ=YEARLY;BYDAY=MO;BYMONTH=1;BYSETPOS=6",
    "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29",
)


def cases() -> list[tuple[str, datetime]]:
    random, found = Random(5545), []
    while len(found) < RULES:
        text, start = random_rule(random), random_start(random)
        # dateutil needs up to a second to see that a rule gives nothing; NEVER has a few of those
        if is_read(text) and ours(text, start, None, 1):
            found.append((text, start))
    return found


def theirs(text: str, start: datetime) -> list[datetime]:
    found = dateutil_rrule.rrulestr(f"{text};UNTIL={HORIZON}0101T000000", dtstart=start)
    return list(islice(found, OCCURRENCES))


@pytest.fixture(scope="module")
def random_cases() -> list[tuple[str, datetime]]:
    return cases()


def test_random_rules_agree_with_dateutil(random_cases: list[tuple[str, datetime]]) -> None:
    for text, start in random_cases:
        expected = theirs(text, start)

        found = [
            original_start for original_start in ours(text, start, None, OCCURRENCES) if original_start.year < HORIZON
        ]

        assert found == expected, f"{text} from {start}"


def test_vectors_agree_with_dateutil() -> None:
    # dateutil knows no clock changes, and intersects days like FR,1MO
    comparable = [
        case for case in rfc_vectors()
        if (case.plan.timezone == "UTC" or case.plan.rule.freq is not Freq.HOURLY and not case.plan.rule.by_hour)
        and len({day.nth == 0 for day in case.plan.rule.by_day}) < 2
    ]  # fmt: skip
    for name, plan, starts in comparable:
        end = f";COUNT={plan.count}" if plan.count else f";UNTIL={plan.until:%Y%m%dT%H%M%S}" if plan.until else ""
        found = dateutil_rrule.rrulestr(f"{plan.rule}{end}", dtstart=plan.start)
        happening = (start for start in found if start not in plan.exceptions)

        assert list(islice(happening, len(starts))) == starts, name

    assert len(comparable) > 180


@pytest.mark.parametrize("text", NEVER)
def test_rules_that_never_happen_agree_with_dateutil(text: str) -> None:
    a_monday_in_an_odd_year = datetime(2025, 3, 3, 9)

    assert ours(text, a_monday_in_an_odd_year, None, 1) == theirs(text, a_monday_in_an_odd_year) == []


def test_the_next_from_any_occurrence_is_the_one_of_the_full_list(random_cases: list[tuple[str, datetime]]) -> None:
    for text, start in random_cases:
        listed = ours(text, start, None, OCCURRENCES)
        for before, following in zip(listed, listed[1:], strict=False):
            assert ours(text, start, before, 1) == [following], f"{text} from {start} after {before}"


def test_the_next_from_any_moment_is_the_one_of_the_full_list(random_cases: list[tuple[str, datetime]]) -> None:
    for text, start in random_cases:
        listed = ours(text, start, None, OCCURRENCES)
        for before, following in zip(listed, listed[1:], strict=False):
            between = before + (following - before) / 2
            assert ours(text, start, between, 1) == [following], f"{text} from {start} after {between}"


@pytest.mark.parametrize("invalid", ["backward", "forward"])
def test_moved_dates_do_not_depend_on_where_we_begin(invalid: str, random_cases: list[tuple[str, datetime]]) -> None:
    for text, start in random_cases:
        rule = explicit(parse(text, True).rule, start)
        listed = list(islice(original_starts(rule, start, None, OnInvalidDate(invalid), "UTC"), OCCURRENCES))

        assert listed == sorted(set(listed))
        for before, following in zip(listed, listed[1:], strict=False):
            assert next(original_starts(rule, start, before, OnInvalidDate(invalid), "UTC")) == following, (
                f"{text} {before}"
            )


def test_the_canonical_text_reads_back_unchanged(random_cases: list[tuple[str, datetime]]) -> None:
    for text, _ in random_cases:
        rule = parse(text, True).rule

        assert parse(str(rule), True).rule == rule
        assert canonical(parse(canonical(rule, 7, None), True).rule, 7, None) == f"{rule};COUNT=7"


def test_several_times_a_day_agree_with_counting_instants_in_zones_with_clock_changes() -> None:
    random = Random(2026)
    for zone in ("America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Europe/Berlin", "America/Santiago"):
        for _ in range(8):
            hours, minutes = sorted(random.sample(range(24), 4)), sorted(random.sample(range(60), 2))
            text = f"FREQ=DAILY;BYHOUR={','.join(map(str, hours))};BYMINUTE={','.join(map(str, minutes))}"
            plan = Plan.of(text, datetime(2026, 1, 1), timezone=zone, count=366 * 8)
            expected: list[datetime] = []
            for day in range(365):
                clock = (timedelta(days=day, hours=hour, minutes=minute) for hour in hours for minute in minutes)
                instants = {to_instant(plan.start + at, zone) for at in clock}
                expected += sorted(instants)

            found = list(islice(occurrences(plan, None, 0), len(expected)))

            assert sorted(to_instant(one.original_start, zone) for one in found) == expected, f"{text} in {zone}"
            assert [one.n for one in found] == list(range(1, len(expected) + 1))
            for before, following in zip(found[::7], found[1::7], strict=False):
                assert next_after(plan, *before) == following
