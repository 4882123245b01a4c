"""`Idempotency-Key` on what changes accounts: done once, and no secret is stored."""

import asyncio
from typing import Any, TypeAlias

import asyncpg
import httpx
import pyotp
from accounts.test_email_change import CONFIRM, NEW, subjects
from accounts.test_passkeys import Authenticator
from support.factories import PASSWORD, Person, World

from todo.database import Database

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
KEY = {"idempotency-key": "one"}
SCRIPT = {"name": "Backup script", "scopes": ["tasks.view"]}


async def post(http: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
    return await http.post(f"/api/auth{path}", json=body, headers=KEY)


async def twice(http: httpx.AsyncClient, path: str, body: Any) -> tuple[httpx.Response, httpx.Response]:
    return await post(http, path, body), await post(http, path, body)


async def everything(sql: Sql) -> str:
    """All that is stored, as text."""
    tables = await sql.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [str(await sql.fetch(f'SELECT t::text FROM "{name}" t')) for (name,) in tables]
    answers = await sql.fetch("SELECT convert_from(body, 'UTF8') FROM idempotent_answers")
    return "\n".join([*rows, str(answers)])


async def test_a_token_is_made_once_and_its_secret_is_stored_nowhere(ada: Person, sql: Sql) -> None:
    made, repeat = await twice(ada.http, "/tokens", SCRIPT)

    problem, token = repeat.json(), made.json()
    assert (made.status_code, repeat.status_code, problem["code"]) == (201, 409, "secret-shown-once")
    assert problem["current"] == {"id": token["id"], "name": "Backup script"}
    assert "GET /api/auth/tokens" in problem["detail"]
    assert await sql.fetchval("SELECT count(*) FROM personal_tokens") == 1
    assert token["id"] in await everything(sql)
    assert token["token"] not in await everything(sql)


async def test_the_key_of_a_token_is_not_for_another_one(ada: Person, sql: Sql) -> None:
    await post(ada.http, "/tokens", SCRIPT)

    other = await post(ada.http, "/tokens", SCRIPT | {"name": "Another"})

    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert await sql.fetchval("SELECT count(*) FROM personal_tokens") == 1


async def test_a_second_factor_is_set_up_once_per_key_and_its_secrets_are_stored_nowhere(ada: Person, sql: Sql) -> None:
    begun, again = await twice(ada.http, "/mfa/totp", {"password": PASSWORD})
    secret = begun.json()["secret"]
    stored = await sql.fetchval("SELECT secret FROM totp")
    kept = await everything(sql)
    confirm = {"code": pyotp.TOTP(secret).now()}
    confirmed = await ada.http.post("/api/auth/mfa/totp/confirm", json=confirm, headers={"idempotency-key": "two"})
    repeated = await ada.http.post("/api/auth/mfa/totp/confirm", json=confirm, headers={"idempotency-key": "two"})

    assert (begun.status_code, again.status_code, again.json()["code"]) == (201, 409, "secret-shown-once")
    assert "current" not in again.json()
    assert secret not in kept
    assert await sql.fetchval("SELECT secret FROM totp") == stored
    assert (confirmed.status_code, repeated.status_code, repeated.json()["code"]) == (200, 409, "secret-shown-once")
    assert await sql.fetchval("SELECT count(*) FROM recovery_codes") == 10
    codes = await everything(sql)
    assert [code for code in confirmed.json()["recovery_codes"] if code in codes] == []


async def test_recovery_codes_are_renewed_once(ada: Person, sql: Sql) -> None:
    secret = (await ada.http.post("/api/auth/mfa/totp", json={"password": PASSWORD})).json()["secret"]
    codes = (await ada.http.post("/api/auth/mfa/totp/confirm", json={"code": pyotp.TOTP(secret).now()})).json()
    await sql.execute("UPDATE totp SET last_step = 0")
    body = {"code": codes["recovery_codes"][0]}

    renewed, repeat = await twice(ada.http, "/mfa/recovery-codes", body)

    assert (renewed.status_code, repeat.status_code, repeat.json()["code"]) == (200, 409, "secret-shown-once")
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.recovery_codes'") == 1


async def test_a_password_is_changed_once_and_a_repeat_gets_the_first_answer(ada: Person, sql: Sql) -> None:
    body = {"current_password": PASSWORD, "new_password": "a wholly different phrase"}

    first, repeat = await twice(ada.http, "/password", body)

    assert (first.status_code, repeat.status_code) == (204, 204)
    assert repeat.headers["idempotency-replayed"] == "true"
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.password'") == 1


async def test_a_wrong_password_is_recorded_and_frees_the_key(ada: Person, sql: Sql) -> None:
    body = {"current_password": "not the password", "new_password": "a wholly different phrase"}

    refused = await post(ada.http, "/password", body)
    changed = await post(ada.http, "/password", body | {"current_password": PASSWORD})

    assert (refused.status_code, changed.status_code) == (403, 204)
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.password_refused'") == 1


async def test_a_change_of_address_is_mailed_once(ada: Person, sql: Sql) -> None:
    first, repeat = await twice(ada.http, "/email/change", {"email": NEW, "password": PASSWORD})

    assert (first.status_code, repeat.status_code, repeat.content) == (202, 202, first.content)
    assert await subjects(sql, NEW) == [CONFIRM]


async def test_an_invitation_is_sent_once(world: World, sql: Sql) -> None:
    root = await world.person("root", "superuser")

    first, repeat = await twice(root.http, "/invitations", {"email": "grace@example.com"})

    assert (first.status_code, repeat.status_code, repeat.content) == (201, 201, first.content)
    assert await sql.fetchval("SELECT count(*) FROM deliveries WHERE recipient = 'grace@example.com'") == 1


async def test_a_passkey_is_added_once(ada: Person, sql: Sql) -> None:
    begun = (await ada.http.post("/api/auth/passkeys/options", json={"password": PASSWORD})).json()
    body = {"name": "Phone", "state": begun["state"], "credential": Authenticator().make(begun["options"])}

    first, repeat = await twice(ada.http, "/passkeys", body)

    assert (first.status_code, repeat.status_code, repeat.content) == (201, 201, first.content)
    assert await sql.fetchval("SELECT count(*) FROM passkeys") == 1


async def test_a_repeat_needs_the_guards_too(ada: Person, sql: Sql) -> None:
    await post(ada.http, "/tokens", SCRIPT)
    await sql.execute("DELETE FROM user_roles WHERE user_id = $1", ada.id)
    ada.http.headers["authorization"] = f"Bearer {(await fresh(ada))}"

    assert (await post(ada.http, "/tokens", SCRIPT)).status_code == 403


async def fresh(person: Person) -> str:
    body = {"email": person.email, "password": PASSWORD}
    token: str = (await person.http.post("/api/auth/login", json=body)).json()["access_token"]
    return token


async def test_wrong_passwords_with_keys_do_not_use_up_the_pool(world: World, database: Database, sql: Sql) -> None:
    """Each is recorded by a second transaction, while as many as there are connections wait for one."""
    settings = database.settings
    people = [await world.person(f"user{i}") for i in range(settings.database_pool + settings.database_overflow + 4)]
    body = {"current_password": "not the password", "new_password": "a wholly different phrase"}

    answers = await asyncio.gather(*(post(person.http, "/password", body) for person in people))

    assert {answer.status_code for answer in answers} == {403}
    refused = await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.password_refused'")
    assert refused == len(people)


async def test_the_same_key_at_the_same_moment_changes_the_password_once(ada: Person, sql: Sql) -> None:
    body = {"current_password": PASSWORD, "new_password": "a wholly different phrase"}

    answers = await asyncio.gather(*(post(ada.http, "/password", body) for _ in range(8)))

    assert {answer.status_code for answer in answers} <= {204, 403, 409}
    assert sum(answer.status_code == 204 and "idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert (await post(ada.http, "/password", body)).headers["idempotency-replayed"] == "true"
