"""An answer below 300 is only sent once its transaction is committed."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest
from support.factories import Person

from todo.database import Database

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

DEFERRED = """
CREATE FUNCTION refuse_commit() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'refused at commit' USING ERRCODE = TG_ARGV[0]; END $$;
CREATE CONSTRAINT TRIGGER refuse_commit AFTER INSERT OR UPDATE ON tasks DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION refuse_commit('%s')
"""
KEYS = pytest.mark.parametrize("headers", [{}, {"idempotency-key": "one"}], ids=["", "keyed"])


@pytest.fixture
async def failing_commit(sql: Sql, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Every transaction that writes a task fails at COMMIT, with the SQLSTATE given as parameter."""
    await sql.execute(DEFERRED % request.param)
    yield
    await sql.execute("DROP TRIGGER refuse_commit ON tasks; DROP FUNCTION refuse_commit")


async def state(sql: Sql) -> list[int]:
    return [
        await sql.fetchval("SELECT count(*) FROM tasks"),
        await sql.fetchval("SELECT count(*) FROM audit_events WHERE subject = 'tasks'"),
        await sql.fetchval("SELECT count(*) FROM idempotent_answers"),
    ]


@KEYS
@pytest.mark.parametrize(
    ("failing_commit", "status"),
    [("P0001", 500), ("23514", 500), ("40001", 503), ("40P01", 503), ("57014", 503)],
    indirect=["failing_commit"],
)
@pytest.mark.usefixtures("failing_commit")
async def test_a_failed_commit_is_never_a_success(ada: Person, sql: Sql, status: int, headers: dict[str, str]) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "a"}, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert await state(sql) == [0, 0, 0]


@KEYS
async def test_a_commit_on_a_lost_connection_is_never_a_success(
    ada: Person, sql: Sql, database: Database, headers: dict[str, str]
) -> None:
    await sql.execute(
        "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION leave()"
    )
    try:
        answer = await ada.http.post("/api/tasks", json={"title": "a"}, headers=headers)
    finally:
        await sql.execute("DROP TRIGGER leave ON tasks; DROP FUNCTION leave")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert await state(sql) == [0, 0, 0]


async def test_after_a_failed_commit_the_next_request_succeeds(ada: Person, sql: Sql) -> None:
    await sql.execute(DEFERRED % "P0001")
    failed = await asyncio.gather(*(ada.http.post("/api/tasks", json={"title": "a"}) for _ in range(10)))
    await sql.execute("DROP TRIGGER refuse_commit ON tasks; DROP FUNCTION refuse_commit")

    await ada.add()

    assert {answer.status_code for answer in failed} == {500}
    assert await state(sql) == [1, 1, 0]
