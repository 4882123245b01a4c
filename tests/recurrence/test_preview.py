"""`POST /api/recurrences/preview`: what a series would do, before anybody saves it."""

from typing import Any, TypeAlias

import asyncpg
import pytest
from conftest import settings_for
from support.factories import Person
from support.vectors import cases

from todo.database import Database

EXAMPLE = {
    "rrule": "FREQ=MONTHLY;BYMONTHDAY=31", "start": "2026-01-31T09:00", "timezone": "Europe/Berlin",
    "on_invalid_date": "backward", "count": 12,
}  # fmt: skip
MONTHS = "FREQ=MONTHLY;BYMONTHDAY=31"
Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def on_the_wire(case: dict[str, Any]) -> dict[str, Any]:
    """The series of a vector as a request: its end by number stands in the rule, for `count` is how many to show."""
    series = dict(case["series"])
    if (count := series.pop("count", None)) is not None and "COUNT" not in series["rrule"].upper():
        series["rrule"] += f";COUNT={count}"
    if "pauses" in series:
        series["pauses"] = [{"from": begin, "until": end} for begin, end in series["pauses"]]
    return series


def asked(kind: str) -> list[dict[str, Any]]:
    """All vectors that state this kind of fact and can be asked for: a weekend is no field of a series yet."""
    return [case.values[0] for case in cases(kind) if "weekend" not in case.values[0]["series"]]


@pytest.fixture
def hourly(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "settings", settings_for(database_url, hourly_rules=True))


async def ask(person: Person, body: dict[str, Any]) -> Any:
    return await person.http.post("/api/recurrences/preview", json=body)


async def test_the_example_of_the_documentation(ada: Person) -> None:
    answer = await ask(ada, EXAMPLE)

    found = answer.json()
    assert answer.status_code == 200
    assert found["rrule"] == "FREQ=MONTHLY;BYMONTHDAY=31"
    assert found["sentence"] == "Every month on the 31st at 09:00 (Europe/Berlin); in shorter months the last day"
    assert (len(found["occurrences"]), found["warnings"]) == (12, [])
    assert found["occurrences"][1] == {
        "original_start": "2026-02-28T09:00", "at": "2026-02-28T08:00:00Z", "note": "February has no 31st: the 28th",
    }  # fmt: skip


@pytest.mark.usefixtures("hourly")
async def test_every_vector_of_occurrences_is_answered_so(ada: Person) -> None:
    wrong = []
    for case in asked("occurrences"):
        body = on_the_wire(case) | {"count": min(100, len(case["occurrences"]) + 1)}
        body.setdefault("timezone", case.get("owner_zone", "UTC"))
        answer = await ask(ada, body)
        found = [(occurrence["original_start"], occurrence["at"]) for occurrence in answer.json()["occurrences"]]
        for occurrence, wanted in zip(found, case["occurrences"], strict=False):
            text = wanted if isinstance(wanted, str) else wanted["original_start"]
            instant = None if isinstance(wanted, str) else wanted["at"].replace("Z", ":00Z")
            if occurrence[0] != text or instant not in (None, occurrence[1]):
                wrong.append((case["name"], occurrence, wanted))
        if len(found) < len(case["occurrences"]) or (case.get("ends") and len(found) != len(case["occurrences"])):
            wrong.append((case["name"], found, case["occurrences"]))

    assert wrong == []


@pytest.mark.usefixtures("hourly")
async def test_every_vector_of_refusals_is_refused_by_its_field(ada: Person) -> None:
    wrong = []
    for case in asked("refused"):
        answer = await ask(ada, on_the_wire(case))
        field = answer.json()["errors"][0]["field"] if answer.status_code == 422 else str(answer.status_code)
        name = field.removeprefix("body.").partition("[")[0].removesuffix("_seconds")
        if name != case["refused"]:
            wrong.append((case["name"], case["refused"], field))

    assert wrong == []


@pytest.mark.usefixtures("hourly")
async def test_every_vector_of_canonical_forms_is_answered_so(ada: Person) -> None:
    found = {case["name"]: (await ask(ada, on_the_wire(case))).json().get("rrule") for case in asked("canonical")}

    assert found == {case["name"]: case["canonical"] for case in asked("canonical")}


