"""A plan and its occurrences in German."""

from datetime import datetime

import pytest

from todo.domain.recurrence.rules.explain import sentence
from todo.domain.recurrence.rules.languages import PHRASES, phrases_of
from todo.domain.recurrence.rules.notes import note
from todo.domain.recurrence.rules.occurrences import occurrences
from todo.domain.recurrence.rules.plan import Plan

GERMAN = phrases_of("de")
FLOATING: dict[str, object] = {"timezone": None}
COMPLETION: dict[str, object] = {"anchor": "completion"}


def plan(rrule: str, start: str, **columns: object) -> Plan:
    given = {"timezone": "Europe/Berlin", "all_day": "T" not in start} | columns
    return Plan.of(rrule, datetime.fromisoformat(start), **given)


@pytest.mark.parametrize(
    ("expected", "rrule", "start", "columns"),
    [
        ("Jeden Tag", "FREQ=DAILY", "2026-01-01", {}),
        ("Jeden Tag um 08:05:30 Uhr", "FREQ=DAILY", "2026-01-01T08:05:30", FLOATING),
        ("Jeden Tag um 09:00 und 21:00 Uhr", "FREQ=DAILY;BYHOUR=21,9", "2026-01-01T09:00", FLOATING),
        ("Alle 3 Tage, einmal", "FREQ=DAILY;INTERVAL=3;COUNT=1", "2026-01-01", {}),
        ("Jeden Tag im März und Juli", "FREQ=DAILY;BYMONTH=7,3", "2026-03-01", {}),
        ("Jeden Tag, nur von Montag bis Freitag", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "2026-01-01", {}),
        ("Jeden Tag, nur am 1. und 15.", "FREQ=DAILY;BYMONTHDAY=15,1", "2026-01-01", {}),
        ("Jede Stunde zur Minute 15", "FREQ=HOURLY", "2026-01-01T09:15", FLOATING),
        (
            "Alle 6 Stunden zur Minute 15 (Europe/Berlin), bis 1. Mai 2026, 12:00 Uhr",
            *("FREQ=HOURLY;INTERVAL=6;UNTIL=20260501T120000", "2026-01-01T09:15", {}),
        ),
        ("Jede Woche am Donnerstag", "FREQ=WEEKLY", "2026-01-01", {}),
        (
            "Jede Woche am Montag um 08:15, 08:45, 20:15 und 20:45 Uhr (Europe/Berlin)",
            *("FREQ=WEEKLY;BYDAY=MO;BYHOUR=8,20;BYMINUTE=15,45", "2026-01-01T09:30", {}),
        ),
        (
            "Alle 2 Wochen am Montag und Sonntag (Wochen beginnen am Sonntag), 5-mal",
            *("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU;COUNT=5", "2026-01-01", {}),
        ),
        (
            "Jeden Monat am 31. um 09:00 Uhr (Europe/Berlin); in kürzeren Monaten am letzten Tag",
            *("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31T09:00", {}),
        ),
        (
            "Jeden Monat am 31.; in kürzeren Monaten am 1. des nächsten Monats",
            *("FREQ=MONTHLY", "2026-01-31", {"on_invalid_date": "forward"}),
        ),
        (
            "Alle 3 Monate am 30.; nicht in kürzeren Monaten",
            *("FREQ=MONTHLY;INTERVAL=3", "2026-01-30", {"on_invalid_date": "omit"}),
        ),
        ("Jeden Monat am 1., letzten und vorletzten Tag", "FREQ=MONTHLY;BYMONTHDAY=-2,-1,1", "2026-01-01", {}),
        ("Jeden Monat am drittletzten Tag", "FREQ=MONTHLY;BYMONTHDAY=-3", "2026-01-01", {}),
        (
            "Jeden Monat am einundzwanzigstletzten Tag, bis 31. Dezember 2026",
            *("FREQ=MONTHLY;BYMONTHDAY=-21;UNTIL=20261231", "2026-01-01", {}),
        ),
        (
            "Jeden Monat am letzten Freitag und am 1. Montag",
            *("FREQ=MONTHLY;BYDAY=1MO,-1FR", "2026-01-01", {}),
        ),
        ("Jeden Monat am Mittwoch und am 2. Montag", "FREQ=MONTHLY;BYDAY=2MO,WE", "2026-01-01", {}),
        ("Jeden Monat am 13., falls das ein Freitag ist", "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", "2026-01-01", {}),
        (
            "Jeden Monat am 1., falls das ein Tag von Montag bis Freitag ist",
            *("FREQ=MONTHLY;BYMONTHDAY=1;BYDAY=MO,TU,WE,TH,FR", "2026-01-01", {}),
        ),
        (
            "Jeden Monat von Montag bis Freitag, davon nur der letzte",
            *("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-01", {}),
        ),
        (
            "Jeden Monat am Samstag und Sonntag, davon nur der vorletzte und der 1.",
            *("FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1,-2", "2026-01-01", {}),
        ),
        ("Jedes Jahr im März und Juli am 4., einmal", "FREQ=YEARLY;BYMONTH=7,3;COUNT=1", "2026-03-04", {}),
        (
            "Jedes Jahr im Februar am 29.; nicht in anderen Jahren",
            *("FREQ=YEARLY", "2024-02-29", {"on_invalid_date": "omit"}),
        ),
        (
            "Jedes Jahr in jedem Monat am 13., falls das ein Freitag ist",
            *("FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR", "2026-01-01", {}),
        ),
        (
            "Jedes Jahr in jedem Monat am 1., falls das der 1. Montag des Jahres ist",
            *("FREQ=YEARLY;BYMONTHDAY=1;BYDAY=1MO", "2026-01-01", {}),
        ),
        ("Jeweils einen Tag nach dem Erledigen", "FREQ=DAILY", "2026-01-01", COMPLETION),
        ("Jeweils eine Woche nach dem Erledigen", "FREQ=WEEKLY", "2026-01-01", COMPLETION),
        (
            "Jeweils 10 Tage nach dem Erledigen um 09:00 Uhr (Europe/Berlin)",
            *("FREQ=DAILY;INTERVAL=10", "2026-01-01T09:00", COMPLETION),
        ),
        (
            "Jeden Tag; an Feiertagen und Wochenenden am Arbeitstag danach fällig",
            *("FREQ=DAILY", "2026-01-01", {"shift": "next"}),
        ),
        ("Jeden Tag; nicht an Feiertagen und Wochenenden", "FREQ=DAILY", "2026-01-01", {"shift": "skip"}),
    ],
)
def test_a_sentence(expected: str, rrule: str, start: str, columns: dict[str, object]) -> None:
    assert sentence(plan(rrule, start, **columns), GERMAN) == expected


