"""DeletionScheduled: closed at once, back within the days of grace, erased after them."""

import asyncio
import json
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
from support.factories import PASSWORD, Person, World, job_context

from todo.access import worker_origin
from todo.database import Database
from todo.domain.accounts.models import User
from todo.domain.accounts.services.account_deletion import cancel_deletion, erase
from todo.domain.tasks.jobs import erase_deleted_accounts
from todo.migrate import is_ours

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
OVER = "UPDATE users SET deletion_at = now() - interval '1 second' WHERE deletion_at IS NOT NULL"


async def leave(person: Person, **body: Any) -> httpx.Response:
    return await person.http.request("DELETE", "/api/auth/me", json={"password": PASSWORD} | body)


async def user_of(sql: Sql, person: Person) -> User:
    return User(**dict(await sql.fetchrow("SELECT * FROM users WHERE id = $1", person.id)))


async def test_who_leaves_is_out_at_once(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    await client.post("/api/auth/login", json={"email": ada.email, "password": PASSWORD})
    await sql.execute(
        "INSERT INTO personal_tokens (id, created_at, updated_at, version, user_id, name, hash, last_four, scopes,"
        " expires_at) VALUES (gen_random_uuid(), now(), now(), 1, $1, 'x', 'x', 'xxxx', '{}', now())", ada.id,
    )  # fmt: skip

    answer = await leave(ada)

    row = await sql.fetchrow("SELECT status, deletion_at - now() AS rest FROM users")
    assert (answer.status_code, answer.json().keys()) == (200, {"deletion_at"})
    assert row["status"] == "leaving"
    assert row["rest"].total_seconds() == pytest.approx(30 * 86400, abs=5)
    assert {row["revoked_for"] for row in await sql.fetch("SELECT revoked_for FROM sessions")} == {"leaving"}
    assert await sql.fetchval("SELECT count(*) FROM personal_tokens WHERE revoked_at IS NULL") == 0
    await asyncio.sleep(0.3)  # the tests' actor_cache_seconds, and a little
    assert (await ada.http.get("/api/auth/me")).status_code == 401


async def test_a_wrong_password_is_refused_and_noted(ada: Person, sql: Sql) -> None:
    answer = await leave(ada, password="not the right password")

    assert answer.status_code == 403
    assert await sql.fetchval("SELECT status FROM users") == "active"
    assert (
        await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.reauthentication_failed'") == 1
    )


@pytest.mark.parametrize("body", [{"password": ""}, {"password": 7}, {"user_id": "x"}])
async def test_the_body_is_checked(ada: Person, sql: Sql, body: dict[str, Any]) -> None:
    answer = await leave(ada, **body)

    assert answer.status_code == 422
    assert await sql.fetchval("SELECT status FROM users") == "active"


async def test_who_leaves_is_reported_until_when_it_can_be_undone(ada: Person, sql: Sql) -> None:
    until = (await leave(ada)).json()["deletion_at"]

    text = await sql.fetchval("SELECT payload->>'text' FROM deliveries WHERE subject = 'Your account will be erased'")
    assert until[:16].replace("T", " ") in text


async def test_within_the_days_of_grace_one_can_come_back(ada: Person, sql: Sql, database: Database) -> None:
    task = await ada.add()
    await leave(ada)
    user = await user_of(sql, ada)

    async with database.session(worker_origin()) as session:
        back = await cancel_deletion(session, user)
    await erase_deleted_accounts(job_context(database))

    row = await sql.fetchrow("SELECT status, deletion_at FROM users")
    assert back
    assert tuple(row) == ("active", None)
    assert str(await sql.fetchval("SELECT id FROM tasks")) == task["id"]
    assert await sql.fetchval("SELECT actor FROM audit_events WHERE action = 'accounts.cancel_deletion'") == ada.email


async def test_afterwards_one_cannot(ada: Person, sql: Sql, database: Database) -> None:
    await leave(ada)
    await sql.execute(OVER)
    user = await user_of(sql, ada)

    async with database.session(worker_origin()) as session:
        back = await cancel_deletion(session, user)

    assert not back
    assert await sql.fetchval("SELECT status FROM users") == "leaving"


@pytest.mark.parametrize("status", ["active", "disabled"])
async def test_only_who_is_leaving_comes_back(ada: Person, sql: Sql, database: Database, status: str) -> None:
    await sql.execute("UPDATE users SET status = $1", status)
    user = await user_of(sql, ada)

    async with database.session(worker_origin()) as session:
        back = await cancel_deletion(session, user)

    assert not back
    assert await sql.fetchval("SELECT status FROM users") == status


async def test_in_the_end_nothing_of_theirs_remains(
    client: httpx.AsyncClient, ada: Person, bob: Person, sql: Sql, database: Database
) -> None:
    await client.post("/api/auth/login", json={"email": ada.email, "password": PASSWORD})
    task = await ada.add("Secret plan", due={"kind": "day", "date": "2031-01-31"}, recurrence={"rrule": "FREQ=MONTHLY"})
    await ada.http.post(f"/api/tasks/{task['id']}/complete")
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"notes": "Secret plan"})
    kept = await bob.add("Bob's")
    await leave(ada)
    await sql.execute(OVER)

    await erase_deleted_accounts(job_context(database))

    tables = [row[0] for row in await sql.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    rest = {name: str(await sql.fetch(f'SELECT t::text FROM "{name}" t')) for name in filter(is_ours, tables)}
    assert [name for name, rows in rest.items() if ada.email in rows or "Secret plan" in rows] == []
    assert [name for name, rows in rest.items() if str(ada.id) in rows] == ["audit_events"]
    assert (await bob.http.get("/api/tasks")).json()["items"] == [kept]


async def test_the_audit_log_stays_without_their_name(ada: Person, sql: Sql, database: Database) -> None:
    await ada.add()
    before = await sql.fetchval("SELECT count(*) FROM audit_events")
    await leave(ada)
    await sql.execute(OVER)

    await erase_deleted_accounts(job_context(database))

    rows = await sql.fetch("SELECT actor, action, before, after FROM audit_events")
    assert len(rows) > before
    assert {row["actor"] for row in rows} == {"anonymous", "erased person", "worker"}
    assert "accounts.erase" in {row["action"] for row in rows}
    assert "ada" not in str(rows)


async def test_the_audit_log_keeps_the_fields_and_loses_values_reasons_and_addresses(
    ada: Person, bob: Person, sql: Sql, database: Database
) -> None:
    task, kept = await ada.add("Secret plan"), await bob.add("Bob's")
    await sql.execute("UPDATE audit_events SET reason = 'Ticket 17'")
    await leave(ada)
    await sql.execute(OVER)

    await erase_deleted_accounts(job_context(database))

    event = "SELECT after, reason, address FROM audit_events WHERE action = 'tasks.add' AND subject_id = $1"
    erased, other = await sql.fetchrow(event, UUID(task["id"])), await sql.fetchrow(event, UUID(kept["id"]))
    assert set(json.loads(erased["after"]).values()) == {None} and "title" in json.loads(erased["after"])
    assert (erased["reason"], erased["address"]) == (None, "erased")
    assert json.loads(other["after"])["title"] == "Bob's" and other["reason"] == "Ticket 17"


async def test_many_events_are_erased_in_batches(
    ada: Person, sql: Sql, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("todo.cleanup.BATCH", 2)
    for number in range(5):
        await ada.add(f"Secret {number}")
    await leave(ada)
    await sql.execute(OVER)

    await erase_deleted_accounts(job_context(database))

    assert "Secret" not in str(await sql.fetch("SELECT e::text FROM audit_events e"))


async def test_before_its_time_nothing_is_erased(ada: Person, sql: Sql, database: Database) -> None:
    await leave(ada)

    await erase_deleted_accounts(job_context(database))
    async with database.session(worker_origin()) as session:
        await erase(session, ada.id)

    assert await sql.fetchval("SELECT count(*) FROM users") == 1
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE address = 'erased'") == 0


async def test_one_that_cannot_be_erased_holds_up_nobody(
    ada: Person, bob: Person, sql: Sql, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await sql.execute(f"CREATE TABLE holds (user_id uuid REFERENCES users); INSERT INTO holds VALUES ('{ada.id}')")
    for person in (ada, bob):
        await leave(person)
    await sql.execute(OVER)

    await erase_deleted_accounts(job_context(database))

    left = [row["email"] for row in await sql.fetch("SELECT email FROM users")]
    await sql.execute("DROP TABLE holds")
    assert left == [ada.email]
    assert f"account {ada.id} cannot be erased" in caplog.text


async def test_the_last_superuser_cannot_leave(world: World, sql: Sql) -> None:
    root, other = await world.person("root", "superuser"), await world.person("other", "superuser")
    await sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", other.id)

    answer = await leave(root)

    assert answer.status_code == 409
    assert await sql.fetchval("SELECT status FROM users WHERE id = $1", root.id) == "active"


async def test_of_two_superusers_who_leave_at_once_one_stays(world: World, sql: Sql) -> None:
    people = [await world.person(name, "superuser") for name in ("root", "other")]

    answers = await asyncio.gather(*(leave(person) for person in people))

    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_member_leaves_however_few_superusers_there_are(ada: Person) -> None:
    assert (await leave(ada)).status_code == 200
