"""The queue as operators see and steer it, on PostgreSQL and on Redis alike."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from conftest import settings_for
from redis.exceptions import RedisError
from sqlalchemy import text
from support.factories import Person, origin_for
from support.processes import eventually

from todo.access import WORKER, Actor, Origin, worker_origin
from todo.database import Database
from todo.domain.operations.admin import JobAdmin
from todo.errors import Conflict, NotFound, Unavailable
from todo.jobs import JobCatalog, Jobs
from todo.loops import run_once
from todo.modules import LOOPS
from todo.queue import Context, Cron, enqueue, job_of, job_origin, job_session
from todo.saq_queue import OnRedis, new_worker, open_queue, relay

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OPERATOR = Actor(id=None, name="olga", kind="operator")


async def tidy(context: Context) -> None:
    """Tidy up."""


async def fail(context: Context, *, why: str = "no reason") -> None:
    """Go wrong."""
    raise RuntimeError(why)


async def divide(context: Context) -> None:
    """Fail in the database."""
    async with job_session(context) as session:
        await session.execute(text("SELECT 1 / 0"))


async def linger(context: Context) -> None:
    """Take long."""
    await asyncio.sleep(60)


async def remember(context: Context) -> None:
    """Keep the origin of what a job would change."""
    ORIGINS.append(job_origin(context))


ORIGINS: list[Origin] = []
CRONS = [Cron(tidy, "0 4 * * *", timeout=7)]
FUNCTIONS = [fail, divide, linger, remember, *(job_of(loop) for loop in LOOPS)]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        assert "CI" not in os.environ, "redis-server must be there in CI"
        pytest.skip("there is no redis-server here")
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder, "s")
        server = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(socket), "--save", ""], cwd=folder, stdout=subprocess.DEVNULL
        )
        assert eventually(socket.exists)
        yield f"unix://{socket}"
        server.terminate()
        server.wait()


@pytest.fixture(params=["postgres", "redis"])
async def database(request: pytest.FixtureRequest, database_url: str, sql: Sql) -> AsyncIterator[Database]:
    """A database whose jobs are queued in it, or elsewhere."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    opened = await Database(settings_for(database_url, queue_url=url), database_url).open()
    yield opened
    await opened.close()


@pytest.fixture
async def jobs(database: Database) -> AsyncIterator[Jobs]:
    queue = open_queue(database.settings, database.url)
    await queue.connect()
    yield Jobs(queue, database, JobCatalog(CRONS, FUNCTIONS))
    if isinstance(queue, OnRedis):
        await queue.redis.flushall()
    await queue.disconnect()


async def queued(database: Database, function: str, **arguments: Any) -> None:
    """Enqueue in a transaction of its own, and hand over what waits."""
    async with database.session(worker_origin()) as session:
        await enqueue(session, function, **arguments)
    await handed_over(database)


async def handed_over(database: Database) -> None:
    queue = open_queue(database.settings, database.url)
    await queue.connect()
    await run_once(database, [relay(queue)])
    await queue.disconnect()


@asynccontextmanager
async def working(database: Database) -> AsyncIterator[None]:
    worker = new_worker(database.settings, database, CRONS, FUNCTIONS)
    await worker.queue.connect()
    life = asyncio.create_task(worker.start())
    try:
        yield
    finally:
        await worker.stop()
        await life
        await worker.queue.disconnect()


async def becomes(jobs: Jobs, status: str, function: str) -> str:
    """Wait until there is a job of this function and status; its key."""
    for _ in range(200):
        for job in await jobs.find([status]):
            if job.function == function:
                return job.key
        await asyncio.sleep(0.05)
    raise AssertionError(f"no {function} became {status}: {await jobs.find()}")


async def test_a_job_waits_with_its_arguments(database: Database, jobs: Jobs) -> None:
    await queued(database, "fail", why="asked to")

    (job,) = await jobs.find()

    assert (job.function, job.status, job.arguments) == ("fail", "queued", {"why": "asked to"})
    assert await jobs.one(job.key) == job


async def test_a_job_names_the_request_that_asked_for_it(database: Database, jobs: Jobs) -> None:
    async with database.session(Origin(OPERATOR, "api", "the-request", "192.0.2.7")) as session:
        await enqueue(session, "remember")
    await handed_over(database)

    async with working(database):
        await becomes(jobs, "complete", "remember")

    assert ORIGINS.pop() == Origin(WORKER, "worker", "the-request", "")


async def test_a_rolled_back_transaction_queued_nothing(database: Database, jobs: Jobs) -> None:
    with pytest.raises(RuntimeError):
        async with database.session(worker_origin()) as session:
            await enqueue(session, "fail")
            raise RuntimeError
    await handed_over(database)

    assert await jobs.find() == []


async def test_asking_twice_for_the_same_is_one_job(database: Database, jobs: Jobs, sql: Sql) -> None:
    async with database.session(worker_origin()) as session:
        await enqueue(session, "tidy")
        await enqueue(session, "tidy")
        await enqueue(session, "fail", why="one")
        await enqueue(session, "fail", why="two")
    await queued(database, "tidy")

    found = [(job.function, job.arguments.get("why")) for job in await jobs.find()]
    assert sorted(found) == [("fail", "one"), ("fail", "two"), ("tidy", None)]
    assert await sql.fetchval("SELECT count(*) FROM waiting_jobs") == 0


