"""The questions that a list answers: what is late, due today or next, changed, completed, at the top."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from support.factories import Person, World
from support.series import act
from support.sharing import project, share

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
# It is never the same day in these two.
EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"


def day(zone: str, days: int = 0) -> dict[str, str]:
    """Today there, or so many days later."""
    return {"kind": "day", "date": f"{datetime.now(ZoneInfo(zone)).date() + timedelta(days=days)}"}


def instant(**since: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**since):%Y-%m-%dT%H:%M:%SZ}"


async def titles(person: Person, query: str) -> list[str]:
    answer = await person.http.get(f"/api/tasks?{query}")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


@pytest.mark.parametrize("zone", [EAST, WEST])
async def test_days_are_those_of_the_owner(world: World, zone: str) -> None:
    eve = await world.person("eve", timezone=zone)
    for days in (-1, 0, 1, 2, 7, 8):
        await eve.add(str(days), due=day(zone, days))
    await eve.add("never")

    assert await titles(eve, "when=overdue") == ["-1"]
    assert await titles(eve, "when=today") == ["0"]
    assert await titles(eve, "when=upcoming") == ["1", "2", "7"]
    assert await titles(eve, "when=upcoming&days=1") == ["1"]
    assert await titles(eve, "when=upcoming&days=8&sort=-due_at") == ["8", "7", "2", "1"]


@pytest.mark.parametrize("zone", [EAST, WEST, "America/Los_Angeles", "Pacific/Auckland"])
@pytest.mark.parametrize("owner", [EAST, WEST, "Europe/Berlin"])
async def test_a_day_is_the_same_day_for_everybody(world: World, sql: Sql, owner: str, zone: str) -> None:
    ada, eve = await world.person("ada", timezone=owner), await world.person("eve", timezone=zone)
    house = await project(ada)
    await share(sql, house, eve.id)
    for days in range(-3, 11):
        await ada.add(str(days), due=day(zone, days), project_id=house)
    late, today, next_week = ["-3", "-2", "-1"], ["0"], [str(days) for days in range(1, 8)]
    later = [*next_week, "8", "9", "10"]
    questions = {
        "when=overdue": late, "when=today": today, "when=upcoming": next_week, "when=upcoming&days=2": ["1", "2"],
        "view=overdue": late, "view=today": today, "view=upcoming": next_week,
        "filter=overdue order by due": late, "filter=not overdue order by due": today + later,
        "filter=due < today": late, "filter=due <= today": late + today, "filter=due > today": later,
        "filter=due = tomorrow": ["1"], "filter=due != today order by due": late + later,
        "filter=due in (yesterday, today)": ["-1", "0"], "filter=due >= now": later, "filter=due < now": late + today,
        "when=today&q=0": today, f"when=today&project_id={house}": today, "when=overdue&count=true": late,
    }  # fmt: skip

    found = {question: await titles(eve, question.replace(" ", "%20")) for question in questions}

    assert found == questions


async def test_a_time_is_an_instant_for_everybody(world: World, sql: Sql) -> None:
    ada, eve = await world.person("ada", timezone=EAST), await world.person("eve", timezone=WEST)
    house = await project(ada)
    await share(sql, house, eve.id)
    for minutes in (-2, 2):
        at = datetime.now(ZoneInfo(EAST)) + timedelta(minutes=minutes)
        due = {"kind": "zoned", "at": f"{at:%Y-%m-%dT%H:%M:%S}", "timezone": EAST}
        await ada.add(str(minutes), due=due, project_id=house)

    for person in (ada, eve):
        assert await titles(person, "when=overdue") == ["-2"]
        assert await titles(person, "filter=due%20<%20now") == ["-2"]
        assert await titles(person, "filter=due%20>%20now") == ["2"]


async def test_a_day_is_late_when_it_is_over_and_a_time_at_once(ada: Person) -> None:
    local = datetime.now(ZoneInfo("Europe/Berlin"))
    today = await ada.add("today", due=day("Europe/Berlin"))
    passed = {"kind": "floating", "at": f"{local - timedelta(minutes=2):%Y-%m-%dT%H:%M}"}
    now = await ada.add("now", due=passed)
    tomorrow = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), ZoneInfo("Europe/Berlin"))

    assert (today["overdue"], now["overdue"]) == (False, True)
    assert datetime.fromisoformat(today["overdue_at"]) == tomorrow
    assert now["overdue_at"] == now["due_at"]
    assert await titles(ada, "when=overdue") == ["now"]


async def test_what_is_closed_is_neither_late_nor_due(ada: Person) -> None:
    for days in (-1, 0, 1):
        task = await ada.add(due=day("Europe/Berlin", days))
        done = await act(ada, task, "complete")
        assert done["overdue"] is False

    assert [await titles(ada, f"when={when}") for when in ("overdue", "today", "upcoming")] == [[], [], []]


async def test_the_last_day_of_the_calendar_can_be_due(ada: Person) -> None:
    task = await ada.add(due={"kind": "day", "date": "9999-12-31"})

    assert task["overdue_at"] == task["due_at"]


async def test_an_occurrence_knows_when_it_is_late(ada: Person) -> None:
    task = await ada.add(due={"kind": "day", "date": "2031-03-30"}, recurrence={"rrule": "FREQ=DAILY"})
    following = (await act(ada, task, "complete"))["next_task"]

    assert (task["due_at"], task["overdue_at"]) == ("2031-03-29T23:00:00Z", "2031-03-30T22:00:00Z")  # 23 hours
    assert (following["due_at"], following["overdue_at"]) == ("2031-03-30T22:00:00Z", "2031-03-31T22:00:00Z")


async def test_a_task_that_becomes_late_is_no_longer_the_one_a_client_has(ada: Person, sql: Sql) -> None:
    task = await ada.add(due=day("Europe/Berlin", 1))
    path = f"/api/tasks/{task['id']}"
    known = (await ada.http.get(path)).headers["etag"]
    assert (await ada.http.get(path, headers={"If-None-Match": known})).status_code == 304
    await sql.execute("UPDATE tasks SET due_at = now() - interval '1 hour', overdue_at = now()")

    answer = await ada.http.get(path, headers={"If-None-Match": known})

    assert (answer.status_code, answer.headers["etag"], answer.json()["overdue"]) == (200, '"1-overdue"', True)
    changed = await ada.http.patch(path, json={"title": "b"}, headers={"If-Match": answer.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2-overdue"')


async def test_what_changed_since_comes_in_the_order_it_changed(ada: Person, sql: Sql) -> None:
    first, second, third = [await ada.add(title) for title in ("a", "b", "c")]
    await sql.execute("UPDATE tasks SET updated_at = updated_at - interval '1 hour' WHERE title <> 'c'")
    since = instant(minutes=-1)
    await ada.http.patch(f"/api/tasks/{first['id']}", json={"priority": 1})

    assert await titles(ada, f"changed_since={since}") == ["c", "a"]
    await ada.http.delete(f"/api/tasks/{third['id']}")
    assert await titles(ada, f"changed_since={since}") == ["a"]


async def test_what_was_completed_in_a_time_comes_in_that_order(ada: Person, sql: Sql) -> None:
    for number in range(4):
        task = await ada.add(str(number))
        if number:
            await act(ada, task, "complete")
    await sql.execute("UPDATE tasks SET completed_at = timestamptz '2026-01-01' + title::int * interval '1 day'")
    await sql.execute("UPDATE tasks SET completed_at = NULL WHERE title = '0'")

    assert await titles(ada, "completed_before=2026-01-03T00:00:00Z") == ["1"]
    assert await titles(ada, "completed_after=2026-01-03T00:00:00Z&sort=-completed_at") == ["3", "2"]
    assert await titles(ada, "completed_after=2026-01-03T00:00:00Z&completed_before=2026-01-04T00:00:00Z") == ["2"]
    assert await titles(ada, "sort=-completed_at") == ["3", "2", "1", "0"]


async def test_tasks_below_no_other_can_be_asked_for(ada: Person) -> None:
    parent = await ada.add("parent")
    await ada.add("child", parent_id=parent["id"])

    assert await titles(ada, "parent_id=none") == ["parent"]
    assert await titles(ada, f"parent_id={parent['id']}") == ["child"]


REFUSED: list[tuple[str, str, Callable[[str], bool]]] = [
    ("parent_id=null", "parent_id", lambda text: "`none`" in text),
    ("parent_id=", "parent_id", lambda text: "empty" in text),
    ("priority=0&priority=3", "priority", lambda text: "more than once" in text),
    ("when=null", "when", lambda text: "`null`" in text),
    ("priority=Null", "priority", lambda text: "`null`" in text),
    ("priority=", "priority", lambda text: "empty" in text),
    ("status=open&status=", "status", lambda text: "empty" in text),
    ("sort=due_at&sort=title", "sort", lambda text: "more than once" in text),
    ("sort=priority,due_at", "sort", lambda text: "-priority,due_at" in text),
    ("sort=id", "sort", lambda text: "created_at" in text),
    ("days=3", "days", lambda text: "when=upcoming" in text),
    ("when=today&days=3", "days", lambda text: "when=upcoming" in text),
    ("when=today&sort=-priority", "sort", lambda text: "sort by due_at" in text),
    ("changed_since=2026-01-01T00:00:00Z&sort=title", "sort", lambda text: "sort by updated_at" in text),
    ("due_before=2026-01-01T00:00:00Z&changed_since=2026-01-01T00:00:00Z", "due_before",
     lambda text: "changed_since or due_before" in text),
    ("due_before=2026-01-01T00:00:00+01:00", "due_before", lambda text: "%2B" in text),
    ("due_before=tomorrow", "due_before", lambda text: "%2B" not in text),
]  # fmt: skip


@pytest.mark.parametrize(("query", "field", "says"), REFUSED, ids=[query for query, *_ in REFUSED])
async def test_an_unclear_question_is_refused_with_what_is_allowed(
    ada: Person, query: str, field: str, says: Callable[[str], bool]
) -> None:
    answer = await ada.http.get(f"/api/tasks?{query}")

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, f"query.{field}")
    assert says(error["message"]), error["message"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("status=open", "status=waiting"),
        ("status=open", ""),
        ("", "status=open"),
        ("when=today", "when=upcoming"),
        ("when=upcoming&days=2", "when=upcoming&days=3"),
        ("priority=0&sort=title", "priority=1&sort=title"),
    ],
)
async def test_a_cursor_of_another_question_is_refused(ada: Person, first: str, second: str) -> None:
    for _ in range(2):
        for days in (0, 1):
            await ada.add(due=day("Europe/Berlin", days))
    cursor = (await ada.http.get(f"/api/tasks?limit=1&{first}")).json()["next_cursor"]

    answer = await ada.http.get(f"/api/tasks?limit=1&{second}&cursor={cursor}")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.cursor")
    assert (await ada.http.get(f"/api/tasks?limit=1&{first}&cursor={cursor}")).status_code == 200


async def test_a_total_ends_at_a_thousand_and_says_so(ada: Person, sql: Sql) -> None:
    await ada.add()
    copy = (
        "INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,"
        " status, priority) SELECT gen_random_uuid(), now(), now(), 1, owner_id, owner_id, owner_id, '', '',"
        " 'open', 0 FROM (SELECT owner_id FROM tasks"
        " LIMIT 1) AS one, generate_series(1, {})"
    )

    async def total() -> tuple[Any, Any]:
        page = (await ada.http.get("/api/tasks?count=true&limit=1")).json()
        return page["total"], page["total_is_exact"]

    await sql.execute(copy.format(999))
    assert await total() == (1000, True)
    await sql.execute(copy.format(1))
    assert await total() == (1000, False)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("rent", ["Pay the rent"]),
        ("RENT pay", ["Pay the rent"]),
        ("pay the re", ["Pay the rent"]),
        ("re", ["Pay the rent"]),
        ("pa rent", []),  # only the last word may be a beginning
        ("muller", ["Call Frau Müller"]),
        ("m\u00fcll", ["Call Frau Müller"]),
        ("balcony", ["Water the roses"]),
        ("o'ne", ["Meet O'Neill (again)"]),
        ("again) &", ["Meet O'Neill (again)"]),
        ("\\again", ["Meet O'Neill (again)"]),
        ("'again':*", ["Meet O'Neill (again)"]),
        ("\u0434\u043e\u043c", ["\u0414\u043e\u043c"]),
        ("absent", []),
    ],
)
async def test_words_are_found_in_title_and_notes(ada: Person, bob: Person, q: str, expected: list[str]) -> None:
    for title in ("Pay the rent", "Call Frau Mu\u0308ller", "Meet O'Neill (again)", "\u0414\u043e\u043c"):
        await ada.add(title)
    await ada.add("Water the roses", notes="those on the balcony")
    await bob.add("Pay the rent, roses on the balcony, again O'Neill and Muller absent \u0434\u043e\u043c")

    answer = await ada.http.get("/api/tasks", params={"q": q})

    assert [task["title"] for task in answer.json()["items"]] == expected
    assert (await ada.http.get("/api/tasks", params={"q": q, "status": "open", "sort": "title"})).status_code == 200


@pytest.mark.parametrize("q", [" ", "_", "%", "&|!", "a\x00", "a\x01b", "a" * 201])
async def test_a_search_without_words_is_refused(ada: Person, q: str) -> None:
    answer = await ada.http.get("/api/tasks", params={"q": q})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.q")


async def test_nobody_searches_as_somebody_else(ada: Person, bob: Person) -> None:
    await ada.add("secret")

    for q in (f"\u0001{ada.id}", str(ada.id), f"secret {ada.id}", f"' | '\u0001{ada.id}"):
        answer = await bob.http.get("/api/tasks", params={"q": q})
        assert answer.json().get("items", []) == []
