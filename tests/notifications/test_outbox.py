"""Calls to the world outside: at least once, with one id, whoever is killed, asleep or away."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from uuid import UUID

import pytest
from factories import Person, World, job_context
from notifications.telling import Sql, due_reminder, work
from processes import eventually

from todo.app import JOBS
from todo.database import Database
from todo.domain.notifications.models import Outgoing
from todo.domain.notifications.services.channels import CHANNELS, External
from todo.domain.notifications.services.outbox import deliver_due


class Pigeon(External):
    """Somebody outside; what arrived, and the errors it answers first."""

    name = "pigeon"

    def __init__(self) -> None:
        self.arrived: list[tuple[UUID, str]] = []
        self.errors: list[Exception] = []
        self.free = asyncio.Event()
        self.free.set()
        self.asked = asyncio.Event()

    async def deliver(self, item: Outgoing) -> None:
        self.asked.set()
        await self.free.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.arrived.append((item.id, item.payload["title"]))


@pytest.fixture
def pigeon(monkeypatch: pytest.MonkeyPatch) -> Pigeon:
    pigeon = Pigeon()
    monkeypatch.setitem(CHANNELS, "pigeon", pigeon)
    return pigeon


async def send(person: Person, database: Database, sql: Sql, title: str = "Water") -> None:
    """A reminder that goes by pigeon, told but not delivered."""
    await person.http.patch("/api/me/notifications", json={})
    await sql.execute("""UPDATE notification_preferences SET reminder = '["pigeon"]'""")
    await due_reminder(person, sql, title)


async def again(sql: Sql) -> None:
    await sql.execute("UPDATE outbox SET run_at = now(), lease_until = NULL WHERE done_at IS NULL")


async def test_a_new_channel_is_one_class(ada: Person, database: Database, sql: Sql, pigeon: Pigeon) -> None:
    await send(ada, database, sql)

    await work(database, workers=3)

    number = await sql.fetchval("SELECT id FROM outbox WHERE done_at IS NOT NULL")
    assert pigeon.arrived == [(number, "Reminder: Water")]


async def test_a_failure_is_tried_again_later_with_the_same_id(
    ada: Person, database: Database, sql: Sql, pigeon: Pigeon
) -> None:
    pigeon.errors = [OSError("away"), TimeoutError()]
    await send(ada, database, sql)
    pauses = []
    for _ in range(3):
        await work(database)
        pauses.append(await sql.fetchval("SELECT extract(epoch FROM run_at - now())::int FROM outbox"))
        await again(sql)

    assert pauses[:2] == pytest.approx([10, 30], abs=2)
    assert len(pigeon.arrived) == 1
    row = await sql.fetchrow("SELECT id, attempts, last_error FROM outbox")
    assert tuple(row) == (pigeon.arrived[0][0], 3, None)


async def test_after_twelve_attempts_it_is_given_up(ada: Person, database: Database, sql: Sql, pigeon: Pigeon) -> None:
    pigeon.errors = [OSError("away")] * 12
    await send(ada, database, sql)
    for _ in range(13):
        await work(database)
        await again(sql)

    row = await sql.fetchrow("SELECT attempts, failed_at IS NOT NULL AS failed, last_error FROM outbox")
    assert tuple(row) == (12, True, "OSError: away")
    assert pigeon.arrived == []


async def test_a_channel_that_is_gone_loses_nothing(
    ada: Person, database: Database, sql: Sql, pigeon: Pigeon, monkeypatch: pytest.MonkeyPatch
) -> None:
    pigeon.errors = [OSError("away")]
    await send(ada, database, sql)
    await work(database)
    monkeypatch.delitem(CHANNELS, "pigeon")
    await again(sql)
    await work(database)
    monkeypatch.setitem(CHANNELS, "pigeon", pigeon)
    await again(sql)

    await work(database)

    assert len(pigeon.arrived) == 1


async def test_who_slept_beyond_the_lease_notes_nothing(
    ada: Person, database: Database, sql: Sql, pigeon: Pigeon
) -> None:
    pigeon.free.clear()
    await send(ada, database, sql)
    asleep = asyncio.create_task(work(database))
    await asyncio.wait_for(pigeon.asked.wait(), 10)
    await sql.execute("UPDATE outbox SET lease_token = gen_random_uuid(), last_error = 'mine'")
    pigeon.free.set()

    await asleep

    assert tuple(await sql.fetchrow("SELECT done_at, last_error FROM outbox")) == (None, "mine")


WORKER = """
import asyncio, os, sys
from pathlib import Path
from todo.database import Database
from todo.domain.notifications.services.channels import CHANNELS, External
from todo.domain.notifications.services.outbox import deliver_due
from todo.settings import load_settings

class Pigeon(External):
    name = "pigeon"
    async def deliver(self, item):
        with open(sys.argv[1], "a") as file:
            file.write(f"{item.id}\\n")
        while Path(sys.argv[1] + ".hold").exists():
            await asyncio.sleep(0.02)

