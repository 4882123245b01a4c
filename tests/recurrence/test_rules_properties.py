"""Our generator beside dateutil's, over the whole grammar that both read alike."""

from datetime import datetime, timedelta
from itertools import islice
from random import Random

import pytest
from dateutil import rrule as dateutil_rrule

from todo.domain.recurrence.rules.generator import OnInvalidDate, explicit, original_starts
from todo.domain.recurrence.rules.grammar import WEEKDAYS, canonical, parse

RULES = 2_000
OCCURRENCES = 40
FREQUENCIES = ("HOURLY", *(2 * ("DAILY", "WEEKLY")), *(3 * ("MONTHLY", "YEARLY")))
# dateutil visits every hour and day to see that nothing comes, so the comparison ends here.
HORIZON = 2050

NEVER = (
    "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
    "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1,2,3",
    "FREQ=MONTHLY;BYMONTHDAY=-14;BYSETPOS=2",
    "FREQ=YEARLY;BYDAY=MO;BYMONTH=1;BYSETPOS=6",
    "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29",
)


def random_rule(random: Random) -> str:
    freq = random.choice(FREQUENCIES)
    parts = {"FREQ": freq, "INTERVAL": str(random.choice((1, 1, 1, 2, 3, 5, 13)))}
    if random.random() < 0.25:
        parts["BYMONTH"] = chosen(random, range(1, 13), 4)
    if freq != "WEEKLY" and random.random() < 0.35:
        parts["BYMONTHDAY"] = chosen(random, [day for day in range(-31, 32) if day], 4)
    if random.random() < 0.5:
        parts["BYDAY"] = random_weekdays(random, numbered=freq in ("MONTHLY", "YEARLY"))
    if freq != "HOURLY" and random.random() < 0.3:
        parts["BYHOUR"] = chosen(random, range(24), 3)
    if freq != "HOURLY" and random.random() < 0.2:
        parts["BYMINUTE"] = chosen(random, range(60), 2)
    if freq in ("MONTHLY", "YEARLY") and parts.keys() & {"BYDAY", "BYMONTHDAY", "BYMONTH"} and random.random() < 0.3:
        parts["BYSETPOS"] = chosen(random, [-3, -2, -1, 1, 2, 3, 5], 2)
    if random.random() < 0.3:
        parts["WKST"] = random.choice(WEEKDAYS)
    return ";".join(f"{name}={value}" for name, value in parts.items())


def random_weekdays(random: Random, numbered: bool) -> str:
    # dateutil intersects numbered and plain weekdays in one BYDAY instead of joining them, so a rule has only one kind
    days = random.sample(WEEKDAYS, random.randint(1, 4))
    if numbered and random.random() < 0.6:
        return ",".join(f"{random.choice((-5, -2, -1, 1, 2, 3, 4, 5))}{day}" for day in days)
    return ",".join(days)


def chosen(random: Random, values: range | list[int], most: int) -> str:
    return ",".join(map(str, random.sample(values, random.randint(1, most))))


def random_start(random: Random) -> datetime:
    return datetime(2015, 1, 1, 9, 30) + timedelta(days=random.randrange(6_000), hours=random.randrange(12))


def cases() -> list[tuple[str, datetime]]:
    random, found = Random(5545), []
    while len(found) < RULES:
        text, start = random_rule(random), random_start(random)
        # dateutil needs up to a second to see that a rule gives nothing; NEVER has a few of those
        if is_read(text) and ours(text, start, None, 1):
            found.append((text, start))
    return found


def is_read(text: str) -> bool:
    try:
        parse(text, True)
    except ValueError:
        return False
    return True


def ours(text: str, start: datetime, after: datetime | None, count: int) -> list[datetime]:
    rule = explicit(parse(text, True).rule, start)
    return list(islice(original_starts(rule, start, after, OnInvalidDate.OMIT, "UTC"), count))


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
