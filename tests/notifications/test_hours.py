"""A person's clock, in every zone and in the nights when the clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from todo.domain.notifications.rules.hours import after_quiet, day_of, latest_at, next_at

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Tehran"]
zones = st.sampled_from(ZONES)
clocks = st.times().map(lambda clock: f"{clock:%H:%M}")
instants = st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "begin", "end", "expected"),
    [
        ("2026-01-10 20:59", "22:00", "07:00", "2026-01-10 20:59"),  # 21:59 in Berlin: not yet
        ("2026-01-10 21:00", "22:00", "07:00", "2026-01-11 06:00"),  # 22:00: until the morning
        ("2026-01-10 23:30", "22:00", "07:00", "2026-01-11 06:00"),  # after midnight
        ("2026-01-11 06:00", "22:00", "07:00", "2026-01-11 06:00"),  # 07:00: it is over
        ("2026-01-10 12:00", "12:00", "14:00", "2026-01-10 13:00"),  # within one day
        ("2026-01-10 13:30", "12:00", "14:00", "2026-01-10 13:30"),
        ("2026-03-29 00:30", "22:00", "02:30", "2026-03-29 01:30"),  # 02:30 does not exist: 03:30
        ("2026-10-25 00:10", "22:00", "02:30", "2026-10-25 00:30"),  # 02:30 exists twice: the first
        ("2026-10-25 01:10", "22:00", "02:30", "2026-10-25 01:30"),  # second 02:10: the second
        ("2026-01-10 23:30", None, None, "2026-01-10 23:30"),
    ],
)
def test_quiet_hours_end_at_their_local_end(moment: str, begin: str, end: str, expected: str) -> None:
    assert after_quiet(utc(moment), begin, end, "Europe/Berlin") == utc(expected)


@given(instants, clocks, clocks, zones)
def test_nothing_waits_longer_than_two_days_or_comes_early(
    moment: datetime, begin: str, end: str, timezone: str
) -> None:
    sent = after_quiet(moment, begin, end, timezone)

    assert moment <= sent <= moment + timedelta(hours=49)


@given(instants, clocks, clocks, zones)
def test_what_has_waited_does_not_wait_again(moment: datetime, begin: str, end: str, timezone: str) -> None:
    assume((time.fromisoformat(end).hour - time.fromisoformat(begin).hour) % 24 in range(1, 18))

    sent = after_quiet(moment, begin, end, timezone)

    assert after_quiet(sent, begin, end, timezone) == sent


@pytest.mark.parametrize(
    ("clock", "timezone", "now", "expected"),
    [
        ("08:00", "Europe/Berlin", "2026-01-10 06:59", "2026-01-10 07:00"),
        ("08:00", "Europe/Berlin", "2026-01-10 07:00", "2026-01-11 07:00"),
        ("02:30", "Europe/Berlin", "2026-03-28 12:00", "2026-03-29 01:30"),  # does not exist: 03:30
        ("02:30", "Europe/Berlin", "2026-10-25 00:30", "2026-10-26 01:30"),  # the second 02:30 is not another one
        ("08:00", "Pacific/Apia", "2011-12-29 18:00", "2011-12-30 18:00"),  # December 30th never was
    ],
)
def test_the_next_of_an_hour(clock: str, timezone: str, now: str, expected: str) -> None:
    assert next_at(clock, timezone, utc(now)) == utc(expected)


@given(instants, clocks, zones)
def test_the_latest_and_the_next_lie_on_both_sides_of_now(now: datetime, clock: str, timezone: str) -> None:
    day, latest = latest_at(clock, timezone, now)
    following = next_at(clock, timezone, now)

    assert latest <= now < following
    assert following - latest <= timedelta(hours=49)
    assert day == latest.astimezone(ZoneInfo(timezone)).date()


@given(instants, clocks, zones)
def test_every_local_day_has_at_most_one(now: datetime, clock: str, timezone: str) -> None:
    first = next_at(clock, timezone, now)
    second = next_at(clock, timezone, first)

    assert latest_at(clock, timezone, first)[0] < latest_at(clock, timezone, second)[0]


@pytest.mark.parametrize(
    ("moment", "hours"), [("2026-01-10 12:00", 24), ("2026-03-29 12:00", 23), ("2026-10-25 12:00", 25)]
)
def test_a_day_is_as_long_as_its_clocks_make_it(moment: str, hours: int) -> None:
    begin, end = day_of(utc(moment), "Europe/Berlin")

    assert begin <= utc(moment) < end
    assert end - begin == timedelta(hours=hours)
