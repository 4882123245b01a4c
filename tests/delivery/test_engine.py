"""Deliveries through any channel: at least once, with one id, whoever is killed, suspended or away."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import asyncpg
import pytest
from support.factories import Person, World, job_context
from support.processes import eventually

from todo.access import worker_origin
from todo.database import Database
from todo.delivery import engine
from todo.delivery.engine import Rejected, add_deliveries, deliver_due
from todo.delivery.models import Delivery
from todo.modules import JOBS

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Pigeon:
    """A channel to somebody who answers these errors first; what arrived, and at whom."""

    name = "pigeon"

    def __init__(self, errors: Sequence[Exception] = ()) -> None:
        self.errors = list(errors)
        self.arrived: list[tuple[UUID, str]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.reached = asyncio.Event()

    async def deliver(self, delivery: Delivery) -> None:
        self.reached.set()
        await self.free.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.arrived.append((delivery.id, f"{delivery.recipient}: {delivery.payload['text']}"))


def email_body(text: str = "Hello", to: str = "ada", dedup_key: str | None = None) -> Delivery:
    return Delivery(channel="pigeon", recipient=to, subject=text, payload={"text": text}, dedup_key=dedup_key)


async def send(database: Database, *deliveries: Delivery) -> None:
    async with database.session(worker_origin()) as session:
        await add_deliveries(session, deliveries)


async def hurry(sql: Sql) -> None:
    """Let every pause and every lease be over."""
    await sql.execute("UPDATE deliveries SET run_at = now(), lease_until = NULL WHERE done_at IS NULL")


async def test_a_channel_is_one_class(database: Database, sql: Sql) -> None:
    pigeon = Pigeon()
    await send(database, email_body())

    tried = [await deliver_due(database, [pigeon]) for _ in range(2)]

    row = await sql.fetchrow("SELECT id, payload FROM deliveries WHERE done_at IS NOT NULL AND last_error IS NULL")
    assert tried == [1, 0]
    assert pigeon.arrived == [(row["id"], "ada: Hello")]
    assert row["payload"] == "{}"  # it may hold secrets, which nobody needs here any more


async def test_there_is_one_delivery_for_a_key(database: Database, sql: Sql) -> None:
    pigeon = Pigeon()
    await send(database, email_body("One", dedup_key="x"), email_body("Two"), email_body("Three"))
    await send(database, email_body("Again", dedup_key="x"))

    await deliver_due(database, [pigeon])

    assert [text for _, text in pigeon.arrived] == ["ada: One", "ada: Two", "ada: Three"]


async def test_a_failure_is_tried_again_later_each_time_with_the_same_id(database: Database, sql: Sql) -> None:
    pigeon = Pigeon([OSError("away")] * 10)
    await send(database, email_body())
    pauses = []
    for _ in range(11):
        await deliver_due(database, [pigeon])
        pauses.append(await sql.fetchval("SELECT extract(epoch FROM run_at - now())::int FROM deliveries"))
        await hurry(sql)

    row = await sql.fetchrow("SELECT id, attempts, last_error FROM deliveries")
    assert pauses[:5] == pytest.approx([10, 30, 90, 270, 810], abs=2)
    assert max(pauses) == pytest.approx(12 * 3600, abs=2)
    assert tuple(row) == (pigeon.arrived[0][0], 11, None)


async def test_after_twelve_attempts_it_is_given_up(database: Database, sql: Sql) -> None:
    pigeon = Pigeon([OSError("away")] * 12)
    await send(database, email_body())
    for _ in range(13):
        await deliver_due(database, [pigeon])
        await hurry(sql)

    row = await sql.fetchrow("SELECT attempts, failed_at IS NOT NULL AS failed, last_error FROM deliveries")
    assert tuple(row) == (12, True, "OSError: away")
    assert pigeon.arrived == []


async def test_a_rejected_one_is_given_up_at_once_and_holds_up_nobody(database: Database, sql: Sql) -> None:
    pigeon = Pigeon([Rejected("no such street")])
    await send(database, email_body("One"), email_body("Two"))

    await deliver_due(database, [pigeon])

    row = await sql.fetchrow("SELECT attempts, subject, last_error FROM deliveries WHERE failed_at IS NOT NULL")
    assert tuple(row) == (1, "One", "Rejected: no such street")
    assert [text for _, text in pigeon.arrived] == ["ada: Two"]


async def test_a_channel_that_is_gone_loses_nothing_and_uses_no_attempt(database: Database, sql: Sql) -> None:
    pigeon = Pigeon()
    await send(database, email_body())

    without = await deliver_due(database, [])
    await deliver_due(database, [pigeon])

    assert without == 0
    assert await sql.fetchval("SELECT attempts FROM deliveries WHERE done_at IS NOT NULL") == 1


async def test_many_workers_double_nothing_and_keep_the_order_of_a_recipient(database: Database, sql: Sql) -> None:
    pigeon, people = Pigeon(), [f"p{number}" for number in range(5)]
    await send(database, *(email_body(str(number), to=person) for number in range(8) for person in people))

    await asyncio.gather(*(deliver_due(database, [pigeon]) for _ in range(4)))
    await deliver_due(database, [pigeon])

    arrived = {person: [text[-1] for _, text in pigeon.arrived if text.startswith(person)] for person in people}
    assert arrived == {person: [str(number) for number in range(8)] for person in people}


async def test_the_holder_of_a_lost_lease_notes_nothing(database: Database, sql: Sql) -> None:
    pigeon = Pigeon()
    pigeon.free.clear()
    await send(database, email_body())
    slow = asyncio.create_task(deliver_due(database, [pigeon]))
    await asyncio.wait_for(pigeon.reached.wait(), 10)
    await sql.execute("UPDATE deliveries SET lease_token = gen_random_uuid(), last_error = 'mine'")
    pigeon.free.set()

    await slow

    assert tuple(await sql.fetchrow("SELECT done_at, last_error FROM deliveries")) == (None, "mine")


WORKER = """
import asyncio, sys
from pathlib import Path
from todo.database import Database
from todo.delivery.engine import deliver_due
from todo.settings import load_settings