async def test_by_the_hour_only_where_the_settings_allow_it(ada: Person) -> None:
    answer = await ask(ada, {"rrule": "FREQ=HOURLY", "start": "2026-07-01T09:00"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.rrule"
    assert "switched off" in answer.text


async def test_without_a_zone_a_series_floats_with_its_reader(ada: Person) -> None:
    answer = await ask(ada, {"rrule": "FREQ=DAILY", "start": "2026-07-01T09:00", "count": 1})

    assert answer.json()["sentence"] == "Every day at 09:00"
    assert answer.json()["occurrences"][0]["at"] == "2026-07-01T07:00:00Z"


async def test_holidays_without_a_shift_are_warned_of(ada: Person) -> None:
    rule = {"rrule": "FREQ=DAILY", "start": "2026-12-25", "holidays": ["2026-12-26"], "count": 1}

    idle, moving = (await ask(ada, rule)).json(), (await ask(ada, rule | {"shift": "next"})).json()

    assert "shift must say where" in idle["warnings"][0]
    assert not any("shift must say where" in warning for warning in moving["warnings"])


async def test_until_as_a_day_means_to_its_end(ada: Person) -> None:
    answer = await ask(ada, {"rrule": "FREQ=DAILY", "start": "2026-07-01T09:00", "until": "2026-07-02"})

    assert [occurrence["original_start"] for occurrence in answer.json()["occurrences"]] == [
        "2026-07-01T09:00",
        "2026-07-02T09:00",
    ]


async def test_a_rule_that_never_happens_is_reported_and_not_refused(ada: Person) -> None:
    answer = await ask(ada, {"rrule": "FREQ=DAILY;INTERVAL=7;BYDAY=TU", "start": "2026-11-23"})

    assert (answer.status_code, answer.json()["occurrences"]) == (200, [])
    assert answer.json()["warnings"] == ["This rule never happens within 100 years: no date fits every part of it."]


async def test_a_start_that_the_rule_moves_is_warned_of(ada: Person) -> None:
    answer = await ask(ada, {"rrule": "FREQ=WEEKLY;BYDAY=TU", "start": "2026-11-28", "count": 1})

    assert [occurrence["original_start"] for occurrence in answer.json()["occurrences"]] == ["2026-12-01"]
    assert answer.json()["warnings"] == [
        "Saturday, 28 November 2026 is not an occurrence: the first is Tuesday, 1 December 2026."
    ]


async def test_a_rare_date_is_shown_as_often_as_asked_for(ada: Person) -> None:
    sundays = {"rrule": "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU", "start": "2026-01-01"}

    answer = await ask(ada, sundays | {"on_invalid_date": "omit", "count": 6})

    assert [occurrence["original_start"][:4] for occurrence in answer.json()["occurrences"]] == [
        "2032", "2060", "2088", "2128", "2156", "2184",
    ]  # fmt: skip


async def test_several_times_a_day_are_previewed(ada: Person) -> None:
    rule = {"rrule": "FREQ=DAILY;BYHOUR=9,21", "start": "2026-01-01T12:00", "timezone": "Europe/Berlin", "count": 2}

    answer = (await ask(ada, rule)).json()

    assert answer["sentence"] == "Every day at 09:00 and 21:00 (Europe/Berlin)"
    assert [occurrence["at"] for occurrence in answer["occurrences"]] == [
        "2026-01-01T20:00:00Z",
        "2026-01-02T08:00:00Z",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("start", "2026-02-30"), ("start", "2026-01-01T25:00"), ("start", "yesterday"), ("start", "2026-01-01T09:00Z"),
        ("timezone", "Mars/Olympus"), ("timezone", "localtime"), ("timezone", ""), ("rrule", "FREQ=SECONDLY"),
        ("count", 0), ("count", 101), ("until", "2026-02-30"), ("until", 5), ("lead_seconds", -1),
        ("until", "9999-12-31"), ("until", "0001-01-01"), ("pauses", [{"from": "2026-01-01", "until": "9999-12-31"}]),
        ("pauses", [{"from": "0001-01-01", "until": "2026-02-01"}]),
        ("lead_seconds", 10**30), ("max_open", 101), ("expire_after_seconds", 0), ("holidays", ["2026-02-30"]),
        ("holidays", ["2026-01-01"] * 1001), ("pauses", [{"from": "2026-02-01", "until": "2026-01-01"}]),
        ("pauses", [{"from": "2026-02-01"}]), ("exceptions", ["2026-01-01T09:00"]), ("exceptions", ["2026-02-30"]),
        ("shift", "sideways"), ("anchor", "moon"), ("on_missed", "panic"), ("opens", "never"), ("x", 1),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_its_name(ada: Person, field: str, value: Any) -> None:
    answer = await ask(ada, {"rrule": "FREQ=DAILY", "start": "2026-01-01"} | {field: value})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(f"body.{field}")


async def test_expire_needs_to_know_after_how_long(ada: Person) -> None:
    answer = await ask(ada, {"rrule": "FREQ=DAILY", "start": "2026-01-01", "on_missed": "expire"})

    assert [error["field"] for error in answer.json()["errors"]] == ["body.expire_after_seconds"]


async def test_nothing_is_stored(ada: Person, sql: Sql) -> None:
    await ask(ada, EXAMPLE)

    assert await sql.fetchval("SELECT (SELECT count(*) FROM series) + (SELECT count(*) FROM occurrences)") == 0
