"""Who may come in: anybody, who is invited, nobody."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import pytest
from conftest import serving, settings_for
from support.factories import PASSWORD, Person, World

from todo.app import create_app

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Open: TypeAlias = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def root(world: World) -> Person:
    return await world.person("root", "superuser", "member")


@pytest.fixture
async def registering(database_url: str, sql: Sql) -> AsyncIterator[Open]:
    """A client of an instance with another `TODO_REGISTRATION`."""
    async with AsyncExitStack() as stack:

        async def open_one(mode: str) -> httpx.AsyncClient:
            app = await stack.enter_async_context(serving(create_app(settings_for(database_url, registration=mode))))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
            return await stack.enter_async_context(client)

        yield open_one


async def invite(person: Person, *roles: str, email: str = "eve@example.com") -> httpx.Response:
    return await person.http.post("/api/auth/invitations", json={"email": email, "roles": list(roles)})


async def token_of(sql: Sql, email: str = "eve@example.com") -> str:
    query = """SELECT payload->>'text' FROM deliveries WHERE subject = 'You are invited' AND recipient = $1
        ORDER BY id DESC LIMIT 1"""
    return re.findall(r"#(\S+)", await sql.fetchval(query, email))[0]


async def register(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/api/auth/register", json={"email": "eve@example.com", "password": PASSWORD} | fields)


async def roles_of(sql: Sql, email: str = "eve@example.com") -> list[str]:
    rows = await sql.fetch(
        "SELECT r.name FROM roles r JOIN user_roles ON role_id = r.id JOIN users u ON u.id = user_id"
        " WHERE u.email = $1 ORDER BY 1", email,
    )  # fmt: skip
    return [row["name"] for row in rows]


async def test_where_registration_is_closed_nobody_comes_in(registering: Open, root: Person, sql: Sql) -> None:
    await invite(root)
    client = await registering("closed")

    answers = [await register(client), await register(client, invitation=await token_of(sql))]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert await sql.fetchval("SELECT count(*) FROM users") == 1


async def test_where_registration_is_closed_nobody_is_invited(registering: Open, root: Person) -> None:
    client = await registering("closed")

    answer = await client.post(
        "/api/auth/invitations", json={"email": "eve@example.com"}, headers=dict(root.http.headers)
    )

    assert answer.status_code == 409


async def test_by_invitation_only_the_invited_comes_in(registering: Open, root: Person, sql: Sql) -> None:
    client = await registering("invitation")
    await invite(root, "auditor", "member")
    token = await token_of(sql)

    bad = [
        await register(client),
        await register(client, invitation="guess"),
        await register(client, email="mallory@example.com", invitation=token),
    ]
    good = await register(client, email="Eve@example.com", invitation=token)
    again = await register(client, invitation=token)

    assert [answer.status_code for answer in bad] == [403, 403, 403]
    assert (good.status_code, again.status_code) == (201, 403)
    assert await roles_of(sql) == ["auditor", "member"]
    assert await sql.fetchval("SELECT email_verified_at FROM users WHERE email = 'eve@example.com'") is not None


async def test_an_invitation_that_is_refused_as_a_registration_stays_good(
    registering: Open, root: Person, sql: Sql
) -> None:
    client = await registering("invitation")
    await invite(root)
    token = await token_of(sql)

    refused = await register(client, invitation=token, password="short")
    good = await register(client, invitation=token)

    assert (refused.status_code, good.status_code) == (422, 201)


async def test_an_invitation_is_good_for_one_however_many_try(registering: Open, root: Person, sql: Sql) -> None:
    client = await registering("invitation")
    await invite(root)
    token = await token_of(sql)

    answers = await asyncio.gather(*(register(client, invitation=token) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 7


async def test_an_invitation_ends_after_a_week_and_with_the_next_one(
    client: httpx.AsyncClient, root: Person, sql: Sql
) -> None:
    await invite(root)
    replaced = await token_of(sql)
    await invite(root)
    lasts = await sql.fetchval("SELECT expires_at - created_at FROM invitations")
    await sql.execute("UPDATE invitations SET expires_at = now()")

    answers = [await register(client, invitation=token) for token in (replaced, await token_of(sql))]

    assert lasts.total_seconds() == pytest.approx(7 * 86400, abs=1)
    assert [answer.status_code for answer in answers] == [403, 403]


async def test_nobody_gives_what_they_do_not_have(world: World, sql: Sql) -> None:
    admin = await world.person("admin", "admin")

    answers = [await invite(admin, *roles) for roles in (["superuser"], ["member", "superuser"], ["member"], [])]

    assert [answer.status_code for answer in answers] == [403, 403, 201, 201]
    assert await sql.fetchval("SELECT roles FROM invitations") == ["member"]


@pytest.mark.parametrize(
    "loss",
    ["UPDATE users SET status = 'disabled'", "DELETE FROM user_roles", "DELETE FROM users WHERE email LIKE 'root%'"],
)
async def test_who_has_lost_a_right_has_not_given_it(
    client: httpx.AsyncClient, root: Person, sql: Sql, loss: str
) -> None:
    await invite(root, "admin")
    await sql.execute(loss)

    answer = await register(client, invitation=await token_of(sql))

    assert answer.status_code == 403
    assert await roles_of(sql) == []


async def test_a_withdrawn_invitation_is_worth_nothing(client: httpx.AsyncClient, root: Person, sql: Sql) -> None:
    number = (await invite(root)).json()["id"]

    gone = [(await root.http.delete(f"/api/auth/invitations/{some}")).status_code for some in (number, number, uuid4())]
    answer = await register(client, invitation=await token_of(sql))

    assert gone == [204, 404, 404]
    assert answer.status_code == 403


async def test_invitations_are_listed_without_their_secret(root: Person, sql: Sql) -> None:
    for number in range(3):
        await invite(root, email=f"p{number}@example.com")

    first = (await root.http.get("/api/auth/invitations?limit=2&count=true")).json()
    rest = (await root.http.get(f"/api/auth/invitations?limit=2&cursor={first['next_cursor']}")).json()

    assert [item["email"] for item in first["items"] + rest["items"]] == [f"p{n}@example.com" for n in (2, 1, 0)]
    assert first["total"] == 3
    assert first["items"][0].keys() == {
        "id", "email", "roles", "invited_by", "created_at", "expires_at", "accepted_at",
    }  # fmt: skip


async def test_members_invite_nobody_and_see_no_invitation(ada: Person, root: Person) -> None:
    number = (await invite(root)).json()["id"]

    answers = [
        await invite(ada), await ada.http.get("/api/auth/invitations"),
        await ada.http.delete(f"/api/auth/invitations/{number}"),
    ]  # fmt: skip

    assert {answer.status_code for answer in answers} == {403}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "nobody"}, "body.email"),
        ({"email": "eve@example.com", "roles": ["king"]}, "body.roles"),
        ({"email": "eve@example.com", "roles": ["member"] * 21}, "body.roles"),
        ({"email": "eve@example.com", "id": 1}, "body.id"),
    ],
)
async def test_what_cannot_be_is_refused(root: Person, sql: Sql, body: dict[str, Any], field: str) -> None:
    answer = await root.http.post("/api/auth/invitations", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert await sql.fetchval("SELECT count(*) FROM invitations") == 0


async def test_every_step_is_in_the_audit_log_and_no_secret(client: httpx.AsyncClient, root: Person, sql: Sql) -> None:
    await invite(root)
    token = await token_of(sql)
    await register(client, invitation=token)
    await root.http.delete(f"/api/auth/invitations/{(await invite(root, email='a@example.com')).json()['id']}")

    rows = await sql.fetch("SELECT action FROM audit_events WHERE subject = 'invitations' ORDER BY id")
    events = str(await sql.fetch("SELECT e::text FROM audit_events e"))
    assert [row["action"] for row in rows] == [
        "invitations.add", "invitations.accept", "invitations.add", "invitations.delete",
    ]  # fmt: skip
    assert token not in events
