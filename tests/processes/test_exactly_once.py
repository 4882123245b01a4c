"""Real workers on a real database, killed, suspended and cut off: every due occurrence comes up, and none twice."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from conftest import SECRET, create_database, settings_for
from support.processes import Process, eventually, started

from todo.cli.migrate import install
from todo.domain.tasks.series.services.materialize import NAME
from todo.embedded.server import Server

START = 180  # seconds: three workers take some on a busy machine
# Every one has one occurrence to open, and its next one is a month away.
FILL = """
    WITH owner AS (
        INSERT INTO users (id, created_at, updated_at, version, email, name, timezone, kind, status,
            credential_version)
        VALUES (gen_random_uuid(), now(), now(), 1, gen_random_uuid() || '@example.com', '', 'UTC', 'person', 'active',
            0)
        RETURNING id)
    INSERT INTO series (id, created_at, updated_at, version, owner_id, project_id, owner_timezone, status, rrule,
        start, kind, timezone, anchor, on_invalid_date, on_missed, opens, lead_seconds, max_open, holidays, pauses,
        exceptions, template, n, last_original_start, next_original_start, next_n, next_run_at, failures)
    SELECT gen_random_uuid(), now(), now(), 1, owner.id, owner.id, 'UTC', 'active', 'FREQ=MONTHLY;INTERVAL=2',
        date_trunc('minute', now() AT TIME ZONE 'UTC') - interval '2 months', 'zoned', 'UTC', 'schedule', 'backward',
        'skip_to_next', 'either', 0, 50, '{}', '[]', '{}',
        '{"title": "Water the plants", "notes": "", "priority": 0, "estimate_minutes": null}', 100, NULL,
        date_trunc('minute', now() AT TIME ZONE 'UTC'), 101, now() - interval '1 second', 0
    FROM owner, generate_series(1, $1::int)"""
STATE = """
    SELECT (SELECT count(*) FROM tasks) AS tasks,
        (SELECT count(*) FROM occurrences WHERE status = 'open') AS occurrences,
        (SELECT count(DISTINCT series_id) FROM occurrences) AS series_opened,
        (SELECT count(*) FROM audit_events WHERE action = 'tasks.open') AS task_events,
        (SELECT count(*) FROM series WHERE n = 101 AND failures = 0) AS advanced_once,
        (SELECT count(*) FROM series WHERE next_run_at <= now()) AS left_due"""


class Workers:
    """Workers on one database, and what they leave in it."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        self.url = url
        self._folder = folder
        self._stack = stack
        self.fetch("UPDATE quota_defaults SET limits = '{}'")  # one owner gets all series, more than the limit

    def start(self, number: int) -> list[Process]:
        environment = {"TODO_DATABASE_URL": self.url, "TODO_SECRET_KEY": SECRET, "TODO_LOG_LEVEL": "WARNING"}
        return [self._stack.enter_context(started(self._folder, "worker", **environment)) for _ in range(number)]

    def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.url)
            try:
                return list(await connection.fetch(sql, *values, timeout=120))
            finally:
                await connection.close()

        return asyncio.run(run())

    def left(self) -> int:
        found: int = self.fetch("SELECT count(*) FROM series WHERE next_run_at <= now()")[0][0]
        return found

    def opened(self) -> int:
        found: int = self.fetch("SELECT count(*) FROM tasks")[0][0]
        return found

    def open_transactions(self) -> set[asyncpg.Record]:
        """Transactions that hold claimed series and wait for their worker to go on."""
        # Other loops of the worker have transactions too, which hold no series.
        held = "datname = current_database() AND state = 'idle in transaction' AND application_name = $1"
        return set(self.fetch(f"SELECT pid, xact_start FROM pg_stat_activity WHERE {held}", NAME))

    def suspend_in_a_transaction(self, process: Process) -> None:
        """Stop it while it holds series: a transaction that stays open while it stands still is its own."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            process.popen.send_signal(signal.SIGSTOP)
            before = self.open_transactions()
            time.sleep(2)  # the others commit several times in that
            if before & self.open_transactions():
                return
            process.popen.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        raise AssertionError("the worker was never seen in a transaction")

    def assert_each_once(self, number: int) -> None:
        (found,) = self.fetch(STATE)
        once = dict.fromkeys(("tasks", "occurrences", "series_opened", "task_events", "advanced_once"), number)
        assert dict(found) == once | {"left_due": 0}


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    """On a database of their own, which is gone afterwards."""
    name = f"todo_{uuid4().hex[:12]}"
    url = asyncio.run(create_database(name, "todo_template"))
    with ExitStack() as stack:
        yield Workers(tmp_path, url, stack)


def test_a_hundred_thousand_due_series_survive_the_kill_of_one_of_three_workers(workers: Workers) -> None:
    workers.fetch(FILL, 100_000)
    victim, *others = workers.start(3)
    assert eventually(lambda: workers.opened() > 3_000, START)

    workers.suspend_in_a_transaction(victim)
    victim.popen.kill()

    assert eventually(lambda: workers.left() == 0, 180), workers.left()
    workers.assert_each_once(100_000)
    assert {other.end() for other in others} == {0}


def test_a_worker_that_stands_still_loses_what_it_holds_and_does_no_harm_when_it_wakes(workers: Workers) -> None:
    workers.fetch(FILL, 30_000)
    sleeper, other = workers.start(2)
    assert eventually(lambda: workers.opened() > 1_000, START)

    workers.suspend_in_a_transaction(sleeper)
    finished = eventually(lambda: workers.left() == 0, 90)  # what it held is free after half a minute
    assert other.end() == 0
    sleeper.popen.send_signal(signal.SIGCONT)
    workers.fetch(FILL, 100)

    assert finished, workers.left()
    assert eventually(lambda: workers.left() == 0, 90), sleeper.output  # it goes on by itself
    workers.assert_each_once(30_100)
    assert sleeper.end() == 0


def test_an_immediate_stop_of_the_database_loses_and_doubles_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.start()
    settings = settings_for(server.url)
    asyncio.run(install(settings, server.url))
    with ExitStack() as stack:
        workers = Workers(tmp_path, server.url, stack)
        workers.fetch(FILL, 30_000)
        workers.start(2)
        assert eventually(lambda: workers.opened() > 1_000, START)

        os.kill(int((tmp_path / "data/postgres/postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        assert eventually(lambda: not server.is_alive())
        server.start()
        before = workers.opened()

        assert before < 30_000
        assert eventually(lambda: workers.left() == 0, 120), workers.left()
        workers.assert_each_once(30_000)
    server.stop()
