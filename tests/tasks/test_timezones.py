"""What goes by its owner's time zone follows the owner, whatever else happens at that moment."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from support.factories import Person, World
from support.invariants import broken
from support.series import Json, Sql, act, begin, day, floating, open_occurrences, series_of, work
from support.waiting import waiting_for_locks

from todo.access import Actor, worker_origin
from todo.database import Database
from todo.domain.tasks.schemas import TaskIn, TaskPatch
from todo.domain.tasks.series.locks import lock_owner
from todo.domain.tasks.series.services.timezones import SERIES_BATCH, TASK_BATCH, follow_pending
from todo.domain.tasks.services.tasks import TaskService

NEW_YORK = "America/New_York"
NEW_YEAR = floating("2027-01-01T09:00")
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()


async def go(person: Person, timezone: str = NEW_YORK) -> None:
    answer = await person.http.patch("/api/auth/me", json={"timezone": timezone})
    assert answer.status_code == 200, answer.text


async def read(person: Person, task: Json) -> Json:
    answer: Json = (await person.http.get(f"/api/tasks/{task['id']}")).json()
    return answer


def remembered(person: Person) -> Actor:
    """Somebody whose request was let in before their zone changed."""
    return Actor(id=person.id, name=person.email, timezone="Europe/Berlin")


@pytest.mark.parametrize("recurrence", [None, {"rrule": "FREQ=DAILY"}], ids=["", "series"])
async def test_work_added_right_after_a_change_of_zone_is_due_in_the_new_one(
    ada: Person, database: Database, sql: Sql, recurrence: Json | None
) -> None:
    await ada.add()  # so that the old zone is remembered
    await go(ada, "Pacific/Kiritimati")
    added = await ada.add(due=NEW_YEAR, recurrence=recurrence)
    await work(database)

    assert (added["due_at"], (await read(ada, added))["due_at"]) == ("2026-12-31T19:00:00Z",) * 2
    assert await broken(sql) == {}


@pytest.mark.parametrize("verb", ["add", "add_at_once", "move", "change_fields", "begin"])
async def test_no_remembered_zone_decides_what_is_stored(ada: Person, database: Database, sql: Sql, verb: str) -> None:
    task = await ada.add()
    await go(ada)
    due = {"due": NEW_YEAR}
    recurring: Any = {"rrule": "FREQ=DAILY"}
    data = msgspec.convert({"title": "a"} | due | ({"recurrence": recurring} if verb == "begin" else {}), TaskIn)

    async with database.session(worker_origin()) as session:
        tasks = TaskService(session, remembered(ada), database=database if verb == "add_at_once" else None)
        added = await {
            "add": lambda: tasks.add(data),
            "add_at_once": lambda: tasks.add(data),
            "begin": lambda: tasks.add(data),
            "move": lambda: tasks.move(UUID(task["id"]), data.due, None),
            "change_fields": lambda: tasks.change_fields(UUID(task["id"]), msgspec.convert(due, TaskPatch), None),
        }[verb]()

    assert added.due_at == datetime(2027, 1, 1, 9, tzinfo=ZoneInfo(NEW_YORK))
    assert await sql.fetchval("SELECT count(*) FROM series WHERE owner_timezone <> $1", NEW_YORK) == 0


async def test_a_change_of_zone_waits_for_who_stores_with_the_old_one(
    ada: Person, database: Database, sql: Sql
) -> None:
    async with database.session(worker_origin()) as session:
        assert await lock_owner(session, ada.id) == "Europe/Berlin"
        moving = asyncio.ensure_future(go(ada))
        await waiting_for_locks(sql, 1)
        added = await TaskService(session, remembered(ada)).add(
            msgspec.convert({"title": "a", "due": NEW_YEAR}, TaskIn)
        )
    await moving
    await work(database)

    assert added.due_at == datetime(2027, 1, 1, 8, tzinfo=UTC)
    assert (await read(ada, {"id": added.id}))["due_at"] == "2027-01-01T14:00:00Z"
    assert await broken(sql) == {}


@pytest.mark.parametrize("recurrence", [None, {"rrule": "FREQ=DAILY"}], ids=["", "series"])
async def test_what_is_added_during_a_change_of_zone_waits_for_the_new_one(
    ada: Person, sql: Sql, recurrence: Json | None
) -> None:
    async with sql.transaction():
        await sql.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", ada.id)
        await sql.execute("UPDATE users SET timezone = $2 WHERE id = $1", ada.id, NEW_YORK)
        adding = asyncio.ensure_future(ada.add(due=NEW_YEAR, recurrence=recurrence))
        await waiting_for_locks(sql, 1)
    added = await adding

    assert added["due_at"] == "2027-01-01T14:00:00Z"


async def test_one_client_changes_the_zone_and_at_once_adds_and_completes(
    ada: Person, database: Database, sql: Sql
) -> None:
    for timezone in (NEW_YORK, "Asia/Tokyo", "Europe/Berlin"):
        following = asyncio.ensure_future(work(database))
        await go(ada, timezone)
        task = await ada.add(due=day(TOMORROW), recurrence={"rrule": "FREQ=DAILY"})
        await act(ada, task, "complete")
        await following
    await work(database)

    assert await broken(sql) == {}


async def test_a_task_whose_due_follows_gets_a_new_version(ada: Person, database: Database, sql: Sql) -> None:
    before = await ada.add(due=day("2026-12-24"))
    zoned = await ada.add(due={"kind": "zoned", "at": "2026-12-24T09:00", "timezone": "Europe/Berlin"})
    await go(ada)
    await work(database)

    known = await ada.http.get(f"/api/tasks/{before['id']}", headers={"If-None-Match": '"1"'})
    after = known.json()

    assert (known.status_code, known.headers["etag"]) == (200, '"2"')
    assert (before["due_at"], after["due_at"]) == ("2026-12-23T23:00:00Z", "2026-12-24T05:00:00Z")
    assert after["version"] == 2
    assert after["updated_at"] > before["updated_at"]
    assert await read(ada, zoned) == zoned
    sent = await sql.fetchrow("SELECT actor, before, after FROM audit_events WHERE actor_kind = 'worker'")
    assert sent is not None
    old = {name: before[name] for name in ("due_at", "overdue_at")}
    assert (sent["actor"], msgspec.json.decode(sent["before"])) == ("worker", old)
    assert (before["overdue_at"], after["overdue_at"]) == ("2026-12-24T23:00:00Z", "2026-12-25T05:00:00Z")


async def test_a_series_that_follows_gets_a_new_version(ada: Person, database: Database) -> None:
    task = await ada.add(due=NEW_YEAR, recurrence={"rrule": "FREQ=DAILY"})
    before = await series_of(ada, task)
    await go(ada)
    await work(database)

    after = await series_of(ada, task)

    assert (before["next_due_at"], after["next_due_at"]) == ("2027-01-02T08:00:00Z", "2027-01-02T14:00:00Z")
    assert after["version"] == before["version"] + 1


async def test_a_closing_can_be_undone_after_a_change_of_zone(ada: Person, database: Database, sql: Sql) -> None:
    task = await begin(ada, TOMORROW)
    await act(ada, task, "complete")
    await go(ada)
    await work(database)

    await act(ada, task, "reopen")
    await work(database)

    assert await open_occurrences(ada) == [TOMORROW]
    assert await broken(sql) == {}


async def test_many_tasks_and_series_follow_in_batches(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add(due=NEW_YEAR)
    first = await ada.add(due=NEW_YEAR, recurrence={"rrule": "FREQ=DAILY"})
    names = ", ".join(await columns(sql, "tasks"))
    await sql.execute(
        f"INSERT INTO tasks (id, {names}) SELECT gen_random_uuid(), {names} FROM tasks, generate_series(1, $1::int)"
        " WHERE id = $2",
        2 * TASK_BATCH, task["id"],
    )  # fmt: skip
    names = ", ".join(await columns(sql, "series"))
    await sql.execute(
        f"INSERT INTO series (id, {names}) SELECT gen_random_uuid(), {names} FROM series, generate_series(1, $1::int)",
        2 * SERIES_BATCH,
    )
    await go(ada)

    await follow_pending(database)

    assert {name: len(ids) for name, ids in (await broken(sql)).items()} == {}
    assert (await read(ada, first))["due_at"] == "2027-01-01T14:00:00Z"
    assert await sql.fetchval("SELECT timezone_pending_since FROM users") is None


async def columns(sql: Sql, table: str) -> list[str]:
    found = "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND column_name <> 'id'"
    found += " AND is_generated = 'NEVER'"
    return [row[0] for row in await sql.fetch(found, table)]


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON tasks FOR EACH ROW WHEN (NEW.title = 'refused') EXECUTE FUNCTION refuse()
"""


