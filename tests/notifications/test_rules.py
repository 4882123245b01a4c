"""When a reminder is told: offsets, days, clock changes, and everything that can have happened meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todo.domain.notifications.rules.reminders import Person, State, evaluate, instant_of, key_of

BERLIN = Person("Europe/Berlin")
NOON = {"due": {"kind": "zoned", "at": "2026-06-10T12:00", "timezone": "UTC"}}
AT_DUE = {"kind": "relative", "to": "due"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day(text: str) -> dict[str, Any]:
    return {"due": {"kind": "day", "date": text}}


def floating(text: str) -> dict[str, Any]:
    return {"due": {"kind": "floating", "at": text}}


@pytest.mark.parametrize(
    ("timing", "moments", "expected"),
    [
        ({}, day("2026-01-10"), "2026-01-10 08:00"),  # 09:00 of that day
        ({"days": -1}, day("2026-01-10"), "2026-01-09 08:00"),
        ({"days": -1, "time": "18:00"}, day("2026-01-10"), "2026-01-09 17:00"),
        ({"minutes": -90}, day("2026-01-10"), "2026-01-10 06:30"),
        ({"days": -1}, day("2026-03-29"), "2026-03-28 08:00"),  # 23 hours long: still 09:00 on both days
        ({}, day("2026-03-29"), "2026-03-29 07:00"),
        ({}, floating("2026-01-10T12:00"), "2026-01-10 11:00"),
        ({"minutes": -60}, floating("2026-03-29T03:30"), "2026-03-29 00:30"),  # a real hour: 01:30 on the clock
        ({"days": -1}, floating("2026-03-30T03:30"), "2026-03-29 01:30"),  # the same clock
        ({"days": -1}, floating("2026-03-30T02:30"), "2026-03-29 01:30"),  # which does not exist: 03:30
        ({"days": -7, "time": "20:00"}, floating("2026-01-10T12:00"), "2026-01-03 19:00"),
        ({"days": 1}, floating("2026-01-10T12:00"), "2026-01-11 11:00"),
        (
            {"days": -1},
            {"due": {"kind": "zoned", "at": "2026-01-10T12:00", "timezone": "Asia/Tokyo"}},
            "2026-01-09 03:00",
        ),
    ],
)
def test_an_offset_of_days_keeps_the_clock_and_one_of_minutes_the_time(
    timing: dict[str, Any], moments: dict[str, Any], expected: str
) -> None:
    assert instant_of(AT_DUE | timing, moments, BERLIN) == utc(expected)


def test_a_day_begins_for_everybody_at_their_hour() -> None:
    early = Person("Europe/Berlin", day_time="06:30")

    assert instant_of(AT_DUE, day("2026-01-10"), early) == utc("2026-01-10 05:30")


def test_the_start_has_reminders_of_its_own() -> None:
    moments = {"due": None, "start": {"kind": "day", "date": "2026-01-10"}}

    assert instant_of({"kind": "relative", "to": "start"}, moments, BERLIN) == utc("2026-01-10 08:00")
    assert instant_of(AT_DUE, moments, BERLIN) is None


@pytest.mark.parametrize(("date", "days"), [("0001-01-01", -366), ("9999-12-31", 366)])
def test_beyond_the_calendar_there_is_no_time(date: str, days: int) -> None:
    assert instant_of(AT_DUE | {"days": days}, day(date), BERLIN) is None


EPOCH = utc("1970-01-01 00:00")
DUE = utc("2026-06-10 12:00")
NOW = utc("2026-06-10 12:00:05")
ASKED = State(requested_at=utc("2026-06-01 00:00"))
# What has happened -> what is done.
CASES = {
    "its time has come": (ASKED, NOON, NOW, "send"),
    "not yet": (ASKED, NOON, NOW - timedelta(seconds=6), "wait"),
    "the task is closed, gone or out of sight": (ASKED, None, NOW, "rest"),
    "the task has no such date": (ASKED, {"due": None}, NOW, "rest"),
    "told already": (replace(ASKED, sent_key=key_of(AT_DUE, NOON)), NOON, NOW, "rest"),
    "told of another date": (replace(ASKED, sent_key="due 2026-06-09T12:00 UTC 0d 0m "), NOON, NOW, "send"),
    "over before anybody asked": (replace(ASKED, requested_at=utc("2026-06-10 12:02")), NOON, NOW, "rest"),
    "set for just now": (replace(ASKED, requested_at=NOW), NOON, NOW, "send"),
    "it waited, and something else of the task changed": (
        State(requested_at=utc("2026-06-10 13:00"), remind_at=utc("2026-06-10 12:00")), NOON, utc("2026-06-10 13:00"),
        "send",
    ),
    "an occurrence that opens after its reminder": (replace(ASKED, requested_at=EPOCH), NOON, NOW, "send"),
    "snoozed, not over": (replace(ASKED, snoozed_until=utc("2026-06-10 12:10")), NOON, NOW, "wait"),
    "snoozed, over": (
        State(requested_at=NOW, snoozed_until=DUE, remind_at=DUE), NOON, NOW, "send",
    ),
    "snoozed, over while the task was closed": (
        replace(ASKED, requested_at=NOW, snoozed_until=utc("2026-06-10 11:00")), NOON, NOW, "rest",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of_a_reminder(case: str) -> None:
    state, moments, now, expected = CASES[case]

    assert evaluate(AT_DUE, moments, Person("UTC"), state, now).action == expected


QUIET = Person("Europe/Berlin", quiet_begin="22:00", quiet_end="07:00")


def test_in_quiet_hours_it_waits_for_the_morning() -> None:
    decision = evaluate(AT_DUE, floating("2026-06-10T23:00"), QUIET, ASKED, utc("2026-06-10 21:00"))

    assert (decision.action, decision.at) == ("wait", utc("2026-06-11 05:00"))


def test_what_is_urgent_is_sent_in_quiet_hours() -> None:
    state = replace(ASKED, urgent=True)

    decision = evaluate(AT_DUE, floating("2026-06-10T23:00"), QUIET, state, utc("2026-06-10 21:00"))

    assert decision.action == "send"


def test_who_travels_is_not_sent_twice() -> None:
    sent = key_of(AT_DUE, floating("2026-06-10T09:00"))
    there = Person("America/New_York")

    assert evaluate(AT_DUE, floating("2026-06-10T09:00"), there, replace(ASKED, sent_key=sent), NOW).action == "rest"


minutes = st.integers(-3000, 3000)


@given(minutes, minutes, st.booleans())
def test_nothing_is_sent_before_its_time_or_twice(offset: int, waited: int, urgent: bool) -> None:
    timing = AT_DUE | {"minutes": offset}
    now = utc("2026-06-10 12:00") + timedelta(minutes=waited)

    decision = evaluate(timing, NOON, QUIET, replace(ASKED, urgent=urgent), now)
    again = evaluate(timing, NOON, QUIET, State(requested_at=now, sent_key=key_of(timing, NOON)), now)

    assert decision.at is not None
    assert (decision.action == "send") is (decision.at <= now)
    assert decision.at >= utc("2026-06-10 12:00") + timedelta(minutes=offset)
    assert again.action == "rest"
