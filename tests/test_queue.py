"""The queue: jobs in the caller's transaction, run by a real worker."""

import json
from typing import Any

import pytest
from factories import Person

from todo.database import Database
from todo.queue import SCHEMA_VERSION, enqueue

Sql = Any


async def test_the_tables_that_enqueue_writes_to_are_as_it_knows_them(sql: Sql) -> None:
    assert await sql.fetchval("SELECT version FROM saq_versions") == SCHEMA_VERSION


async def test_a_job_of_a_transaction_that_fails_never_was(database: Database, sql: Sql) -> None:
    with pytest.raises(RuntimeError):
        async with database.session() as session:
            await enqueue(session, "run_admin_action", run_id="x")
            raise RuntimeError

    assert await sql.fetchval("SELECT count(*) FROM saq_jobs") == 0


async def test_a_job_is_tried_again_when_its_worker_dies(database: Database, sql: Sql) -> None:
    async with database.session() as session:
        await enqueue(session, "run_admin_action", run_id="x")

    job = json.loads(await sql.fetchval("SELECT job FROM saq_jobs"))
    assert job["retries"] == 3
    assert job["timeout"] > 0
    assert "group_key" not in job


async def test_changing_ones_account_needs_its_version_and_a_real_zone(ada: Person) -> None:
    stale = await ada.http.patch("/api/auth/me", json={"name": "Ada"}, headers={"if-match": '"9"'})
    unreal = await ada.http.patch("/api/auth/me", json={"timezone": "Mars/Base"})
    renamed = await ada.http.patch("/api/auth/me", json={"name": "Ada"}, headers={"if-match": '"1"'})

    assert (stale.status_code, unreal.status_code, renamed.status_code) == (412, 422, 200)
    assert (renamed.json()["name"], renamed.headers["etag"]) == ("Ada", '"2"')
