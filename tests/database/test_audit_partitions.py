"""The audit log by month: partitions made ahead, dropped when they are too old, and never in the way of a write."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from conftest import create_database, settings_for
from sqlalchemy.exc import DBAPIError
from support.factories import job_context
from support.waiting import waiting_for_locks

from todo import audit_partitions, migrate
from todo.admin.counting import estimated_rows
from todo.audit_partitions import first_id, month_of
from todo.database import DIALECT, Database
from todo.domain.operations.services import health
from todo.modules import JOBS, maintain_audit_log

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
TODAY = datetime.now(UTC)
INSERT = """
    INSERT INTO audit_events (id, at, actor, actor_kind, action, subject, subject_id, request_id, address, source)
    VALUES ($1, now(), 'ada', 'user', 'tasks.add', 'tasks', $2, '', '', 'api')"""


@pytest.fixture
async def own(own_url: str) -> AsyncIterator[Database]:
    opened = await Database(settings_for(own_url, audit_retention_months=2)).open()
    yield opened
    await opened.close()


def event_id(months: int) -> UUID:
    """The id of an event of this month, plus or minus some."""
    return UUID(int=first_id(month_of(TODAY.date(), months)).int + 1)


def name(months: int) -> str:
    return audit_partitions.name_of(month_of(TODAY.date(), months))


async def insert(sql: Sql, *months: int) -> None:
    for month in months:
        await sql.execute(INSERT, event_id(month), UUID(int=7))


async def partitions(sql: Sql) -> dict[str, int]:
    """The events in every partition."""
    rows = await sql.fetch(
        "SELECT relname, (SELECT count(*) FROM audit_events AS e WHERE e.tableoid = c.oid) FROM pg_class AS c"
        " JOIN pg_inherits ON inhrelid = c.oid WHERE inhparent = 'audit_events'::regclass"
    )
    return dict(map(tuple, rows))


def in_months(monkeypatch: pytest.MonkeyPatch, months: int) -> None:
    day = month_of(TODAY.date(), months)
    monkeypatch.setattr(audit_partitions, "now", lambda: datetime(day.year, day.month, 9, tzinfo=UTC))


async def test_the_migration_keeps_every_event_and_goes_back(worker_id_or_main: str) -> None:
    url = await create_database(f"todo_partitioned_{worker_id_or_main}")
    settings, whole = settings_for(url), "SELECT * FROM audit_events ORDER BY id"
    await migrate.upgrade(settings, revision="0024")
    sql = await asyncpg.connect(url)
    await insert(sql, -40, -1, 0, 2, 100)
    before = await sql.fetch(whole)

    await migrate.upgrade(settings, revision="0025")
    after, places = await sql.fetch(whole), await partitions(sql)
    await migrate.run(settings, lambda connection: command.downgrade(migrate.config(connection), "-1"))
    back = await sql.fetch(whole)
    await sql.close()

    assert before == after == back
    assert places == {"audit_events_first": 3, name(1): 0, name(2): 1, name(3): 0, "audit_events_default": 1}


async def test_partitions_of_coming_months_are_created_and_take_over_what_was_early(
    own: Database, own_sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert(own_sql, 4, 5, 6, 100)
    in_months(monkeypatch, 2)

    await maintain_audit_log(job_context(own))
    await maintain_audit_log(job_context(own))

    found = await partitions(own_sql)
    assert [found[name(month)] for month in (1, 2, 3, 4, 5)] == [0, 0, 0, 1, 1]
    assert found["audit_events_default"] == 2
    indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = $1"
    assert await own_sql.fetchval(indexes, name(5)) == await own_sql.fetchval(indexes, "audit_events")


async def test_an_event_of_a_month_without_a_partition_is_stored_and_found(own_sql: Sql) -> None:
    await insert(own_sql, 12 * 500)

    assert await own_sql.fetchval("SELECT action FROM audit_events WHERE id = $1", event_id(12 * 500)) == "tasks.add"


async def test_what_is_older_than_the_retention_is_dropped_by_month(
    own: Database, own_sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert(own_sql, -3, 0, 1, 2, 3, 4)
    in_months(monkeypatch, 4)

    await maintain_audit_log(job_context(own))

    kept = [row[0] for row in await own_sql.fetch("SELECT id FROM audit_events ORDER BY id")]
    assert kept == [event_id(2), event_id(3), event_id(4)]
    assert name(1) not in await partitions(own_sql)  # what came before the partitions was deleted in batches


async def test_without_a_retention_nothing_is_deleted(
    own_url: str, own_sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert(own_sql, -30, 0, 1)
    in_months(monkeypatch, 60)
    database = await Database(settings_for(own_url)).open()

    await maintain_audit_log(job_context(database))

    await database.close()
    ids = [event_id(months) for months in (-30, 0, 1)]
    assert await own_sql.fetchval("SELECT count(*) FROM audit_events WHERE id = ANY($1)", ids) == 3


async def test_creating_partitions_waits_for_no_writer(
    own: Database, own_sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_months(monkeypatch, 2)
    async with own_sql.transaction():
        await insert(own_sql, 0)
        await asyncio.wait_for(maintain_audit_log(job_context(own)), 30)

    assert name(5) in await partitions(own_sql)


async def test_a_drop_gives_way_to_writers_and_is_tried_again(
    own: Database, own_url: str, own_sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_months(monkeypatch, 4)
    monkeypatch.setattr(audit_partitions, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(audit_partitions, "PAUSE", 0.1)
    other = await asyncpg.connect(own_url)
    transaction = other.transaction()
    await transaction.start()
    await insert(other, 0)
    with pytest.raises(DBAPIError, match="lock timeout"):
        await maintain_audit_log(job_context(own))
    assert name(1) in await partitions(own_sql)

    monkeypatch.setattr(audit_partitions, "TRIES", 1_000)
    work = asyncio.create_task(maintain_audit_log(job_context(own)))
    await waiting_for_locks(own_sql, 1)
    await insert(own_sql, 2)  # behind the drop, until that gives up
    await transaction.rollback()
    await other.close()
    await work

    assert name(1) not in await partitions(own_sql)


async def test_a_page_after_a_cursor_and_a_look_up_read_no_partition_of_other_months(own_sql: Sql) -> None:
    async def read(where: str) -> set[str]:
        (plan,) = json.loads(
            await own_sql.fetchval(f"EXPLAIN (FORMAT JSON) SELECT * FROM audit_events WHERE {where} LIMIT 50")
        )
        return {node["Relation Name"] for node in nodes(plan["Plan"]) if "Relation Name" in node}

    assert await read(f"id = '{event_id(2)}'") == {name(2)}
    assert await read(f"id < '{event_id(1)}'") == {"audit_events_first", name(1)}


async def test_the_health_page_shows_the_retention_and_what_is_missing(own: Database, own_sql: Sql) -> None:
    await own_sql.execute(f"DROP TABLE {name(1)}")

    part = next(part for part in (await health(own, JOBS)).parts if part.label == "Audit log")

    assert part.state == "late"
    assert part.note.endswith(
        f"kept for 2 months besides this one. No partition for {month_of(TODAY.date(), 1):%Y-%m}."
    )


async def test_the_number_of_events_is_estimated_over_all_partitions(own_sql: Sql) -> None:
    await insert(own_sql, 0, 1, 2, 100)
    for partition in await partitions(own_sql):  # as autovacuum does, which leaves the partitioned table out
        await own_sql.execute(f"ANALYZE {partition}")

    query = estimated_rows("audit_events").compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})

    assert await own_sql.fetchval(str(query)) == await own_sql.fetchval("SELECT count(*) FROM audit_events")


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]