async def test_what_could_not_follow_is_tried_again_and_keeps_nobody_else_waiting(
    ada: Person, bob: Person, database: Database, sql: Sql
) -> None:
    refused = await ada.add("refused", due=NEW_YEAR)
    other = await bob.add(due=NEW_YEAR)
    await sql.execute(REFUSE)
    await go(ada)
    await go(bob)

    await follow_pending(database)
    left = [row["email"] for row in await sql.fetch("SELECT email FROM users WHERE timezone_pending_since IS NOT NULL")]
    await sql.execute("DROP TRIGGER refuse ON tasks; DROP FUNCTION refuse")
    await follow_pending(database)

    assert left == [ada.email]
    assert {(await read(p, t))["due_at"] for p, t in ((ada, refused), (bob, other))} == {"2027-01-01T14:00:00Z"}
    assert await sql.fetchval("SELECT count(timezone_pending_since) FROM users") == 0


async def test_a_zone_that_changes_while_dues_follow_is_followed_too(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add(due=NEW_YEAR)
    await go(ada, "Asia/Tokyo")
    async with sql.transaction():
        await sql.execute("SELECT FROM tasks WHERE id = $1 FOR UPDATE", task["id"])
        following = asyncio.ensure_future(follow_pending(database))
        await waiting_for_locks(sql, 1)
        moving = asyncio.ensure_future(go(ada))
        await waiting_for_locks(sql, 2)
    await asyncio.gather(following, moving)
    await work(database)

    assert (await read(ada, task))["due_at"] == "2027-01-01T14:00:00Z"
    assert await sql.fetchval("SELECT timezone_pending_since FROM users") is None


async def test_an_operator_who_changes_a_zone_moves_the_work_of_its_owner(
    ada: Person, world: World, database: Database
) -> None:
    task = await ada.add(due=NEW_YEAR)
    root = await world.person("root", "superuser")
    changed = await root.http.patch(f"/api/admin/users/{ada.id}", json={"timezone": NEW_YORK})
    await work(database)

    assert changed.status_code == 200, changed.text
    assert (await read(ada, task))["due_at"] == "2027-01-01T14:00:00Z"


async def test_what_is_due_wherever_the_owner_is_follows_and_what_is_due_in_one_place_stays(
    ada: Person, database: Database
) -> None:
    whole_day = await ada.add(due=day("2031-01-31"))
    local = await ada.add(due=floating("2031-01-31T09:00"))
    zoned = await ada.add(due={"kind": "zoned", "at": "2031-01-31T09:00", "timezone": "Europe/Berlin"})

    await go(ada)
    await work(database)

    assert (await read(ada, whole_day))["due_at"] == "2031-01-31T05:00:00Z"
    assert (await read(ada, local))["due_at"] == "2031-01-31T14:00:00Z"
    assert (await read(ada, zoned))["due_at"] == zoned["due_at"]


async def test_a_moved_occurrence_moves_with_its_owner(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add(due=floating("2031-01-31T09:00"), recurrence={"rrule": "FREQ=DAILY"})
    await ada.http.post(f"/api/tasks/{task['id']}/move", json={"due": floating("2031-02-02T09:00")})

    await go(ada)
    await work(database)

    assert str(await sql.fetchval("SELECT moved_to FROM occurrences")) == "2031-02-02 14:00:00+00:00"


async def test_a_series_goes_on_where_its_owner_has_moved(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add(due=floating("2031-01-31T09:00"), recurrence={"rrule": "FREQ=DAILY"})

    await go(ada)
    await work(database)

    assert str(await sql.fetchval("SELECT next_run_at FROM series")) == "2031-02-01 14:00:00+00:00"


async def test_an_open_occurrence_expires_in_time_where_its_owner_has_moved(
    ada: Person, database: Database, sql: Sql
) -> None:
    recurrence = {"rrule": "FREQ=YEARLY", "on_missed": "expire", "expire_after_seconds": 3600}
    await ada.add(due=floating("2031-01-31T09:00"), recurrence=recurrence)

    await go(ada)
    await work(database)

    assert str(await sql.fetchval("SELECT next_run_at FROM series")) == "2031-01-31 15:00:00+00:00"
