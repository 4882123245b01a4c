"""The worker opens the occurrences whose time has come, by the tables alone, each once."""

import asyncio
from typing import Any, TypeAlias

import asyncpg
import pytest
from support.factories import Person

from todo.database import Database
from todo.loops import run_once
from todo.modules import LOOPS

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OCCURRENCES = "SELECT original_start::date::text, status FROM occurrences ORDER BY original_start"
FIVE_DAYS = "FREQ=DAILY;UNTIL=20260105"  # all of them have come: the outcome is the same whenever this runs


async def past(person: Person, **recurrence: Any) -> dict[str, Any]:
    return await person.add(due={"kind": "day", "date": "2026-01-01"}, recurrence={"rrule": FIVE_DAYS} | recurrence)


async def open_tasks(person: Person) -> list[str]:
    found = (await person.http.get("/api/tasks?status=open&sort=due_at")).json()["items"]
    return [task["occurrence"] for task in found]


async def series_occurrences(sql: Sql) -> list[tuple[str, str]]:
    return [tuple(row) for row in await sql.fetch(OCCURRENCES)]


async def wake(database: Database, workers: int = 1) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*(run_once(database, LOOPS) for _ in range(workers)))


def days(first: int, last: int, status: str) -> list[tuple[str, str]]:
    return [(f"2026-01-{day:02}", status) for day in range(first, last + 1)]


async def test_keep_one_keeps_the_open_one_and_records_the_missed(ada: Person, sql: Sql, database: Database) -> None:
    await past(ada, on_missed="keep_one")

    await wake(database)

    assert await open_tasks(ada) == ["2026-01-01"]
    assert await series_occurrences(sql) == days(1, 1, "open") + days(2, 5, "missed")


async def test_skip_to_next_closes_the_late_one_and_opens_the_latest(ada: Person, sql: Sql, database: Database) -> None:
    late = await past(ada, on_missed="skip_to_next")

    await wake(database)

    assert await open_tasks(ada) == ["2026-01-05"]
    assert await series_occurrences(sql) == days(1, 4, "missed") + days(5, 5, "open")
    assert (await ada.http.get(f"/api/tasks/{late['id']}")).json()["status"] == "cancelled"


async def test_backfill_opens_every_one(ada: Person, sql: Sql, database: Database) -> None:
    await past(ada, on_missed="backfill")

    await wake(database)

    assert await open_tasks(ada) == [day for day, _ in days(1, 5, "open")]
    assert await series_occurrences(sql) == days(1, 5, "open")


async def test_backfill_opens_no_more_than_the_series_allows(ada: Person, sql: Sql, database: Database) -> None:
    await past(ada, on_missed="backfill")
    await sql.execute("UPDATE series SET max_open = 3")

    await wake(database)

    assert await open_tasks(ada) == [day for day, _ in days(1, 3, "open")]


async def test_what_waits_for_a_completion_stays_closed(ada: Person, sql: Sql, database: Database) -> None:
    await past(ada, opens="on_close", on_missed="backfill")

    await wake(database)

    assert await series_occurrences(sql) == days(1, 1, "open")


async def test_what_passes_while_one_waits_for_a_completion_is_missed(
    ada: Person, sql: Sql, database: Database
) -> None:
    await past(ada, opens="on_close")

    await wake(database)

    assert await series_occurrences(sql) == days(1, 1, "open") + days(2, 5, "missed")


@pytest.mark.parametrize("on_missed", ["keep_one", "skip_to_next", "backfill"])
async def test_looking_again_changes_nothing(ada: Person, sql: Sql, database: Database, on_missed: str) -> None:
    await past(ada, on_missed=on_missed)
    await wake(database)
    before = await series_occurrences(sql), await sql.fetch("SELECT * FROM tasks ORDER BY id")

    await wake(database)

    assert (await series_occurrences(sql), await sql.fetch("SELECT * FROM tasks ORDER BY id")) == before


async def test_what_has_not_come_stays_closed(ada: Person, sql: Sql, database: Database) -> None:
    await ada.add(due={"kind": "day", "date": "2031-01-01"}, recurrence={"rrule": "FREQ=DAILY"})

    await wake(database)

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1


async def test_a_look_too_early_opens_nothing_and_is_put_right(ada: Person, sql: Sql, database: Database) -> None:
    await ada.add(due={"kind": "day", "date": "2031-01-01"}, recurrence={"rrule": "FREQ=DAILY"})
    right = await sql.fetchval("SELECT next_run_at FROM series")
    await sql.execute("UPDATE series SET next_run_at = now() - interval '1 second'")

    await wake(database)

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1
    assert await sql.fetchval("SELECT next_run_at FROM series") == right


async def test_an_opened_occurrence_is_its_owners_and_as_the_template_says(
    ada: Person, sql: Sql, database: Database
) -> None:
    await ada.add("Water", priority=3, due={"kind": "floating", "at": "2026-01-01T09:00"},
                  recurrence={"rrule": "FREQ=DAILY;UNTIL=20260102T235959", "on_missed": "skip_to_next"})  # fmt: skip

    await wake(database)

    (task,) = (await ada.http.get("/api/tasks?status=open")).json()["items"]
    assert (task["title"], task["priority"], task["created_by"]) == ("Water", 3, str(ada.id))
    assert (task["occurrence"], task["due_at"]) == ("2026-01-02T09:00", "2026-01-02T08:00:00Z")