async def test_what_cannot_be_handed_over_waits(database: Database, sql: Sql) -> None:
    queue = open_queue(settings_for(database.url, queue_url="redis://127.0.0.1:1"))
    async with database.session(worker_origin()) as session:
        await enqueue(session, "tidy")

    with pytest.raises(RedisError):
        await run_once(database, [relay(queue)])

    assert await sql.fetchval("SELECT count(*) FROM waiting_jobs") == 1


async def test_saq_alone_materializes_what_is_due(database: Database, ada: Person, sql: Sql) -> None:
    recurrence = {"rrule": "FREQ=DAILY", "opens": "either"}
    await ada.add(due={"kind": "zoned", "at": "2031-01-31T09:00", "timezone": "UTC"}, recurrence=recurrence)
    await sql.execute("UPDATE series SET next_run_at = now()")
    async with working(database):
        await queued(database, "materialize_due")
        for _ in range(200):
            if await sql.fetchval("SELECT count(*) FROM job_runs WHERE function = 'materialize_due'"):
                break
            await asyncio.sleep(0.05)

    assert await sql.fetchval("SELECT status FROM job_runs WHERE function = 'materialize_due'") == "complete"
    assert await sql.fetchval("SELECT count(*) FROM series WHERE next_run_at <= now()") == 0


async def test_a_failed_job_says_why_and_can_be_tried_again(database: Database, jobs: Jobs, sql: Sql) -> None:
    async with working(database):
        await queued(database, "fail", why="the moon")
        key = await becomes(jobs, "failed", "fail")

    failed = await jobs.one(key)
    again = await jobs.retry(origin_for(OPERATOR, "cli"), key)

    assert "RuntimeError: the moon" in (failed.error or "")
    assert failed.attempts == 3
    assert again.status == "queued"
    entry = await sql.fetchrow("SELECT actor, before, after FROM audit_events WHERE action = 'jobs.retry'")
    assert (entry["actor"], entry["before"]) == ("olga", None)
    assert key in entry["after"]  # what it was done to: nothing was deleted


async def test_a_job_that_fails_in_the_database_says_what_the_database_said(database: Database, jobs: Jobs) -> None:
    async with working(database):
        await queued(database, "divide")
        await becomes(jobs, "failed", "divide")

    error = {entry.function: entry for entry in await jobs.schedules()}["divide"].last_error or ""
    assert error.startswith("sqlalchemy.exc.DBAPIError: ")
    assert error.endswith("division by zero")


async def test_what_waits_can_be_aborted_once(database: Database, jobs: Jobs) -> None:
    await queued(database, "linger")
    (job,) = await jobs.find()

    aborted = await jobs.abort(origin_for(OPERATOR, "cli"), job.key)

    assert aborted.status == "aborted"
    with pytest.raises(Conflict):
        await jobs.abort(origin_for(OPERATOR, "cli"), job.key)


async def test_what_runs_can_be_aborted(database: Database, jobs: Jobs) -> None:
    await queued(database, "linger")
    async with working(database):
        key = await becomes(jobs, "active", "linger")

        await jobs.abort(origin_for(OPERATOR, "cli"), key)

        assert await becomes(jobs, "aborted", "linger") == key


async def test_a_job_that_its_worker_cannot_end_is_queued_again(database: Database, jobs: Jobs) -> None:
    await queued(database, "linger")
    async with working(database):
        key = await becomes(jobs, "active", "linger")

    assert await becomes(jobs, "queued", "linger") == key
    assert (await jobs.one(key)).attempts == 1


async def test_a_schedule_can_be_run_now_and_says_how_it_went(database: Database, jobs: Jobs) -> None:
    before = {entry.function: entry for entry in await jobs.schedules()}
    async with working(database):
        key = (await jobs.run(origin_for(OPERATOR, "cli"), "tidy")).key
        for _ in range(200):
            if (await jobs.schedules())[0].runs:
                break
            await asyncio.sleep(0.05)

    after = {entry.function: entry for entry in await jobs.schedules()}

    assert (before["tidy"].does, before["tidy"].schedule, before["tidy"].runs) == ("Tidy up.", "0 4 * * *", 0)
    assert before["fail"].next_at is None
    assert before["tidy"].next_at is not None
    assert (after["tidy"].runs, after["tidy"].failures, after["tidy"].last_status) == (1, 0, "complete")
    assert key


async def test_what_is_not_there_is_refused(jobs: Jobs) -> None:
    with pytest.raises(NotFound):
        await jobs.one("nope")
    with pytest.raises(NotFound):
        await jobs.retry(origin_for(OPERATOR, "cli"), "nope")
    with pytest.raises(NotFound, match="Schedules: tidy"):
        await jobs.run(origin_for(OPERATOR, "cli"), "fail")


async def test_what_still_waits_cannot_be_tried_again(database: Database, jobs: Jobs) -> None:
    await queued(database, "linger")
    (job,) = await jobs.find()

    with pytest.raises(Conflict, match="queued"):
        await jobs.retry(origin_for(OPERATOR, "cli"), job.key)


async def test_a_queue_that_is_away_is_reported_as_such(database_url: str) -> None:
    settings = settings_for(database_url, queue_url="redis://127.0.0.1:1")
    database = Database(settings, database_url)

    with pytest.raises(Unavailable):
        await JobAdmin(JobCatalog()).rows(database, OPERATOR)