class Pigeon:
    name = "pigeon"
    async def deliver(self, delivery):
        with open(sys.argv[1], "a") as file:
            file.write(f"{delivery.id}\\n")
        while Path(sys.argv[1] + ".hold").exists():
            await asyncio.sleep(0.02)

async def main():
    database = await Database(load_settings(_env_file=None)).open()
    await deliver_due(database, [Pigeon()])
    print("done", flush=True)

asyncio.run(main())
"""


async def test_a_stopped_worker_that_wakes_after_its_lease_does_no_harm(
    database: Database, database_url: str, sql: Sql, tmp_path: Path
) -> None:
    calls, hold, pigeon = tmp_path / "calls", tmp_path / "calls.hold", Pigeon()
    await send(database, email_body())
    hold.touch()
    command, environment = (sys.executable, "-c", WORKER, str(calls)), os.environ | {"TODO_DATABASE_URL": database_url}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert await asyncio.to_thread(eventually, lambda: calls.exists() and calls.read_text().endswith("\n"), 120)
    process.send_signal(signal.SIGSTOP)
    early = await deliver_due(database, [pigeon])
    await sql.execute("UPDATE deliveries SET lease_until = now() - interval '1 second'")
    await deliver_due(database, [pigeon])
    before = await sql.fetchrow("SELECT * FROM deliveries")

    hold.unlink()
    process.send_signal(signal.SIGCONT)
    output, _ = await asyncio.wait_for(process.communicate(), 20)

    assert (early, output) == (0, b"done\n")
    assert [str(number) for number, _ in pigeon.arrived] == calls.read_text().split()
    assert await sql.fetchrow("SELECT * FROM deliveries") == before


async def dashboard(operator: Person) -> dict[str, float]:
    lines = [line.split() for line in (await operator.http.get("/metrics")).text.splitlines() if line[0] != "#"]
    return {words[0]: float(words[1]) for words in lines if "outbox" in words[0]}


async def test_what_waits_and_how_long_can_be_watched(world: World, database: Database, sql: Sql) -> None:
    operator = await world.person("boss", "admin")
    await sql.execute("DELETE FROM deliveries")  # of the registration
    empty = await dashboard(operator)
    await send(database, email_body())
    await sql.execute("UPDATE deliveries SET run_at = now() - interval '90 seconds'")

    waiting = await dashboard(operator)

    assert empty == {"todo_outbox_waiting": 0, "todo_outbox_lag_seconds": 0}
    assert waiting == {"todo_outbox_waiting": 1, "todo_outbox_lag_seconds": pytest.approx(90, abs=10)}


@pytest.mark.parametrize("ended", ["done_at", "failed_at"])
async def test_what_has_ended_is_deleted_a_month_later(database: Database, sql: Sql, ended: str) -> None:
    (delete_old,) = [cron.function for cron in JOBS.schedules if cron.function.__name__ == "delete_old_deliveries"]
    await send(database, email_body("pending"), email_body("recent"), email_body("old"))
    await sql.execute(f"UPDATE deliveries SET {ended} = now() - interval '29 days' WHERE subject = 'recent'")
    await sql.execute(f"UPDATE deliveries SET {ended} = now() - interval '31 days' WHERE subject = 'old'")

    await delete_old(job_context(database))

    assert await sql.fetchval("SELECT array_agg(subject ORDER BY id) FROM deliveries") == ["pending", "recent"]


async def test_a_delivery_is_deleted_with_its_user(ada: Person, database: Database, sql: Sql) -> None:
    await send(database, Delivery(channel="pigeon", recipient="x", subject="Hers", user_id=ada.id), email_body("Other"))

    await sql.execute("DELETE FROM users WHERE id = $1", ada.id)

    assert await sql.fetchval("SELECT array_agg(subject) FROM deliveries WHERE channel = 'pigeon'") == ["Other"]


async def test_a_worker_that_stops_ends_the_delivery_it_began(
    database: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "CONCURRENCY", 1)  # others might be claiming the second, and would end that, too
    pigeon = Pigeon()
    pigeon.free.clear()
    await send(database, email_body("One"), email_body("Two"))
    sending = asyncio.create_task(deliver_due(database, [pigeon]))
    await pigeon.reached.wait()

    sending.cancel()
    asyncio.get_running_loop().call_soon(pigeon.free.set)
    with pytest.raises(asyncio.CancelledError):
        await sending

    rows = await sql.fetch("SELECT done_at IS NOT NULL AS done, attempts, lease_token FROM deliveries ORDER BY id")
    assert [tuple(row) for row in rows] == [(True, 1, None), (False, 0, None)]
