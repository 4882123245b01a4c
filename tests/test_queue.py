"""The queue: jobs in the caller's transaction, run by a real worker."""

import re
from pathlib import Path
from typing import Any

import pytest
from support.factories import Person

import todo
from todo.access import worker_origin
from todo.database import Database
from todo.delivery.email import send_email
from todo.http.health import HEARTBEAT
from todo.modules import JOBS, LOOPS
from todo.queue import enqueue

Sql = Any


async def test_a_job_of_a_transaction_that_fails_never_was(database: Database, sql: Sql) -> None:
    with pytest.raises(RuntimeError):
        async with database.session(worker_origin()) as session:
            await enqueue(session, "run_admin_action", run_id="x")
            raise RuntimeError

    assert await sql.fetchval("SELECT count(*) FROM waiting_jobs") == 0


async def test_asking_for_a_job_writes_into_no_table_of_saqs(database: Database, sql: Sql) -> None:
    async with database.session(worker_origin()) as session:
        await enqueue(session, "run_admin_action", run_id="x")

    (waiting,) = await sql.fetch("SELECT function, arguments FROM waiting_jobs")
    assert tuple(waiting) == ("run_admin_action", '{"run_id": "x"}')
    assert await sql.fetchval("SELECT count(*) FROM saq_jobs") == 0


def test_whatever_is_asked_for_is_known_to_the_worker() -> None:
    known = {function.__qualname__ for function in JOBS.functions} | {
        cron.function.__qualname__ for cron in JOBS.schedules
    }
    source = "".join(path.read_text() for path in Path(todo.__file__).parent.rglob("*.py"))

    enqueued = set(re.findall(r"enqueue\((?:self\.)?session, \"(\w+)\"", source))

    assert len(enqueued) >= 4
    assert enqueued <= known


def test_the_work_of_every_loop_is_a_job_that_runs_every_minute() -> None:
    schedules = {cron.function.__qualname__: cron.schedule for cron in JOBS.schedules}
    due = {loop.name for loop in LOOPS} - {HEARTBEAT.name}

    assert due >= {"materialize_due", "send_reminders", "deliver_due"}
    assert {schedules[name] for name in due} == {"* * * * *"}


async def test_mail_that_is_written_asks_for_its_delivery(database: Database, sql: Sql) -> None:
    async with database.session(worker_origin()) as session:
        await send_email(session, "ada@example.com", "Hello", "How are you?")

    assert await sql.fetchval("SELECT array_agg(function) FROM waiting_jobs") == ["deliver_due"]


@pytest.mark.parametrize(("year", "enqueued"), [(2020, ["materialize_due"]), (2031, None)])
async def test_a_series_asks_for_what_is_due_now(ada: Person, sql: Sql, year: int, enqueued: list[str] | None) -> None:
    due = {"kind": "zoned", "at": f"{year}-01-31T09:00", "timezone": "UTC"}
    await sql.execute("DELETE FROM waiting_jobs")

    await ada.add(due=due, recurrence={"rrule": "FREQ=YEARLY", "opens": "either"})

    assert await sql.fetchval("SELECT array_agg(DISTINCT function) FROM waiting_jobs") == enqueued


async def test_changing_ones_account_needs_its_version_and_a_real_zone(ada: Person) -> None:
    stale = await ada.http.patch("/api/auth/me", json={"name": "Ada"}, headers={"if-match": '"9"'})
    unreal = await ada.http.patch("/api/auth/me", json={"timezone": "Mars/Base"})
    renamed = await ada.http.patch("/api/auth/me", json={"name": "Ada"}, headers={"if-match": '"1"'})

    assert (stale.status_code, unreal.status_code, renamed.status_code) == (412, 422, 200)
    assert (renamed.json()["name"], renamed.headers["etag"][:3]) == ("Ada", '"2-')
    again = await ada.http.patch("/api/auth/me", json={"name": "Eve"}, headers={"if-match": renamed.headers["etag"]})
    assert again.json()["name"] == "Eve"
