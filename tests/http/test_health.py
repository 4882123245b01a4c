"""`/health`: the process answers for itself, and for what it depends on."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import httpx
import pytest
from conftest import create_database, serving, settings_for
from sqlalchemy import text
from support.factories import Person, World
from support.wire import tapped

from todo import __version__
from todo.access import worker_origin
from todo.app import create_app
from todo.database import Database
from todo.http.health import beat
from todo.http.metrics import collect
from todo.modules import JOBS
from todo.queue import queue_place
from todo.revisions import COMMENT, head

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
EVERY_MINUTE = [cron.function.__qualname__ for cron in JOBS.schedules if cron.schedule == "* * * * *"]
RAN = (
    "INSERT INTO job_runs (function, status, finished_at, succeeded_at, seconds, runs, failures)"
    " VALUES ($1, $2, now(), now() - make_interval(secs => $3), 1, 1, 1)"
)


def ready(**parts: object) -> dict[str, object]:
    """What `/health/ready` answers when all is well, but for these parts."""
    well: dict[str, object] = {"status": "ok", "database": "ok", "migrations": "ok", "worker": "ok", "queue": "ok"}
    return well | {"late_schedules": [], "failed_schedules": [], "version": __version__, "revision": head()} | parts


def unknown(**parts: object) -> dict[str, object]:
    """What it answers without having asked the database, but for these parts."""
    return ready(worker="unknown", queue="unknown", revision=None) | parts


async def begin(database: Database, minutes: int = 0) -> None:
    """A worker that is alive, and began so long ago."""
    await beat(database)
    async with database.session(worker_origin()) as session:
        await session.execute(
            text("UPDATE heartbeats SET started_at = now() - make_interval(mins => :m)"), {"m": minutes}
        )


async def test_a_process_that_answers_is_alive(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_service_with_its_database_is_ready(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == ready(worker="late")


async def test_a_worker_that_beats_is_seen(client: httpx.AsyncClient, database: Database) -> None:
    await beat(database)
    await begin(database)

    answer = await client.get("/health/ready")

    assert answer.json()["worker"] == "ok"


async def test_a_worker_that_stopped_is_late_and_the_service_ready(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    await beat(database)
    await sql.execute("UPDATE heartbeats SET seen_at = seen_at - $1::interval", timedelta(seconds=31))

    answer = await client.get("/health/ready")

    assert (answer.status_code, answer.json()["worker"]) == (200, "late")


async def test_a_worker_whose_schedules_do_not_run_is_late(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    await begin(database, minutes=10)

    answer = await client.get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, ready(worker="late", late_schedules=EVERY_MINUTE))


async def test_a_schedule_that_succeeded_lately_is_not_late(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    await begin(database, minutes=10)
    for name in EVERY_MINUTE:
        await sql.execute(RAN, name, "complete", 30)

    assert (await client.get("/health/ready")).json() == ready()


@pytest.mark.parametrize(
    ("queue", "state"),
    [("", "ok"), (None, "ok"), ("redis://other:6379/0", "mixed")],
    ids=["same", "not reported", "other"],
)
async def test_a_worker_with_another_queue_is_told_apart(
    client: httpx.AsyncClient, database: Database, sql: Sql, queue: str | None, state: str
) -> None:
    await begin(database)
    await sql.execute("UPDATE heartbeats SET queue = $1", queue)

    answer = await client.get("/health/ready")
    (mixed,) = [metric for metric in await collect(database, [], JOBS) if metric.name == "todo_queue_mixed"]

    assert (answer.status_code, answer.json()) == (200, ready(queue=state))
    assert mixed.samples[0].value == (state == "mixed")


async def test_a_worker_that_ended_with_another_queue_does_not_matter(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    await begin(database)
    await sql.execute("UPDATE heartbeats SET queue = 'redis://other:6379/0', seen_at = seen_at - interval '31 seconds'")

    assert (await client.get("/health/ready")).json()["queue"] == "ok"


DATABASE = "postgresql://todo:secret@db/todo"


@pytest.mark.parametrize(
    ("queue", "place"),
    [
        ("", ""),
        ("postgresql://other:secret@db:5432/todo?sslmode=require", ""),
        ("postgresql://todo:secret@db/jobs", "postgresql://db:5432/jobs"),
        ("redis://:secret@queue", "redis://queue:6379/0"),
        ("valkey://queue:6379/0", "redis://queue:6379/0"),
        ("redis://queue/2?password=secret", "redis://queue:6379/2"),
        ("redis://queue?db=2&password=secret", "redis://queue:6379/0?db=2"),
    ],
)
def test_the_place_of_a_queue_is_written_one_way_and_without_passwords(queue: str, place: str) -> None:
    assert queue_place(settings_for(DATABASE, queue_url=queue), DATABASE) == place


def test_two_workers_have_two_names_whatever_their_host_and_process() -> None:
    code = "import os, socket; socket.gethostname = lambda: 'web'; os.getpid = lambda: 1\n"
    code += "from todo.http.health import NAME; print(NAME)"
    names = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}

    assert len(names) == 2
    assert all(re.fullmatch(r"web:1:[0-9a-f]{8}\n", name) for name in names)


async def test_a_schedule_whose_last_run_failed_is_named(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    await begin(database)
    await sql.execute(RAN, "empty_trash", "failed", 30)

    answer = await client.get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, ready(failed_schedules=["empty_trash"]))


async def test_metrics_say_which_schedules_fail_and_when_they_last_succeeded(database: Database, sql: Sql) -> None:
    await begin(database, minutes=10)
    await sql.execute(RAN, "empty_trash", "failed", 1000)

    samples = {
        (sample.name, sample.labels["function"]): sample.value
        for metric in await collect(database, [], JOBS)
        for sample in metric.samples
        if "function" in sample.labels
    }

    assert samples["todo_job_failed", "empty_trash"] == 1
    assert 1000 <= samples["todo_job_success_age_seconds", "empty_trash"] < 1100
    assert samples["todo_job_failures_total", "empty_trash"] == 1
    assert samples["todo_schedule_late", "empty_trash"] == 0
    assert samples["todo_schedule_late", "delete_full"] == 1


@pytest.fixture
async def deserted(database_url: str, sql: object) -> AsyncIterator[Person]:
    """Somebody whose service has lost its database: nothing listens at the address any more."""
    async with AsyncExitStack() as stack, AsyncExitStack() as relay:
        wire = await relay.enter_async_context(tapped(database_url))
        settings = settings_for(wire.url, database_pool=3, database_overflow=0, actor_cache_seconds=5)
        app = await stack.enter_async_context(serving(create_app(settings)))
        world = World(app)
        stack.push_async_callback(world.close)
        person = await world.person("eve")
        await person.add()
        await relay.aclose()
        yield person


async def test_without_a_database_the_process_is_alive(deserted: Person) -> None:
    answer = await deserted.http.get("/health/live")

    assert answer.status_code == 200


async def test_without_a_database_the_service_is_not_ready(deserted: Person) -> None:
    answer = await deserted.http.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json() == unknown(status="away", database="away", migrations="unknown")


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "one"}], ids=["", "keyed"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_database_requests_are_asked_to_try_again(
    deserted: Person, method: str, headers: dict[str, str]
) -> None:
    answer = await deserted.http.request(method, "/api/tasks", json={"title": "a"}, headers=headers)

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("change", "revision"),
    [
        (None, None),
        ("UPDATE alembic_version SET version_num = 'older'", "older"),
        ("ALTER TABLE heartbeats DROP COLUMN queue", None),
    ],
    ids=["empty", "older", "older still"],
)
async def test_a_database_that_is_not_migrated_makes_the_service_unready(
    worker_id_or_main: str, change: str | None, revision: str | None
) -> None:
    template = "todo_template" if change else "template1"
    url = await create_database(f"todo_unready_{worker_id_or_main}", template)
    if change:
        connection = await asyncpg.connect(url)
        await connection.execute(change)
        await connection.close()

    async with serving(create_app(settings_for(url, database_pool=3, database_overflow=0))) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json() == unknown(status="away", migrations="pending", revision=revision)


@pytest.fixture
async def newer_url(worker_id_or_main: str) -> str:
    """A database that a newer version has migrated, which declares nothing."""
    url = await create_database(f"todo_newer_{worker_id_or_main}", "todo_template")
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    return url


@pytest.mark.parametrize(
    ("declared", "status"), [(None, 503), (("9999", head()), 200), (("9999", "9998"), 503), (("9998", head()), 503)]
)
async def test_a_newer_schema_is_fine_if_it_declares_so(
    newer_url: str, declared: tuple[str, str] | None, status: int
) -> None:
    if declared:
        connection = await asyncpg.connect(newer_url)
        await connection.execute(COMMENT.format(revision=declared[0], compatible_with=declared[1]))
        await connection.close()

    app = create_app(settings_for(newer_url, database_pool=3, database_overflow=0))
    async with serving(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/health/ready")

    assert (answer.status_code, answer.json()["migrations"]) == (status, "ok" if status == 200 else "pending")


async def test_a_service_that_drains_is_not_ready_and_still_serves(database_url: str, sql: object) -> None:
    app = create_app(settings_for(database_url))
    async with serving(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        app.state.drain.begin()
        answer, other = await client.get("/health/ready"), await client.get("/api")

    assert answer.status_code == 503
    assert answer.json() == unknown(status="draining", database="unknown", migrations="unknown")
    assert other.status_code == 200
