"""Sessions: refresh tokens that work once, and sign-outs that work everywhere."""

import asyncio
import base64
import hashlib
from typing import Any

import asyncpg
import bcrypt
import httpx
import pytest
from conftest import SECRET_KEY, serving, settings_for
from support.factories import PASSWORD, Person

from todo.access import WORKER, worker_origin
from todo.app import create_app
from todo.database import Database
from todo.domain.accounts.services.sessions import SessionService
from todo.settings import SecretKey

Sql = Any
CACHE_SECONDS = 0.25  # a little more than the tests' actor_cache_seconds


async def signed_in(client: httpx.AsyncClient, person: Person) -> dict[str, Any]:
    answer = await client.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def refreshed(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/api/auth/refresh", json={"refresh_token": token})


async def test_a_refresh_gives_new_tokens(client: httpx.AsyncClient, ada: Person) -> None:
    tokens = await signed_in(client, ada)

    answer = await refreshed(client, tokens["refresh_token"])

    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != tokens["refresh_token"]
    assert (await client.get("/api/auth/me", headers=bearer(answer.json()))).status_code == 200


async def test_twenty_refreshes_at_once_make_one_successor(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    tokens = await signed_in(client, ada)

    answers = await asyncio.gather(*(refreshed(client, tokens["refresh_token"]) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert await sql.fetchval("SELECT count(*) FROM refresh_tokens") == 2


async def test_a_refresh_repeated_after_a_change_of_the_secret_key_gives_the_token_that_was_issued(
    client: httpx.AsyncClient, ada: Person, database: Database
) -> None:
    tokens = await signed_in(client, ada)
    issued = (await refreshed(client, tokens["refresh_token"])).json()["refresh_token"]
    changed = SecretKey("another secret, just as long as it must be", (SECRET_KEY.current,))

    async with database.session(worker_origin()) as session:
        repeated = await SessionService(session, WORKER, changed).refresh(tokens["refresh_token"])

    assert repeated is not None
    assert repeated.refresh_token == issued
    assert (await refreshed(client, issued)).status_code == 200


async def test_a_token_used_again_later_ends_the_session_for_good(
    client: httpx.AsyncClient, ada: Person, sql: Sql
) -> None:
    tokens = await signed_in(client, ada)
    newer = (await refreshed(client, tokens["refresh_token"])).json()
    await sql.execute("UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'")

    replayed = await refreshed(client, tokens["refresh_token"])

    assert replayed.status_code == 401
    assert (await refreshed(client, newer["refresh_token"])).status_code == 401
    assert await sql.fetchval("SELECT revoked_for FROM sessions") == "reuse"
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'sessions.reuse'") == 1
    assert "copied" in await sql.fetchval("SELECT payload->>'text' FROM deliveries ORDER BY id DESC LIMIT 1")
    await asyncio.sleep(CACHE_SECONDS)
    assert (await client.get("/api/auth/me", headers=bearer(newer))).status_code == 401


async def test_only_the_latest_answer_can_be_asked_for_again(client: httpx.AsyncClient, ada: Person) -> None:
    first = (await signed_in(client, ada))["refresh_token"]
    second = (await refreshed(client, first)).json()["refresh_token"]
    await refreshed(client, second)

    answer = await refreshed(client, first)

    assert answer.status_code == 401


@pytest.mark.parametrize("token", ["todo_rt_", "x", "todo_rt_" + "0" * 72])
async def test_an_unknown_refresh_token_is_refused(client: httpx.AsyncClient, token: str, sql: Sql) -> None:
    answer = await refreshed(client, token)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="todo", error="invalid_token"'


async def test_a_disabled_person_cannot_refresh(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    tokens = await signed_in(client, ada)
    await sql.execute("UPDATE users SET status = 'disabled'")

    assert (await refreshed(client, tokens["refresh_token"])).status_code == 401


@pytest.mark.parametrize("column", ["expires_at"])
async def test_an_idle_or_old_session_cannot_be_refreshed(
    client: httpx.AsyncClient, ada: Person, sql: Sql, column: str
) -> None:
    for table in ("refresh_tokens", "sessions"):
        tokens = await signed_in(client, ada)
        await sql.execute(f"UPDATE {table} SET {column} = now() - interval '1 second'")

        assert (await refreshed(client, tokens["refresh_token"])).status_code == 401


async def test_signing_out_ends_this_session_alone(client: httpx.AsyncClient, ada: Person) -> None:
    here, there = await signed_in(client, ada), await signed_in(client, ada)

    answer = await client.post("/api/auth/logout", headers=bearer(here))
    await asyncio.sleep(CACHE_SECONDS)

    assert answer.status_code == 204
    assert (await client.get("/api/auth/me", headers=bearer(here))).status_code == 401
    assert (await refreshed(client, here["refresh_token"])).status_code == 401
    assert (await client.get("/api/auth/me", headers=bearer(there))).status_code == 200


async def test_signing_out_twice_is_no_mistake(client: httpx.AsyncClient, ada: Person) -> None:
    here = await signed_in(client, ada)

    answers = [await client.post("/api/auth/logout", headers=bearer(here)) for _ in range(2)]

    assert {answer.status_code for answer in answers} <= {204, 401}  # 401 where this process knows already


async def test_signing_out_everywhere_ends_all(client: httpx.AsyncClient, ada: Person) -> None:
    here, there = await signed_in(client, ada), await signed_in(client, ada)

    await client.post("/api/auth/logout?everywhere=true", headers=bearer(here))
    await asyncio.sleep(CACHE_SECONDS)

    assert {(await client.get("/api/auth/me", headers=bearer(tokens))).status_code for tokens in (here, there)} == {401}


async def test_sessions_are_listed_and_ended_one_by_one(client: httpx.AsyncClient, ada: Person) -> None:
    here, there = await signed_in(client, ada), await signed_in(client, ada)
    listed = (await client.get("/api/auth/sessions", headers=bearer(here))).json()

    other = next(session for session in listed if not session["current"])
    answer = await client.delete(f"/api/auth/sessions/{other['id']}", headers=bearer(here))
    again = await client.delete(f"/api/auth/sessions/{other['id']}", headers=bearer(here))
    await asyncio.sleep(CACHE_SECONDS)

    assert [session["current"] for session in listed] == [False, True]
    assert (answer.status_code, again.status_code) == (204, 404)
    assert (await client.get("/api/auth/me", headers=bearer(there))).status_code == 401


async def test_nobody_ends_the_session_of_another(
    client: httpx.AsyncClient, ada: Person, bob: Person, sql: Sql
) -> None:
    await signed_in(client, ada)
    session = await sql.fetchval("SELECT id FROM sessions")

    answer = await bob.http.delete(f"/api/auth/sessions/{session}")

    assert answer.status_code == 404
    assert await sql.fetchval("SELECT revoked_at FROM sessions") is None


async def test_a_new_password_signs_out_the_other_devices(client: httpx.AsyncClient, ada: Person) -> None:
    here, there = await signed_in(client, ada), await signed_in(client, ada)

    answer = await client.post(
        "/api/auth/password",
        headers=bearer(here),
        json={"current_password": PASSWORD, "new_password": "a newer one, and longer"},
    )
    await asyncio.sleep(CACHE_SECONDS)

    assert answer.status_code == 204
    assert (await client.get("/api/auth/me", headers=bearer(here))).status_code == 200
    assert (await client.get("/api/auth/me", headers=bearer(there))).status_code == 401
    old = await client.post("/api/auth/login", json={"email": ada.email, "password": PASSWORD})
    assert old.status_code == 401


async def test_a_new_password_needs_the_current_one(ada: Person) -> None:
    answer = await ada.http.post(
        "/api/auth/password",
        json={"current_password": "not this one at all", "new_password": "a newer one, and longer"},
    )

    assert answer.status_code == 403


async def test_every_process_learns_of_a_sign_out(client: httpx.AsyncClient, ada: Person, database_url: str) -> None:
    async with serving(create_app(settings_for(database_url))) as other:
        tokens = await signed_in(client, ada)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://test") as elsewhere:
            before = await elsewhere.get("/api/auth/me", headers=bearer(tokens))
            await client.post("/api/auth/logout", headers=bearer(tokens))
            await asyncio.sleep(CACHE_SECONDS)
            after = await elsewhere.get("/api/auth/me", headers=bearer(tokens))

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_hash_of_another_system_is_taken_and_upgraded(
    client: httpx.AsyncClient, ada: Person, sql: "asyncpg.Connection[asyncpg.Record]", foreign_hash: str
) -> None:
    await sql.execute("UPDATE users SET password_hash = $1", foreign_hash)

    first, second = await signed_in(client, ada), await signed_in(client, ada)

    assert first["access_token"] and second["access_token"]
    assert (await sql.fetchval("SELECT password_hash FROM users")).startswith("$argon2id$")


@pytest.fixture(params=["bcrypt", "django", "better-auth"])
def foreign_hash(request: pytest.FixtureRequest) -> str:
    """The test password as another system would have kept it."""
    if request.param == "bcrypt":
        return bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    if request.param == "django":
        made = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 1000)
        return f"pbkdf2_sha256$1000$salt${base64.b64encode(made).decode()}"
    salt = "00112233445566778899aabbccddeeff"
    made = hashlib.scrypt(PASSWORD.encode(), salt=salt.encode(), n=16384, r=16, p=1, dklen=64, maxmem=2**26)
    return f"{salt}:{made.hex()}"
