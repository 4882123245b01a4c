"""Keys and sessions that have ended are forgotten, in their own time."""

from typing import Any

import asyncpg
from conftest import SECRET_KEY, create_database, settings_for
from support.factories import OPERATOR, PASSWORD, Person, World, job_context, origin_for

from todo.database import Database
from todo.domain.accounts.jobs import delete_ended_credentials
from todo.domain.accounts.services.key_rotation import KeyService

Sql = Any


async def test_without_a_pending_key_a_rotation_still_leaves_its_event(worker_id_or_main: str) -> None:
    url = await create_database(f"todo_rotation_{worker_id_or_main}", "todo_template")
    database = await Database(settings_for(url)).open()
    connection = await asyncpg.connect(url)
    await connection.execute("DELETE FROM signing_keys WHERE status = 'pending'")
    async with database.session(origin_for(OPERATOR)) as session:
        await KeyService(session, OPERATOR, SECRET_KEY).rotate()

    names = [row[0] for row in await connection.fetch("SELECT action FROM audit_events ORDER BY id DESC LIMIT 4")]
    await connection.close()
    await database.close()
    assert names == ["signing_keys.add", "signing_keys.rotate", "signing_keys.add", "signing_keys.retire"]


async def test_a_retired_key_is_kept_until_its_last_token_is_over(worker_id_or_main: str) -> None:
    url = await create_database(f"todo_housekeeping_{worker_id_or_main}", "todo_template")  # others sign with theirs
    database = await Database(settings_for(url)).open()
    connection = await asyncpg.connect(url)
    retired = "SELECT count(*) FROM signing_keys WHERE status = 'retired'"
    async with database.session(origin_for(OPERATOR)) as session:
        await KeyService(session, OPERATOR, SECRET_KEY).rotate()

    await delete_ended_credentials(job_context(database))
    kept = await connection.fetchval(retired)
    await connection.execute("UPDATE signing_keys SET retired_at = now() - interval '12 minutes'")
    await delete_ended_credentials(job_context(database))
    left = await connection.fetchval(retired), await connection.fetchval("SELECT count(*) FROM signing_keys")

    await connection.close()
    await database.close()
    assert kept == 1
    assert left == (0, 2)


async def test_a_session_is_kept_for_a_month_after_its_end(database: Database, ada: Person, sql: Sql) -> None:
    for days in (1, 29, 31):
        await sql.execute(
            "INSERT INTO sessions (id, created_at, updated_at, version, user_id, amr, address, user_agent, seen_at,"
            " expires_at, revoked_at, acting_writes)"
            " SELECT gen_random_uuid(), now(), now(), 1, $1, '{}', '', '', now(),"
            " now() + interval '1 day', now() - make_interval(days => $2), false",
            ada.id,
            days,
        )

    await delete_ended_credentials(job_context(database))

    assert await sql.fetchval("SELECT count(*) FROM sessions") == 2


async def test_a_personal_token_is_kept_for_a_month_after_its_end(database: Database, ada: Person, sql: Sql) -> None:
    for name, expired, revoked in (
        ("lives", -1, None), ("expired", 29, None), ("expired long ago", 31, None),
        ("revoked", -1, 29), ("revoked long ago", -1, 31),
    ):  # fmt: skip
        await sql.execute(
            "INSERT INTO personal_tokens (id, created_at, updated_at, version, user_id, name, hash, last_four, scopes,"
            " expires_at, revoked_at)"
            " SELECT gen_random_uuid(), now(), now(), 1, $1, $2::text, $2::text::bytea, '', '{}',"
            " now() - make_interval(days => $3), now() - make_interval(days => $4)",
            ada.id, name, expired, revoked,
        )  # fmt: skip

    await delete_ended_credentials(job_context(database))

    left = await sql.fetch("SELECT name FROM personal_tokens ORDER BY name")
    assert [name for (name,) in left] == ["expired", "lives", "revoked"]


async def test_expired_refresh_tokens_of_a_living_session_are_deleted(
    database: Database, world: World, ada: Person, sql: Sql
) -> None:
    tokens = (await ada.http.post("/api/auth/login", json={"email": ada.email, "password": PASSWORD})).json()
    for _ in range(3):
        tokens = (await ada.http.post("/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).json()
    await sql.execute("UPDATE refresh_tokens SET expires_at = now() - interval '1 second' WHERE generation < 2")

    await delete_ended_credentials(job_context(database))

    session = "SELECT session_id FROM refresh_tokens WHERE generation = 3"
    left = f"SELECT array_agg(generation ORDER BY generation) FROM refresh_tokens WHERE session_id = ({session})"
    assert await sql.fetchval(left) == [2, 3]
    again = await ada.http.post("/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert again.status_code == 200
