"""A new e-mail address: asked for with the password, confirmed at the new address, reported to the old one."""

import asyncio
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from accounts.test_email_tokens import email_tokens, login, reset, reset_token, sent
from accounts.test_flows import Instance, enrol
from litestar import Litestar
from support.factories import PASSWORD, Person

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NEW = "ada@example.org"
CONFIRM = "Please confirm your new e-mail address"


async def ask(http: httpx.AsyncClient, email: str = NEW, **proof: Any) -> httpx.Response:
    return await http.post("/api/auth/email/change", json={"email": email} | (proof or {"password": PASSWORD}))


async def token_for(sql: Sql, email: str = NEW) -> str:
    return (await email_tokens(sql, CONFIRM, email))[-1]


async def confirm(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/api/auth/email/change/confirm", json={"token": token})


async def subjects(sql: Sql, recipient: str) -> list[str]:
    found = await sql.fetch("SELECT subject FROM deliveries WHERE recipient = $1 ORDER BY id", recipient)
    return [row["subject"] for row in found]


async def test_the_address_changes_once_it_is_confirmed(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    asked = await ask(ada.http, " Ada@Example.ORG ")
    before = await sql.fetchrow("SELECT email, email_verified_at FROM users")
    confirmed = await confirm(client, await token_for(sql))

    assert (asked.status_code, confirmed.status_code, confirmed.content) == (202, 204, b"")
    assert (before["email"], before["email_verified_at"]) == (ada.email, None)
    assert await sql.fetchval("SELECT email_verified_at IS NOT NULL FROM users WHERE email = $1", NEW)
    assert (await login(client, ada.email)).status_code == 401
    assert (await login(client, NEW)).status_code == 200


async def test_both_addresses_are_mailed(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    await sql.execute("DELETE FROM deliveries")
    await ask(ada.http)
    notice = await sql.fetchval("SELECT payload->>'text' FROM deliveries WHERE recipient = $1", ada.email)
    await confirm(client, await token_for(sql))

    assert await subjects(sql, NEW) == [CONFIRM]
    assert await subjects(sql, ada.email) == [
        "Your e-mail address is about to change", "Your e-mail address was changed",
    ]  # fmt: skip
    assert NEW in notice
    assert "#" not in notice


async def test_nobody_learns_whether_the_new_address_is_taken(ada: Person, bob: Person, sql: Sql) -> None:
    await sql.execute("DELETE FROM deliveries")

    free, taken = await ask(ada.http), await ask(ada.http, bob.email)

    assert (free.status_code, free.content) == (taken.status_code, taken.content)
    assert set(free.headers) == set(taken.headers)
    assert await subjects(sql, bob.email) == ["You already have an account"]
    assert len(await subjects(sql, ada.email)) == 2


async def test_it_needs_the_password(ada: Person, sql: Sql) -> None:
    await sql.execute("DELETE FROM deliveries")

    answers = [
        await ask(ada.http, password="not the password"),
        await ada.http.post("/api/auth/email/change", json={"email": NEW}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json()["code"] == "wrong-password"
    assert await sql.fetchval("SELECT count(*) FROM deliveries") == 0
    assert await sql.fetchval("SELECT count(*) FROM mail_tokens WHERE purpose = 'change'") == 0


async def test_a_password_alone_does_not_do_where_there_is_a_second_factor(
    app: Litestar, ada: Person, sql: Sql
) -> None:
    phone = await enrol(ada.http, sql)

    assert (await ask(ada.http)).status_code == 403
    assert (await ask(ada.http, password=PASSWORD, code=await phone.code())).status_code == 202


@pytest.mark.parametrize(
    "email", ["nobody", "a@b@example.com", "ada@example.com\nBcc: eve@example.com", " ADA@example.com "]
)
async def test_what_is_no_other_address_is_refused(ada: Person, email: str) -> None:
    answer = await ask(ada.http, email)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.email"]


async def test_every_bad_token_is_answered_alike(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    await ask(ada.http)
    replaced = await token_for(sql)
    await ask(ada.http, "ada@example.net")
    used = await token_for(sql, "ada@example.net")
    await confirm(client, used)
    await ask(ada.http)
    expired = await token_for(sql)
    await sql.execute("UPDATE mail_tokens SET expires_at = now() - interval '1 second'")

    answers = [await confirm(client, token) for token in ("guess", replaced, used, expired)]

    assert {answer.status_code for answer in answers} == {422}
    assert [sent(answer) for answer in answers] == [sent(answers[0])] * 4


async def test_a_token_serves_this_purpose_only(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    await ask(ada.http)
    token = await token_for(sql)

    others = [await reset(client, token), await client.post("/api/auth/email/verify", json={"token": token})]
    swapped = await confirm(client, await reset_token(client, sql))

    assert [answer.status_code for answer in [*others, swapped]] == [422, 422, 422]
    assert (await confirm(client, token)).status_code == 204


async def test_links_to_the_old_address_stop_working(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    await ask(ada.http)
    old = await reset_token(client, sql)
    verify = (await email_tokens(sql, "Please confirm your e-mail address"))[-1]

    await confirm(client, await token_for(sql))

    assert (await reset(client, old)).status_code == 422
    assert (await client.post("/api/auth/email/verify", json={"token": verify})).status_code == 422


async def test_only_the_session_that_asked_stays(
    app: Litestar, ada: Person, client: httpx.AsyncClient, sql: Sql
) -> None:
    here = Instance(app)
    own, other = [(await here.login(ada.email)).json()["access_token"] for _ in range(2)]
    await ask(here.client(own))

    await confirm(client, await token_for(sql))

    assert [await here.status(token) for token in (own, other)] == [200, 401]
    assert await sql.fetchval("SELECT revoked_for FROM sessions WHERE revoked_at IS NOT NULL") == "email"
    me = await here.client(own).get("/api/auth/me")
    assert me.json()["email"] == NEW


async def test_a_new_password_cancels_the_change(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    await ask(ada.http)

    body = {"current_password": PASSWORD, "new_password": "a wholly different phrase"}
    assert (await ada.http.post("/api/auth/password", json=body)).status_code == 204

    assert (await confirm(client, await token_for(sql))).status_code == 422


async def test_of_two_accounts_that_confirm_one_address_at_once_one_gets_it(
    ada: Person, bob: Person, client: httpx.AsyncClient, sql: Sql
) -> None:
    for person in (ada, bob):
        assert (await ask(person.http)).status_code == 202
    tokens = await email_tokens(sql, CONFIRM, NEW)

    answers = await asyncio.gather(*(confirm(client, token) for token in tokens))

    lost = next(answer for answer in answers if answer.status_code != 204)
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert lost.json()["code"] == "address-taken"
    assert await sql.fetchval("SELECT count(*) FROM users WHERE email = $1", NEW) == 1
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.change_email'") == 1


async def test_a_token_works_once_when_raced(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    await ask(ada.http)
    token = await token_for(sql)

    answers = await asyncio.gather(*(confirm(client, token) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 7


async def test_an_address_that_was_registered_meanwhile_stays_with_its_owner(
    ada: Person, client: httpx.AsyncClient, sql: Sql
) -> None:
    await ask(ada.http)
    await client.post("/api/auth/register", json={"email": NEW, "password": PASSWORD})

    answer = await confirm(client, await token_for(sql))

    assert (answer.status_code, answer.json()["code"]) == (409, "address-taken")
    assert (await login(client, ada.email)).status_code == 200


async def test_the_audit_log_has_both_steps_and_no_token(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    await ask(ada.http)
    token = await token_for(sql)
    await confirm(client, token)

    rows = await sql.fetch("SELECT * FROM audit_events WHERE action LIKE '%change_email' ORDER BY id")
    assert [row["action"] for row in rows] == ["accounts.ask_change_email", "accounts.change_email"]
    assert {row["actor_id"] for row in rows} == {ada.id}
    assert ada.email in rows[1]["before"]
    assert NEW in rows[1]["after"]
    assert token not in str(await sql.fetch("SELECT e::text FROM audit_events e"))


async def test_the_password_is_changed_by_whoever_has_a_new_address(
    app: Litestar, ada: Person, client: httpx.AsyncClient, sql: Sql
) -> None:
    await ask(ada.http)
    await confirm(client, await token_for(sql))

    body = {"current_password": PASSWORD, "new_password": "a wholly different phrase"}
    assert (await ada.http.post("/api/auth/password", json=body)).status_code == 204
    assert (await login(client, NEW, "a wholly different phrase")).status_code == 200
