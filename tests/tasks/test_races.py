"""Two requests at the same moment: the second one sees what the first has done, whatever it waited for."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from support.factories import Person
from support.invariants import broken
from support.series import Json, Sql, act, begin, day, patch, work
from support.waiting import waiting_for_locks

from todo.database import Database

DAILY = {"recurrence": {"rrule": "FREQ=DAILY"}}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
LATER = {"due": day((datetime.now(UTC) + timedelta(days=2)).date().isoformat())}


@asynccontextmanager
async def held(sql: Sql, table: str, row_id: str) -> AsyncIterator[None]:
    """Nobody else locks this row meanwhile."""
    async with sql.transaction():
        await sql.execute(f"SELECT FROM {table} WHERE id = $1 FOR UPDATE", UUID(row_id))
        yield


async def one_after_the_other(
    sql: Sql, table: str, row_id: str, *requests: Coroutine[Any, Any, httpx.Response]
) -> list[int]:
    """The answers to requests that have all begun before the first one gets the row, which they do in this order."""
    async with held(sql, table, row_id):
        begun = []
        for number, request in enumerate(requests, 1):
            begun.append(asyncio.ensure_future(request))
            await waiting_for_locks(sql, number)
    return [answer.status_code for answer in await asyncio.gather(*begun)]


async def active(sql: Sql) -> int:
    found: int = await sql.fetchval("SELECT count(*) FROM series WHERE status = 'active'")
    return found


async def open_tasks(sql: Sql) -> int:
    found: int = await sql.fetchval("SELECT count(*) FROM tasks WHERE status = 'open' AND deleted_at IS NULL")
    return found


@pytest.mark.parametrize("requests", [2, 4])
async def test_the_same_recurrence_sent_at_once_begins_one_series(ada: Person, sql: Sql, requests: int) -> None:
    task = await ada.add(due=day(TOMORROW))

    answers = await one_after_the_other(sql, "tasks", task["id"], *(patch(ada, task, DAILY) for _ in range(requests)))

    assert answers == [200] * requests
    assert (await active(sql), await broken(sql)) == (1, {})


async def test_a_series_begun_twice_at_once_goes_on_once(ada: Person, sql: Sql, database: Database) -> None:
    task = await ada.add(due=day(TOMORROW))
    body = {"recurrence": {"rrule": "FREQ=DAILY", "lead_seconds": 172_800}}
    await one_after_the_other(sql, "tasks", task["id"], patch(ada, task, body), patch(ada, task, body))

    await act(ada, task, "complete")
    await work(database)

    assert (await open_tasks(sql), await broken(sql)) == (1, {})


@pytest.mark.parametrize("policy", ["keep_one", "skip_to_next"])
async def test_a_series_deleted_while_it_is_split_is_deleted(
    ada: Person, sql: Sql, database: Database, policy: str
) -> None:
    task = await begin(ada, TOMORROW, on_missed=policy, lead_seconds=172_800)

    answers = await one_after_the_other(
        sql, "series", task["series_id"],
        patch(ada, task, LATER, "following"), ada.http.delete(f"/api/tasks/{task['id']}?scope=all"),
    )  # fmt: skip
    await work(database)

    assert answers == [200, 204]
    assert (await active(sql), await open_tasks(sql), await broken(sql)) == (0, 0, {})


async def test_a_series_split_after_its_deletion_stays_deleted(ada: Person, sql: Sql, database: Database) -> None:
    task = await begin(ada, TOMORROW, lead_seconds=172_800)

    answers = await one_after_the_other(
        sql, "series", task["series_id"],
        ada.http.delete(f"/api/tasks/{task['id']}?scope=all"), patch(ada, task, LATER, "following"),
    )  # fmt: skip
    await work(database)

    assert answers == [204, 404]
    assert (await active(sql), await open_tasks(sql), await broken(sql)) == (0, 0, {})


@pytest.mark.parametrize("scope", ["all", "following"])
async def test_a_series_changed_while_it_is_split_stays_one(ada: Person, sql: Sql, scope: str) -> None:
    task = await begin(ada, TOMORROW)

    answers = await one_after_the_other(
        sql, "series", task["series_id"],
        patch(ada, task, LATER, "following"), patch(ada, task, {"title": "b"}, scope),
    )  # fmt: skip

    assert answers == [200, 200]
    assert (await active(sql), await open_tasks(sql), await broken(sql)) == (1, 1, {})
    titles = await sql.fetchval("SELECT template->>'title' FROM series WHERE status = 'active'")
    assert titles == "b"


async def test_verbs_of_a_task_follow_it_into_the_series_it_has_moved_to(
    ada: Person, sql: Sql, database: Database
) -> None:
    task = await begin(ada, TOMORROW)

    answers = await one_after_the_other(
        sql, "series", task["series_id"],
        patch(ada, task, LATER, "following"), ada.http.post(f"/api/tasks/{task['id']}/complete"),
    )  # fmt: skip

    assert answers == [200, 200]
    assert (await active(sql), await open_tasks(sql), await broken(sql)) == (1, 1, {})


async def refused(sql: Sql, statement: str) -> str:
    transaction = sql.transaction()
    await transaction.start()
    try:
        await sql.execute(statement)
        await sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except Exception as error:
        return type(error).__name__
    finally:
        await transaction.rollback()
    return ""


async def test_the_database_refuses_what_would_break_a_series(ada: Person, sql: Sql) -> None:
    await begin(ada, TOMORROW)
    await begin(ada, TOMORROW)
    another = "(SELECT id FROM series ORDER BY id LIMIT 1)"
    second = (
        "INSERT INTO occurrences (id, created_at, updated_at, version, series_id, original_start, task_id, status)"
        " SELECT gen_random_uuid(), now(), now(), 1, series_id, original_start + interval '1 year', task_id, 'open'"
        " FROM occurrences"
    )

    assert await refused(sql, second) == "UniqueViolationError"
    assert await refused(sql, f"UPDATE tasks SET series_id = {another}") == "ForeignKeyViolationError"
    assert await refused(sql, "UPDATE tasks SET series_id = NULL") == "ForeignKeyViolationError"
    assert await refused(
        sql,
        f"UPDATE occurrences SET series_id = {another}, original_start = original_start + random() * interval '1h'",
    ) in {"ForeignKeyViolationError", "CheckViolationError"}


@pytest.mark.parametrize("how", ["null", "end"])
@pytest.mark.parametrize(
    ("scope", "body"), [("all", {"title": "y"}), ("following", {"title": "y"}), ("following", LATER), ("all", LATER)]
)
async def test_an_edit_of_an_ended_series_begins_none(ada: Person, sql: Sql, how: str, scope: str, body: Json) -> None:
    task = await begin(ada, TOMORROW)
    if how == "null":
        await patch(ada, task, {"recurrence": None})
    else:
        await ada.http.post(f"/api/series/{task['series_id']}/end", json={})

    answer = await patch(ada, task, body, scope)
    completed = await act(ada, task, "complete")

    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in body} == body
    assert completed["next_task"] is None
    assert await sql.fetchval("SELECT count(*) FROM series") == 1
    assert (await active(sql), await broken(sql)) == (0, {})


async def test_an_edit_of_a_closed_occurrence_of_an_ended_series_changes_just_the_task(ada: Person, sql: Sql) -> None:
    task = await begin(ada, TOMORROW)
    await patch(ada, task, {"recurrence": None})
    await act(ada, task, "complete")

    answer = await patch(ada, task, {"title": "y"}, "all")

    assert (answer.status_code, answer.json()["title"], answer.json()["series_id"]) == (200, "y", task["series_id"])
    assert await sql.fetchval("SELECT count(*) FROM series") == 1


async def test_a_rule_sent_to_an_ended_series_begins_one_that_knows_it(ada: Person, sql: Sql) -> None:
    task = await begin(ada, TOMORROW)
    await patch(ada, task, {"recurrence": None})

    answer = await patch(ada, task, DAILY)

    assert answer.status_code == 200
    assert await sql.fetchval("SELECT predecessor_id FROM series WHERE status = 'active'") == UUID(task["series_id"])
    assert await broken(sql) == {}


async def test_a_rule_sent_to_a_closed_occurrence_of_an_ended_series_is_refused(ada: Person, sql: Sql) -> None:
    task = await begin(ada, TOMORROW)
    await patch(ada, task, {"recurrence": None})
    await act(ada, task, "complete")

    answer = await patch(ada, task, DAILY)

    assert answer.status_code == 409
    assert await sql.fetchval("SELECT count(*) FROM series") == 1