CHANNELS["pigeon"] = Pigeon()

async def main():
    database = await Database(load_settings(_env_file=None)).open()
    await deliver_due(database)
    print("done", flush=True)

asyncio.run(main())
"""


class Calls:
    """What another process calls, as a file, and a file that keeps its calls from ending."""

    def __init__(self, folder: Path, url: str):
        self.file, self.hold = folder / "calls", folder / "calls.hold"
        self.environment = os.environ | {"TODO_DATABASE_URL": url}
        self.folder = folder

    @property
    def ids(self) -> list[str]:
        return self.file.read_text().split() if self.file.exists() else []

    async def start(self) -> asyncio.subprocess.Process:
        command = (sys.executable, "-c", WORKER, str(self.file))
        return await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=self.environment, stdout=asyncio.subprocess.PIPE
        )


@pytest.fixture
def calls(tmp_path: Path, database_url: str) -> Calls:
    return Calls(tmp_path, database_url)


async def test_killed_in_mid_call_it_is_made_again_with_the_same_id(
    ada: Person, database: Database, sql: Sql, pigeon: Pigeon, calls: Calls
) -> None:
    pigeon.errors = [OSError("not yet")]
    await send(ada, database, sql)
    await work(database)
    await again(sql)
    calls.hold.touch()
    process = await calls.start()
    assert await asyncio.to_thread(eventually, lambda: len(calls.ids) == 1)
    process.kill()
    await process.wait()
    calls.hold.unlink()

    early = await deliver_due(database)
    await sql.execute("UPDATE outbox SET lease_until = now() - interval '1 second'")
    await deliver_due(database)

    assert early == 0
    assert [str(number) for number, _ in pigeon.arrived] == calls.ids
    assert await sql.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NOT NULL") == 1


async def test_a_stopped_worker_that_wakes_after_its_lease_does_no_harm(
    ada: Person, database: Database, sql: Sql, pigeon: Pigeon, calls: Calls
) -> None:
    pigeon.errors = [OSError("not yet")]
    await send(ada, database, sql)
    await work(database)
    await again(sql)
    calls.hold.touch()
    process = await calls.start()
    assert await asyncio.to_thread(eventually, lambda: len(calls.ids) == 1)
    process.send_signal(signal.SIGSTOP)
    await sql.execute("UPDATE outbox SET lease_until = now() - interval '1 second'")
    await deliver_due(database)
    before = await sql.fetchrow("SELECT * FROM outbox")

    calls.hold.unlink()
    process.send_signal(signal.SIGCONT)
    output, _ = await asyncio.wait_for(process.communicate(), 20)

    assert output == b"done\n"
    assert [str(number) for number, _ in pigeon.arrived] == calls.ids
    assert await sql.fetchrow("SELECT * FROM outbox") == before


async def figures(world: World, name: str) -> dict[str, float]:
    operator = await world.person(name, "admin")
    lines = [line.split() for line in (await operator.http.get("/metrics")).text.splitlines() if line[0] != "#"]
    return {words[0]: float(words[1]) for words in lines if "outbox" in words[0] or "reminders_lag" in words[0]}


async def test_what_waits_and_how_long_can_be_watched(
    world: World, ada: Person, database: Database, sql: Sql, pigeon: Pigeon
) -> None:
    await sql.execute("DELETE FROM mails")  # of the registration
    empty = await figures(world, "one")
    pigeon.errors = [OSError("away")]
    await send(ada, database, sql)
    await work(database)
    await sql.execute("UPDATE outbox SET run_at = now() - interval '90 seconds'")
    await sql.execute("UPDATE reminders SET run_at = now() - interval '30 seconds'")

    waiting = await figures(world, "two")

    assert empty == {"todo_outbox_waiting": 0, "todo_outbox_lag_seconds": pytest.approx(0, abs=5),
                     "todo_reminders_lag_seconds": 0}  # fmt: skip
    assert waiting == {"todo_outbox_waiting": 1, "todo_outbox_lag_seconds": pytest.approx(90, abs=10),
                       "todo_reminders_lag_seconds": pytest.approx(30, abs=10)}  # fmt: skip


async def test_calls_that_were_made_are_forgotten_in_a_week(
    ada: Person, database: Database, sql: Sql, pigeon: Pigeon
) -> None:
    (forget,) = [cron.function for cron in JOBS.schedules if cron.function.__name__ == "forget_old_notifications"]
    await send(ada, database, sql)
    await work(database)
    await forget(job_context(database))
    kept = await sql.fetchval("SELECT count(*) FROM outbox")
    await sql.execute("UPDATE outbox SET done_at = now() - interval '8 days'")

    await forget(job_context(database))

    assert (kept, await sql.fetchval("SELECT count(*) FROM outbox")) == (1, 0)
