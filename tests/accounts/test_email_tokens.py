"""What a mail proves: a forgotten password, a confirmed address."""

import asyncio
import logging
import re
import time
from statistics import median
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from conftest import serving, settings_for
from litestar import Litestar
from support.factories import PASSWORD, Person

from todo.access import ANYBODY, Origin
from todo.app import create_app
from todo.database import Database
from todo.domain.accounts.models import User
from todo.domain.accounts.services.email_tokens import notify_new_sign_in, require_verified
from todo.errors import Forbidden

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NEW = "a wholly different phrase"
NOBODY = "nobody@example.com"


async def email_tokens(sql: Sql, subject: str, to: str = "ada@example.com") -> list[str]:
    """The tokens of the deliveries with this subject, oldest first."""
    rows = await sql.fetch(
        "SELECT payload->>'text' AS text FROM deliveries WHERE subject = $1 AND recipient = $2 ORDER BY id", subject, to
    )
    return [re.findall(r"#(\S+)", row["text"])[0] for row in rows]


async def reset_token(client: httpx.AsyncClient, sql: Sql, email: str = "ada@example.com") -> str:
    await client.post("/api/auth/password/forgot", json={"email": email})
    return (await email_tokens(sql, "Choose a new password", email))[-1]


async def reset(client: httpx.AsyncClient, token: str, password: str = NEW) -> httpx.Response:
    return await client.post("/api/auth/password/reset", json={"token": token, "password": password})


