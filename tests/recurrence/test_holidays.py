"""`POST /api/recurrences/holidays`: days off out of calendar files."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.factories import Person

from todo.domain.recurrence.rules.grammar import RuleError
from todo.domain.recurrence.rules.holidays import read_holidays

TODAY = date(2026, 11, 26)
CHRISTMAS = ("DTSTART;VALUE=DATE:20201225", "DTEND;VALUE=DATE:20201227", "RRULE:FREQ=YEARLY", "SUMMARY:Christmas")


def calendar(*events: tuple[str, ...]) -> str:
    lines = [line for event in events for line in ("BEGIN:VEVENT", "UID:x", *event, "END:VEVENT")]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *lines, "END:VCALENDAR", ""])


def read(*events: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    days, notes = read_holidays(calendar(*events), TODAY)
    return {str(day): name for day, name in days.items()}, notes


async def ask(person: Person, body: Any) -> Any:
    return await person.http.post("/api/recurrences/holidays", json=body)


async def test_a_calendar_becomes_the_holidays_of_a_series(ada: Person) -> None:
    answer = await ask(ada, {"ics": calendar(CHRISTMAS)})
    days = [one["day"] for one in answer.json()["days"]]
    rule = {"rrule": "FREQ=YEARLY", "start": "2027-12-25", "holidays": days, "shift": "next", "count": 2}
    preview = await ada.http.post("/api/recurrences/preview", json=rule)

    assert (answer.status_code, len(days), answer.json()["notes"]) == (200, 22, [])
    assert answer.json()["days"][0] == {"day": "2026-12-25", "name": "Christmas"}
    assert preview.json()["occurrences"][0]["note"] == "holiday: due on 27 December"


def test_whole_days_are_taken_from_this_year_to_ten_years_on() -> None:
    days, notes = read(
        ("DTSTART;VALUE=DATE:20260101", "SUMMARY:New\\nYear"),
        ("DTSTART;VALUE=DATE:20251226", "DTEND;VALUE=DATE:20260103", "SUMMARY:Between the years"),
        ("DTSTART;VALUE=DATE:20361231", "SUMMARY:The last"),
        ("DTSTART;VALUE=DATE:20370101", "SUMMARY:Too far"),
    )

    assert days == {"2026-01-01": "New Year", "2026-01-02": "Between the years", "2036-12-31": "The last"}
    assert notes == []


def test_yearly_rules_are_followed_to_their_end() -> None:
    thanksgiving = ("DTSTART;VALUE=DATE:20201126", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;UNTIL=20281231", "SUMMARY:T")
    leap = ("DTSTART;VALUE=DATE:20000229", "RRULE:FREQ=YEARLY;COUNT=9", "EXDATE;VALUE=DATE:20280229", "SUMMARY:L")

    days, notes = read(thanksgiving, leap)

    assert days == {"2026-11-26": "T", "2027-11-25": "T", "2028-11-23": "T", "2032-02-29": "L"}
    assert notes == []


def test_what_is_passed_over_is_said() -> None:
    days, notes = read(
        ("DTSTART:20261224T180000Z", "SUMMARY:Dinner"),
        ("SUMMARY:Never",),
        ("DTSTART;VALUE=DATE:20260106", "RRULE:FREQ=WEEKLY", "SUMMARY:Choir"),
        ("DTSTART;VALUE=DATE:20260405", "RRULE:FREQ=YEARLY;BYEASTER=0", "SUMMARY:Easter"),
    )

    assert days == {"2026-01-06": "Choir", "2026-04-05": "Easter"}
    assert notes[:3] == [
        "Dinner: passed over, it is not about whole days.",
        "Never: passed over, it is not about whole days.",
        "Choir: only 2026-01-06 was taken, for it does not come back by one yearly rule.",
    ]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("DTSTART;VALUE=DATE:20261224", "DURATION:P3D", "SUMMARY:A")], 
         {"2026-12-24": "A", "2026-12-25": "A", "2026-12-26": "A"}),
        ([("DTSTART;VALUE=DATE:20261224", "STATUS:CANCELLED", "SUMMARY:A")], {}),
        ([("DTSTART;VALUE=DATE:20261225", "SUMMARY;LANGUAGE=de:Weihnachten", "SUMMARY;LANGUAGE=en:Christmas")],
         {"2026-12-25": "Weihnachten"}),
        ([("DTSTART;VALUE=DATE:20261225", "RRULE:FREQ=YEARLY;COUNT=2", "SUMMARY:A"),
          ("DTSTART;VALUE=DATE:20261228", "RECURRENCE-ID;VALUE=DATE:20261225", "SUMMARY:Moved")],
         {"2026-12-28": "Moved", "2027-12-25": "A"}),
        ([("DTSTART;VALUE=DATE:20261225", "RRULE:FREQ=YEARLY;COUNT=2", "SUMMARY:A"),
          ("DTSTART;VALUE=DATE:20261225", "RECURRENCE-ID;VALUE=DATE:20261225", "STATUS:CANCELLED")],
         {"2027-12-25": "A"}),
    ],
    ids=["a duration", "cancelled", "two languages", "one moved", "one cancelled"],
)  # fmt: skip
def test_what_calendars_of_others_say(events: list[tuple[str, ...]], expected: dict[str, str]) -> None:
    assert read(*events) == (expected, [])


def test_several_calendars_and_a_byte_order_mark_are_read() -> None:
    texts = [calendar((f"DTSTART;VALUE=DATE:2026122{day}", f"SUMMARY:{day}")) for day in (5, 6)]

    days, _ = read_holidays("\ufeff" + "".join(texts), TODAY)

    assert [(str(day), name) for day, name in days.items()] == [("2026-12-25", "5"), ("2026-12-26", "6")]


def test_further_days_are_reported_as_passed_over() -> None:
    days, notes = read(("DTSTART;VALUE=DATE:20261225", "RDATE;VALUE=DATE:20261228,20270104", "SUMMARY:A"))

    assert (list(days), len(notes)) == (["2026-12-25"], 1)
    assert "RDATE" in notes[0]


@pytest.mark.parametrize(
    "ics",
    [
        "x", "BEGIN:VCALENDAR", "BEGIN:VEVENT\r\nEND:VCALENDAR", "{}",
        calendar(*[("DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:20360101")]),
        calendar(*[("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY")] * 201),
    ],
    ids=["x", "unfinished", "crossed", "JSON", "ten years long", "many rules"],
)  # fmt: skip
async def test_what_is_no_calendar_of_holidays_is_refused(ada: Person, ics: str) -> None:
    answer = await ask(ada, {"ics": ics})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.ics")


LINES = st.sampled_from(
    [
        *CHRISTMAS, "BEGIN:VEVENT", "END:VEVENT", "DTSTART:99999999", "DTSTART;VALUE=DATE:00010101", "RRULE:",
        "DTEND;VALUE=DATE:99991231", "EXDATE:x", "DURATION:P9999999W", "RDATE:x", "RECURRENCE-ID:x",
        "EXDATE;VALUE=DATE:20261225,20271225", "RRULE:FREQ=YEARLY;UNTIL=x",
        "RRULE:FREQ=", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "SUMMARY", "DTSTART;TZID=Nowhere:20260101T000000",
        ";:", "\x00",
    ]
)  # fmt: skip


@given(st.lists(LINES | st.text(max_size=20), max_size=12))
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    try:
        days, _ = read_holidays(calendar(tuple(lines)), TODAY)
    except RuleError:
        return
    assert all(TODAY.year <= day.year <= TODAY.year + 10 for day in days)
