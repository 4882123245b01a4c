"""Real workers, of which one is killed and one is suspended: every reminder is told once, and arrives."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SECRET
from inbox import Inbox
from support.factories import Person, World
from support.processes import Process, eventually, started
from support.sending import Sql, ago, confirm, remind, zoned

PEOPLE, EACH = 4, 5


@pytest.fixture
def workers(tmp_path: Path, database_url: str, inbox: Inbox) -> Iterator[list[Process]]:
    environment = {
        "TODO_DATABASE_URL": database_url,
        "TODO_SECRET_KEY": SECRET,
        "TODO_MAIL_URL": f"smtp://127.0.0.1:{inbox.port}",
        "TODO_PUBLIC_URL": "https://todo.example.org",
    }
    with started(tmp_path, "worker", **environment) as one, started(tmp_path, "worker", **environment) as two:
        yield [one, two]


async def until(sql: Sql, query: str, seconds: float = 30) -> bool:
    """Whether a query comes true in time."""
    for _ in range(int(seconds * 10)):
        if await sql.fetchval(query):
            return True
        await asyncio.sleep(0.1)
    return False


async def set_reminders(people: list[Person], seconds: float) -> None:
    for person in people:
        for number in range(EACH):
            await remind(person, await person.add(str(number), due=zoned(ago(seconds=-seconds))))


async def expect_each_once(sql: Sql, inbox: Inbox, people: list[Person]) -> None:
    """One message for every reminder; each mail arrived, and what arrived twice bears the same id."""
    total = PEOPLE * EACH
    assert await until(sql, f"SELECT count(*) = {total} FROM notifications")
    await sql.execute("UPDATE deliveries SET lease_until = now(), run_at = now() WHERE done_at IS NULL")
    assert await until(sql, f"SELECT count(dedup_key) = {total} FROM deliveries WHERE done_at IS NOT NULL")
    ids = [str(row["id"]) for row in await sql.fetch("SELECT id FROM deliveries WHERE dedup_key IS NOT NULL")]
    arrived = Counter(message["message-id"].split("@")[0].lstrip("<") for _, message in inbox.taken)
    assert {number for number in arrived if number in ids} == set(ids)
    for person in people:
        sent = list(dict.fromkeys(subject for subject in inbox.subjects(person.email) if "Reminder" in subject))
        assert sorted(sent) == [f"Reminder: {number}" for number in range(EACH)]


@pytest.fixture
async def people(world: World, sql: Sql) -> list[Person]:
    people = [await world.person(f"p{number}") for number in range(PEOPLE)]
    await confirm(sql, *people)
    await sql.execute("DELETE FROM deliveries")
    return people


async def sending(sql: Sql, inbox: Inbox, people: list[Person], workers: list[Process]) -> None:
    """Wait until both workers run, and one of them is in the middle of a mail."""
    assert await until(sql, "SELECT count(*) >= 2 FROM heartbeats", 60), workers[0].output
    inbox.free.clear()
    await set_reminders(people, 2)
    assert await asyncio.to_thread(inbox.reached.wait, 20)


async def test_a_worker_killed_at_the_wrong_moment_loses_and_doubles_nothing(
    people: list[Person], sql: Sql, inbox: Inbox, workers: list[Process]
) -> None:
    await sending(sql, inbox, people, workers)
    workers[0].popen.kill()
    inbox.free.set()

    await expect_each_once(sql, inbox, people)


async def test_a_worker_suspended_and_woken_later_does_no_harm(
    people: list[Person], sql: Sql, inbox: Inbox, workers: list[Process]
) -> None:
    await sending(sql, inbox, people, workers)
    workers[0].popen.send_signal(signal.SIGSTOP)
    inbox.free.set()
    await until(sql, f"SELECT count(*) = {PEOPLE * EACH} FROM notifications", 10)
    await sql.execute("UPDATE deliveries SET lease_until = now(), run_at = now() WHERE done_at IS NULL")
    assert await until(sql, "SELECT count(*) > 0 FROM deliveries WHERE done_at IS NOT NULL")  # the other one works

    workers[0].popen.send_signal(signal.SIGCONT)

    await expect_each_once(sql, inbox, people)
    assert await asyncio.to_thread(eventually, lambda: workers[0].popen.poll() is None)


@pytest.mark.timing
async def test_a_reminder_is_sent_on_the_second(ada: Person, sql: Sql, workers: list[Process]) -> None:
    assert await until(sql, "SELECT count(*) >= 1 FROM heartbeats", 60), workers[0].output
    due = ago(seconds=-3)
    await remind(ada, await ada.add(due=zoned(due)))

    assert await until(sql, "SELECT count(*) = 1 FROM notifications")

    sent = await sql.fetchval("SELECT created_at FROM notifications")
    assert 0 <= (sent - due).total_seconds() < 1.5