async def login(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/auth/login", json={"email": email, "password": password})


def sent(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name not in {"request_id", "instance"}}


async def test_a_forgotten_password_is_replaced(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    answer = await reset(client, await reset_token(client, sql))

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await login(client, ada.email)).status_code == 401
    assert (await login(client, ada.email, NEW)).status_code == 200


@pytest.mark.parametrize("path", ["/api/auth/password/forgot", "/api/auth/email/verify/again"])
async def test_nobody_learns_whether_an_address_is_known(
    client: httpx.AsyncClient, ada: Person, sql: Sql, path: str
) -> None:
    await sql.execute("DELETE FROM deliveries")

    known = await client.post(path, json={"email": " ADA@example.com"})
    unknown = await client.post(path, json={"email": NOBODY})

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.status_code == 202
    assert set(known.headers) == set(unknown.headers)
    assert [row["recipient"] for row in await sql.fetch("SELECT recipient FROM deliveries")] == ["ada@example.com"]


@pytest.mark.timing
async def test_an_unknown_address_takes_as_long_as_a_known_one(
    client: httpx.AsyncClient, ada: Person, sql: Sql
) -> None:
    times: dict[str, list[float]] = {ada.email: [], NOBODY: []}
    for _ in range(40):
        for email, taken in times.items():
            began = time.perf_counter()
            await client.post("/api/auth/password/forgot", json={"email": email})
            taken.append(time.perf_counter() - began)

    known, unknown = (median(taken) for taken in times.values())
    assert 0.6 < known / unknown < 1.6


@pytest.mark.parametrize(
    "state", ["status = 'disabled'", "password_hash = NULL", "kind = 'service'", "email = 'other@example.com'"]
)
async def test_who_has_no_password_here_gets_no_mail(
    client: httpx.AsyncClient, ada: Person, sql: Sql, state: str
) -> None:
    await sql.execute(f"DELETE FROM deliveries; UPDATE users SET {state}")

    answer = await client.post("/api/auth/password/forgot", json={"email": ada.email})

    assert answer.status_code == 202
    assert await sql.fetchval("SELECT count(*) FROM deliveries") == 0
    assert await sql.fetchval("SELECT count(*) FROM mail_tokens WHERE purpose = 'reset'") == 0


@pytest.mark.parametrize("email", ["nobody", "a@b@example.com", "ada@example.com\nBcc: eve@example.com"])
async def test_what_is_no_address_is_refused(client: httpx.AsyncClient, email: str) -> None:
    answer = await client.post("/api/auth/password/forgot", json={"email": email})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.email"]


async def test_a_token_works_once(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    token = await reset_token(client, sql)

    answers = [await reset(client, token), await reset(client, token, PASSWORD)]

    assert [answer.status_code for answer in answers] == [204, 422]
    assert (await login(client, ada.email, NEW)).status_code == 200


async def test_a_token_works_once_when_raced(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    token = await reset_token(client, sql)

    answers = await asyncio.gather(*(reset(client, token, f"{NEW} number {number}") for number in range(10)))

    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 9
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.reset_password'") == 1


async def test_every_bad_token_is_answered_alike(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    (verify_token,) = await email_tokens(sql, "Please confirm your e-mail address")
    replaced, expired = await reset_token(client, sql), await reset_token(client, sql)
    await sql.execute("UPDATE mail_tokens SET expires_at = now() - interval '1 second' WHERE purpose = 'reset'")

    answers = [await reset(client, token) for token in ("guess", verify_token, replaced, expired, ada.token[:64])]

    assert {answer.status_code for answer in answers} == {422}
    assert [sent(answer) for answer in answers] == [sent(answers[0])] * 5
    assert (await login(client, ada.email)).status_code == 200


@pytest.mark.parametrize(("purpose", "hours"), [("reset", 1), ("verify", 24)])
async def test_a_token_lasts_as_long_as_it_says(
    client: httpx.AsyncClient, ada: Person, sql: Sql, purpose: str, hours: int
) -> None:
    await reset_token(client, sql)

    row = await sql.fetchrow(
        "SELECT expires_at - created_at AS lasts, length(hash) FROM mail_tokens WHERE purpose = $1", purpose
    )

    assert row["lasts"].total_seconds() == pytest.approx(hours * 3600, abs=1)
    assert row["length"] == 32


async def test_of_many_asked_for_at_once_one_remains(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    path, body = "/api/auth/password/forgot", {"email": ada.email}
    await asyncio.gather(*(client.post(path, json=body) for _ in range(8)))

    assert await sql.fetchval("SELECT count(*) FROM mail_tokens WHERE purpose = 'reset'") == 1


async def test_a_refused_password_leaves_the_token_good(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    token = await reset_token(client, sql)

    refused = await reset(client, token, "too short")
    taken = await reset(client, token)

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.password")
    assert taken.status_code == 204


async def test_a_reset_ends_every_session_and_starts_none(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    await login(client, ada.email)
    await login(client, ada.email)

    await reset(client, await reset_token(client, sql))

    rows = await sql.fetch("SELECT revoked_at, revoked_for FROM sessions")
    assert len(rows) >= 2
    assert {row["revoked_for"] for row in rows} == {"password"}
    assert None not in {row["revoked_at"] for row in rows}


async def test_a_reset_leaves_the_second_factor_alone(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    await sql.execute("INSERT INTO totp (user_id, secret, confirmed_at, last_step) VALUES ($1, 'x', now(), 0)", ada.id)

    await reset(client, await reset_token(client, sql))

    assert await sql.fetchval("SELECT count(*) FROM totp WHERE confirmed_at IS NOT NULL") == 1


async def test_the_owner_of_a_changed_password_is_notified(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    await reset(client, await reset_token(client, sql))

    assert await sql.fetchval("SELECT count(*) FROM deliveries WHERE subject = 'Your password was changed'") == 1


async def test_no_token_is_in_the_audit_log_or_in_the_log(
    client: httpx.AsyncClient, ada: Person, sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "todo")
    token = await reset_token(client, sql)

    await reset(client, token)

    events = str(await sql.fetch("SELECT e::text FROM audit_events e"))
    actions = [row["action"] for row in await sql.fetch("SELECT action FROM audit_events ORDER BY id")]
    assert {"accounts.ask_reset", "accounts.reset_password"} <= set(actions)
    for secret in (token, NEW, "$argon2"):
        assert secret not in events + caplog.text
    assert "password_hash" in events


async def test_links_are_made_from_the_settings_alone(database_url: str, sql: Sql, ada: Person) -> None:
    async with serving(create_app(settings_for(database_url, public_url="https://todo.example.org/"))) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://evil.example") as client:
            forged = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
            await client.post("/api/auth/password/forgot", json={"email": ada.email}, headers=forged)

    text = await sql.fetchval("SELECT payload::text FROM deliveries WHERE subject = 'Choose a new password'")
    assert "https://todo.example.org/account/reset#" in text
    assert "evil" not in text


async def test_a_registration_is_confirmed_by_mail(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    (token,) = await email_tokens(sql, "Please confirm your e-mail address")

    answers = [await client.post("/api/auth/email/verify", json={"token": token}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 422]
    assert await sql.fetchval("SELECT email_verified_at FROM users") is not None
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.verify_email'") == 1


async def test_another_confirmation_replaces_the_first(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    await client.post("/api/auth/email/verify/again", json={"email": ada.email})
    first, second = await email_tokens(sql, "Please confirm your e-mail address")

    answers = [await client.post("/api/auth/email/verify", json={"token": token}) for token in (first, second)]

    assert [answer.status_code for answer in answers] == [422, 204]


async def test_a_reset_token_confirms_no_address(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    answer = await client.post("/api/auth/email/verify", json={"token": await reset_token(client, sql)})

    assert answer.status_code == 422
    assert await sql.fetchval("SELECT email_verified_at FROM users") is None


async def test_the_owner_of_a_taken_address_is_message(client: httpx.AsyncClient, ada: Person, sql: Sql) -> None:
    body = {"email": ada.email, "password": NEW, "name": "<b>Click here: evil.example</b>"}

    answer = await client.post("/api/auth/register", json=body)

    mail = await sql.fetchrow("SELECT * FROM deliveries WHERE subject = 'You already have an account'")
    assert answer.status_code == 201
    assert mail["recipient"] == ada.email
    assert "evil" not in mail["payload"]


def test_where_it_is_asked_for_an_unconfirmed_address_is_refused() -> None:
    strict, user = settings_for("postgresql://nowhere/todo", verify_email=True), User(email="ada@example.com")

    require_verified(settings_for("postgresql://nowhere/todo"), user)
    with pytest.raises(Forbidden, match="Confirm"):
        require_verified(strict, user)
    user.email_verified_at = user.created_at
    require_verified(strict, user)


async def test_people_are_notified_of_sign_ins(app: Litestar, database: Database, sql: Sql) -> None:
    user = User(email="ada@example.com")
    async with database.session(Origin(ANYBODY, "api", "", "203.0.113.7")) as session:
        await notify_new_sign_in(session, user)

    texts = [row["text"] for row in await sql.fetch("SELECT payload->>'text' AS text FROM deliveries ORDER BY id")]
    assert len(texts) == 1
    assert "203.0.113.7" in texts[0]
