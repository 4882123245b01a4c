"""Reminders of work that comes back: for this occurrence, or for every occurrence."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.factories import Person
from support.sending import AT_DUE, Sql, remind, sent, work

from todo.database import Database
from todo.loops import run_once
from todo.modules import LOOPS

MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"}}
PAST = {"due": {"kind": "day", "date": "2026-01-01"},
        "recurrence": {"rrule": "FREQ=DAILY;UNTIL=20260103", "on_missed": "backfill"}}  # fmt: skip


async def upcoming(person: Person) -> list[str]:
    return [item["remind_at"] for item in (await person.http.get("/api/reminders")).json()["items"]]


async def complete(person: Person, task: dict[str, Any]) -> dict[str, Any]:
    following: dict[str, Any] = (await person.http.post(f"/api/tasks/{task['id']}/complete")).json()["next_task"]
    return following


async def test_a_new_occurrence_has_its_reminders(ada: Person, database: Database) -> None:
    task = await ada.add(**MONTHLY)
    first = await remind(ada, task, timing=AT_DUE | {"days": -1}, urgent=True)

    following = await complete(ada, task)
    await work(database)

    (reminder,) = (await ada.http.get(f"/api/tasks/{following['id']}/reminders")).json()["items"]
    assert first["every_occurrence"] is reminder["every_occurrence"] is reminder["urgent"] is True
    assert reminder["remind_at"] == "2031-02-27T08:00:00Z"
    assert await upcoming(ada) == ["2031-02-27T08:00:00Z"]


async def test_an_id_made_by_the_database_is_of_the_usual_kind(ada: Person, sql: Sql) -> None:
    task = await ada.add(**MONTHLY)
    await remind(ada, task)
    await complete(ada, task)

    ids = [row["id"] for row in await sql.fetch("SELECT id FROM reminders ORDER BY id")]

    assert [(found.version, found.variant) for found in ids] == [(7, "specified in RFC 4122")] * 3


async def test_one_for_this_occurrence_stays_with_it(ada: Person, sql: Sql) -> None:
    task = await ada.add(**MONTHLY)
    await remind(ada, task, every_occurrence=False)
    await remind(ada, task, timing={"kind": "absolute", "at": "2031-01-01T00:00:00Z"})

    following = await complete(ada, task)

    assert (await ada.http.get(f"/api/tasks/{following['id']}/reminders")).json()["items"] == []


async def test_occurrences_that_open_late_are_sent_in_one_message(ada: Person, database: Database, sql: Sql) -> None:
    await remind(ada, await ada.add("Water", **PAST))
    # The first occurrence's own was over when it was set.
    await sql.execute("UPDATE occurrences SET status = 'cancelled'; UPDATE tasks SET deleted_at = now()")

    await run_once(database, LOOPS)

    assert await sent(ada) == ["Missed while we were away: 2 tasks"]


async def test_an_occurrence_that_opens_after_its_reminder_is_sent_at_the_opening(
    ada: Person, database: Database, sql: Sql
) -> None:
    task = await ada.add(**PAST)
    await remind(ada, task, timing=AT_DUE | {"days": -366})
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    await sql.execute(
        """UPDATE series SET next_original_start = $1, start = $1, rrule = 'FREQ=DAILY', "until" = NULL""", today
    )
    await sql.execute("DELETE FROM reminders WHERE task_id IS NOT NULL")
    await sql.execute("""UPDATE reminders SET timing = '{"kind": "relative", "to": "due", "time": "00:00"}'""")

    await run_once(database, [loop for loop in LOOPS if loop.name == "materialize_due"])
    await work(database)

    waiting = await sql.fetchval("SELECT count(*) FROM reminders WHERE task_id IS NOT NULL AND run_at IS NULL")
    assert (waiting, len(await sent(ada))) == (1, 1)


async def test_a_change_for_every_occurrence_reaches_open_ones_and_those_to_come(
    ada: Person, database: Database
) -> None:
    task = await ada.add(**MONTHLY)
    await remind(ada, task)
    following = await complete(ada, task)
    await ada.http.patch(f"/api/tasks/{following['id']}", json={"notes": "Begun"})  # so that reopening leaves it
    await ada.http.post(f"/api/tasks/{task['id']}/reopen")
    (reminder,) = (await ada.http.get(f"/api/tasks/{following['id']}/reminders")).json()["items"]

    answer = await ada.http.patch(f"/api/reminders/{reminder['id']}", json={"timing": AT_DUE | {"days": -2}})
    await work(database)
    await complete(ada, following)
    await ada.http.post(f"/api/tasks/{following['id']}/reopen")
    await work(database)

    assert answer.json()["remind_at"] == "2031-02-26T08:00:00Z"
    assert await upcoming(ada) == ["2031-01-29T08:00:00Z", "2031-02-26T08:00:00Z"]


async def test_deleted_for_every_occurrence_none_has_it_any_more(ada: Person, sql: Sql) -> None:
    task = await ada.add(**MONTHLY)
    await remind(ada, task)
    following = await complete(ada, task)
    (reminder,) = (await ada.http.get(f"/api/tasks/{following['id']}/reminders")).json()["items"]

    await ada.http.delete(f"/api/reminders/{reminder['id']}")

    assert await sql.fetchval("SELECT count(*) FROM reminders") == 0


async def test_deleted_for_this_occurrence_the_next_has_it_again(ada: Person, sql: Sql) -> None:
    task = await ada.add(**MONTHLY)
    reminder = await remind(ada, task)

    await ada.http.delete(f"/api/reminders/{reminder['id']}?scope=this")
    following = await complete(ada, task)

    assert len((await ada.http.get(f"/api/tasks/{following['id']}/reminders")).json()["items"]) == 1


async def test_it_can_stop_repeating_and_begin_again(ada: Person, sql: Sql) -> None:
    task = await ada.add(**MONTHLY)
    reminder = await remind(ada, task)
    address = f"/api/reminders/{reminder['id']}"

    once = (await ada.http.patch(address, json={"every_occurrence": False})).json()
    templates = await sql.fetchval("SELECT count(*) FROM reminders WHERE series_id IS NOT NULL")
    again = (await ada.http.patch(address, json={"every_occurrence": True})).json()

    assert (once["every_occurrence"], templates, again["every_occurrence"]) == (False, 0, True)
    assert await sql.fetchval("SELECT count(*) FROM reminders WHERE series_id IS NOT NULL") == 1


@pytest.mark.parametrize("body", [{"timing": {"kind": "absolute", "at": "2031-01-01T00:00:00Z"}}])
async def test_an_instant_cannot_be_for_every_occurrence(ada: Person, sql: Sql, body: dict[str, Any]) -> None:
    task = await ada.add(**MONTHLY)
    reminder = await remind(ada, task)

    added = await ada.http.post(f"/api/tasks/{task['id']}/reminders", json=body | {"every_occurrence": True})
    changed = await ada.http.patch(f"/api/reminders/{reminder['id']}", json=body)

    assert (added.status_code, changed.status_code) == (422, 422)
    assert await sql.fetchval("SELECT count(*) FROM reminders WHERE timing->>'kind' = 'absolute'") == 0


SUCCESSOR = """
INSERT INTO series SELECT (jsonb_populate_record(
    null::series, to_jsonb(s) || jsonb_build_object('id', gen_random_uuid(), 'predecessor_id', s.id)
)).* FROM series s RETURNING id
"""


async def test_a_successor_inherits_and_its_occurrences_belong_to_it(ada: Person, sql: Sql, database: Database) -> None:
    task = await ada.add(**MONTHLY)
    await remind(ada, task)

    series_id = await sql.fetchval(SUCCESSOR)
    async with sql.transaction():
        await sql.execute("UPDATE occurrences SET series_id = $1", series_id)
        await sql.execute("UPDATE tasks SET series_id = $1", series_id)

    rows = await sql.fetch("SELECT id, series_id, task_id, template_id FROM reminders ORDER BY created_at, id")
    inherited = [row["id"] for row in rows if row["series_id"] == series_id]
    (mine,) = [row for row in rows if row["task_id"]]
    assert [mine["template_id"]] == inherited


async def test_a_task_that_begins_to_come_back_is_reminded_every_time(ada: Person) -> None:
    task = await ada.add(due={"kind": "day", "date": "2031-01-31"})
    await remind(ada, task, timing=AT_DUE | {"days": -1})
    await remind(ada, task, timing={"kind": "absolute", "at": "2031-01-01T00:00:00Z"})

    await ada.http.patch(f"/api/tasks/{task['id']}", json={"recurrence": {"rrule": "FREQ=MONTHLY"}})

    repeated = (await ada.http.get(f"/api/tasks/{task['id']}/reminders")).json()["items"]
    assert [reminder["every_occurrence"] for reminder in repeated] == [True, False]


async def test_without_its_series_a_task_keeps_its_reminder(ada: Person, sql: Sql) -> None:
    task = await ada.add(**MONTHLY)
    await remind(ada, task)

    await sql.execute("DELETE FROM series")

    (reminder,) = (await ada.http.get(f"/api/tasks/{task['id']}/reminders")).json()["items"]
    assert (reminder["every_occurrence"], reminder["remind_at"]) == (False, "2031-01-31T08:00:00Z")
