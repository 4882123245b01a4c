"""A transaction that met another one on the same rows is run again, and its client never sees it."""

from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest
from support.factories import Person

from todo.access import worker_origin
from todo.contention import TRIES, retry
from todo.database import Database
from todo.loops import Loop, run_once

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# A sequence counts on when a transaction is rolled back.
DEADLOCKS = """
CREATE SEQUENCE tried;
CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('tried') <= %s THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '%s'; END IF; RETURN NULL;
END $$;
CREATE TRIGGER deadlock AFTER INSERT OR UPDATE ON tasks FOR EACH STATEMENT EXECUTE FUNCTION deadlock()
"""


@pytest.fixture(params=["40P01", "40001"])
async def state(request: pytest.FixtureRequest) -> str:
    code: str = request.param
    return code


@pytest.fixture
async def contended(sql: Sql, state: str) -> AsyncIterator[None]:
    """The first two transactions that write a task fail as in a deadlock, or for serialization."""
    await sql.execute(DEADLOCKS % (2, state))
    yield
    await sql.execute("DROP TRIGGER deadlock ON tasks; DROP FUNCTION deadlock; DROP SEQUENCE tried")


@pytest.mark.usefixtures("contended")
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "one"}], ids=["", "keyed"])
@pytest.mark.parametrize("recurrence", [None, {"rrule": "FREQ=DAILY"}], ids=["", "series"])
async def test_a_request_is_handled_again_after_a_deadlock(
    ada: Person, sql: Sql, headers: dict[str, str], recurrence: dict[str, str] | None
) -> None:
    body = {"title": "a", "recurrence": recurrence}

    answer = await ada.http.post("/api/tasks", json=body, headers=headers)

    assert answer.status_code == 201, answer.text
    assert answer.headers["x-request-id"]
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'tasks.add'") == 1
    assert await sql.fetchval("SELECT last_value FROM tried") == 3


async def test_a_change_is_handled_again_with_its_body(ada: Person, sql: Sql) -> None:
    task = await ada.add("a")
    await sql.execute(DEADLOCKS % (2, "40P01"))

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "b"})
    await sql.execute("DROP TRIGGER deadlock ON tasks; DROP FUNCTION deadlock; DROP SEQUENCE tried")

    assert (answer.status_code, answer.json()["title"], answer.json()["version"]) == (200, "b", 2)


async def test_a_request_that_never_gets_through_is_reported_when_to_try_again(ada: Person, sql: Sql) -> None:
    task = await ada.add("a")
    await sql.execute(DEADLOCKS % (1000, "40P01"))

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "b"})
    tried = await sql.fetchval("SELECT last_value FROM tried")
    await sql.execute("DROP TRIGGER deadlock ON tasks; DROP FUNCTION deadlock; DROP SEQUENCE tried")

    assert (answer.status_code, answer.headers["retry-after"], tried) == (503, "1", TRIES)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("contended")
async def test_a_loop_of_the_worker_goes_on_after_a_deadlock(database: Database, sql: Sql) -> None:
    async def work(database: Database) -> float | None:
        async with database.session(worker_origin()) as session:
            await (await session.connection()).exec_driver_sql("UPDATE tasks SET title = 'b'")
        return None

    await run_once(database, [Loop("writing", work)])

    assert await sql.fetchval("SELECT last_value FROM tried") == 3


async def test_only_contention_is_tried_again() -> None:
    tried = 0

    async def work() -> None:
        nonlocal tried
        tried += 1
        raise ValueError

    with pytest.raises(ValueError):
        await retry(work)

    assert tried == 1
