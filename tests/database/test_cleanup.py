"""What has expired is deleted: in batches, by an index, whatever stands in the way of some of it."""

import json
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest
from conftest import settings_for
from sqlalchemy import literal, select
from support.factories import job_context

from todo import cleanup
from todo.admin import runs
from todo.cleanup import Expired
from todo.database import DIALECT, Database, table_of
from todo.delivery import engine
from todo.domain.accounts.jobs import delete_ended_credentials
from todo.domain.accounts.services import housekeeping
from todo.domain.notifications.services import inbox
from todo.domain.projects import jobs as sharing
from todo.http import idempotency, limits

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OF_ACCOUNTS = [*inbox.EXPIRED, *housekeeping.EXPIRED, *sharing.EXPIRED]
EVERYTHING = [idempotency.EXPIRED, limits.EXPIRED, engine.EXPIRED, *runs.EXPIRED, *OF_ACCOUNTS]
SLOW = """
    CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.002); RETURN old; END';
    CREATE TRIGGER slow BEFORE DELETE ON invitations FOR EACH ROW EXECUTE FUNCTION be_slow();
"""
BROKEN = """
    CREATE FUNCTION be_broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''the disk is full''; END';
    CREATE TRIGGER broken BEFORE DELETE ON rate_limits FOR EACH ROW EXECUTE FUNCTION be_broken();
"""
INVITATIONS = """
    INSERT INTO invitations (id, created_at, updated_at, version, email, hash, roles, expires_at)
    SELECT gen_random_uuid(), now(), now(), 1, n || '@example.com', n::text::bytea, '{}', now() - interval '31 days'
    FROM generate_series(1, $1) AS n
"""


@pytest.fixture
async def impatient(own_url: str) -> AsyncIterator[Database]:
    """A database where a request's statement may take a second."""
    opened = await Database(settings_for(own_url, database_statement_timeout=1)).open()
    yield opened
    await opened.close()


async def test_more_than_one_statement_could_delete_is_deleted_in_batches(impatient: Database, own_sql: Sql) -> None:
    await own_sql.execute(SLOW)
    await own_sql.execute(INVITATIONS, 2_500)

    await delete_ended_credentials(job_context(impatient))

    assert await own_sql.fetchval("SELECT count(*) FROM invitations") == 0


async def test_a_batch_that_takes_too_long_is_tried_again_with_fewer_rows(
    impatient: Database, own_sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "BATCH_SECONDS", 0.6)
    await own_sql.execute(SLOW)
    await own_sql.execute(INVITATIONS, 1_200)

    await delete_ended_credentials(job_context(impatient))

    assert await own_sql.fetchval("SELECT count(*) FROM invitations") == 0


async def test_when_the_time_is_over_what_was_deleted_stays_deleted(impatient: Database, own_sql: Sql) -> None:
    await own_sql.execute(SLOW)
    await own_sql.execute(INVITATIONS, 1_500)
    (invitations,) = (rows for rows in housekeeping.EXPIRED if table_of(rows.model).name == "invitations")

    deleted = await cleanup.delete_expired(impatient, invitations, seconds=0.5)

    assert deleted == 1_000
    assert await own_sql.fetchval("SELECT count(*) FROM invitations") == 500


async def test_what_cannot_be_deleted_holds_up_nothing_else_and_is_reported(impatient: Database, own_sql: Sql) -> None:
    await own_sql.execute(BROKEN)
    await own_sql.execute("INSERT INTO rate_limits VALUES ('user:a', now() - interval '1 hour', 1)")
    await own_sql.execute(INVITATIONS, 10)

    with pytest.raises(asyncpg.RaiseError, match="the disk is full"):
        await cleanup.delete_expired(impatient, limits.EXPIRED, *housekeeping.EXPIRED)

    assert await own_sql.fetchval("SELECT count(*) FROM invitations") == 0
    assert await own_sql.fetchval("SELECT count(*) FROM rate_limits") == 1


async def test_rows_that_somebody_holds_are_left_for_the_next_run(impatient: Database, own_sql: Sql) -> None:
    await own_sql.execute(INVITATIONS, 2)
    async with own_sql.transaction():
        await own_sql.execute("SELECT FROM invitations WHERE email = '1@example.com' FOR UPDATE")
        await delete_ended_credentials(job_context(impatient))

    assert await own_sql.fetchval("SELECT array_agg(email) FROM invitations") == ["1@example.com"]


@pytest.mark.parametrize("rows", EVERYTHING, ids=lambda rows: f"{table_of(rows.model).name}")
async def test_an_index_finds_what_has_expired(sql: Sql, rows: Expired) -> None:
    found = select(literal(1)).select_from(table_of(rows.model)).where(rows.where).limit(10)
    statement = found.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute("SET LOCAL enable_seqscan = off")
    await sql.execute("SET LOCAL enable_bitmapscan = off")  # it would filter in a node that names no index
    scans = await scans_of(sql, statement)
    while filtering := [node["Index Name"] for node in scans if "Filter" in node and "Index Name" in node]:
        await sql.execute(f"DROP INDEX {filtering[0]}")  # empty, all indexes cost the same
        scans = await scans_of(sql, statement)
    await transaction.rollback()

    assert [node["Node Type"] for node in scans if "Index Cond" in node], scans
    assert not [node["Filter"] for node in scans if "Filter" in node]


async def scans_of(sql: Sql, statement: object) -> list[dict[str, Any]]:
    (plan,) = json.loads(await sql.fetchval(f"EXPLAIN (FORMAT JSON) {statement}"))
    return nodes(plan["Plan"])


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]