@pytest.mark.parametrize(
    ("expected", "rrule", "start", "columns"),
    [
        ("Februar hat keinen 31.: am 28.", "FREQ=MONTHLY", "2026-01-31", {}),
        ("Februar hat keinen 31.: am 1. März", "FREQ=MONTHLY", "2026-01-31", {"on_invalid_date": "forward"}),
        ("Februar 2025 hat keinen 29.: am 28.", "FREQ=YEARLY", "2024-02-29", {}),
        ("Wochenende: fällig am 5. Januar", "FREQ=DAILY", "2026-01-02", {"shift": "next"}),
        (
            "Feiertag: fällig am 2. Januar",
            *("FREQ=DAILY", "2025-12-31", {"shift": "next", "holidays": [datetime(2026, 1, 1).date()]}),
        ),
        ("02:30 Uhr gibt es in dieser Nacht nicht: um 03:30 Uhr", "FREQ=DAILY", "2026-03-28T02:30", {}),
        ("02:30 Uhr kommt in dieser Nacht zweimal: das erste Mal", "FREQ=DAILY", "2026-10-24T02:30", {}),
        ("02:00 Uhr zum zweiten Mal in dieser Nacht", "FREQ=HOURLY", "2026-10-25T02:00", {}),
        (
            "den 30. Dezember gibt es dort nicht: am 31. Dezember",
            *("FREQ=DAILY", "2011-12-29", {"timezone": "Pacific/Apia"}),
        ),
    ],
)
def test_what_moved_the_second_occurrence(expected: str, rrule: str, start: str, columns: dict[str, object]) -> None:
    moved = plan(rrule, start, **columns)
    _, second = (one.original_start for one, _ in zip(occurrences(moved, None, 0), range(2), strict=False))

    assert note(moved, second, GERMAN) == expected


def test_a_language_without_phrases_says_it_in_english() -> None:
    assert phrases_of("xx") is PHRASES["en"]