@pytest.mark.parametrize("on_missed", ["keep_one", "skip_to_next", "backfill"])
async def test_workers_at_the_same_moment_double_nothing(
    ada: Person, sql: Sql, database: Database, on_missed: str
) -> None:
    for _ in range(8):
        await past(ada, on_missed=on_missed)

    await wake(database, workers=4)

    assert (
        await sql.fetchval(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM occurrences GROUP BY series_id, original_start) x"
        )
        == 1
    )
    assert await sql.fetchval("SELECT count(*) FROM occurrences") == 8 * 5
    opened = {"keep_one": 8, "skip_to_next": 16, "backfill": 40}[on_missed]
    assert await sql.fetchval("SELECT count(*) FROM tasks") == opened


async def test_a_worker_and_a_completion_at_the_same_moment_double_nothing(
    ada: Person, sql: Sql, database: Database
) -> None:
    tasks = [await past(ada, on_missed="backfill") for _ in range(6)]

    completions = (ada.http.post(f"/api/tasks/{task['id']}/complete") for task in tasks)
    _, *answers = await asyncio.gather(wake(database, workers=2), *completions)
    await wake(database)

    assert {answer.status_code for answer in answers} == {200}
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 6 * 5
    assert await sql.fetchval("SELECT count(*) FROM occurrences WHERE status = 'done'") == 6


async def test_after_a_crash_in_the_middle_the_next_look_does_the_work(
    ada: Person, sql: Sql, database: Database
) -> None:
    await past(ada, on_missed="backfill")
    await sql.execute("ALTER TABLE tasks ADD CONSTRAINT crash CHECK (occurrence <> '2026-01-04')")
    await asyncio.wait([asyncio.ensure_future(wake(database))])
    between = await series_occurrences(sql)
    await sql.execute("ALTER TABLE tasks DROP CONSTRAINT crash")
    await sql.execute("UPDATE series SET next_run_at = now() WHERE next_run_at IS NOT NULL")

    await wake(database)

    assert between == days(1, 1, "open")
    assert await series_occurrences(sql) == days(1, 5, "open")


async def test_one_series_that_cannot_be_read_does_not_stop_the_others(
    ada: Person, sql: Sql, database: Database
) -> None:
    broken = await past(ada)
    await past(ada, on_missed="backfill")
    await sql.execute("UPDATE series SET rrule = 'nonsense' WHERE id = $1", broken["series_id"])

    await asyncio.wait([asyncio.ensure_future(wake(database))])

    assert await open_tasks(ada) == ["2026-01-01", *(day for day, _ in days(1, 5, "open"))]


async def test_a_series_that_was_repaired_goes_on(ada: Person, sql: Sql, database: Database) -> None:
    await past(ada, on_missed="backfill")
    rrule = await sql.fetchval("SELECT rrule FROM series")
    await sql.execute("UPDATE series SET rrule = 'nonsense'")
    await wake(database)
    aside = await sql.fetchrow("SELECT failures, last_error, next_run_at > now() AS later FROM series")
    await sql.execute("UPDATE series SET rrule = $1, next_run_at = now()", rrule)

    await wake(database)

    assert (aside["failures"], aside["later"]) == (1, True)
    assert "RuleError" in aside["last_error"]
    assert await open_tasks(ada) == [day for day, _ in days(1, 5, "open")]


async def test_a_series_that_goes_on_has_a_clean_slate(ada: Person, sql: Sql, database: Database) -> None:
    await past(ada)
    await sql.execute("UPDATE series SET failures = 9, last_error = 'RuleError()'")

    await wake(database)

    assert tuple(await sql.fetchrow("SELECT failures, last_error FROM series")) == (0, None)


@pytest.mark.parametrize("change", ["pause", "patch", "complete"])
async def test_an_error_stays_until_the_worker_has_evaluated_the_series_again(
    ada: Person, sql: Sql, database: Database, change: str
) -> None:
    task = await ada.add(due={"kind": "day", "date": "2031-01-01"}, recurrence={"rrule": "FREQ=DAILY"})
    await sql.execute("UPDATE series SET failures = 3, last_error = 'RuleError()', next_run_at = '2032-01-01'")
    path = f"/api/series/{task['series_id']}"
    if change == "pause":
        await ada.http.post(f"{path}/pause", json={})
    elif change == "patch":
        await ada.http.patch(path, json={"rrule": "FREQ=WEEKLY"})
    else:
        await ada.http.post(f"/api/tasks/{task['id']}/complete")

    kept = await sql.fetchrow("SELECT failures, last_error, next_run_at <= now() AS is_due FROM series")
    if change == "pause":
        await ada.http.post(f"{path}/resume")
    await wake(database)

    assert tuple(kept) == (3, "RuleError()", None if change == "pause" else True)
    assert tuple(await sql.fetchrow("SELECT failures, last_error FROM series")) == (0, None)


async def test_a_series_that_is_ended_has_no_error_any_more(ada: Person, sql: Sql) -> None:
    task = await past(ada)
    await sql.execute("UPDATE series SET failures = 3, last_error = 'RuleError()'")

    await ada.http.post(f"/api/series/{task['series_id']}/end", json={})

    assert tuple(await sql.fetchrow("SELECT failures, last_error FROM series")) == (0, None)
