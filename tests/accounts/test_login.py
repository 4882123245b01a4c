"""Signing in, and who one is then."""

import asyncio
import re
import threading
from types import SimpleNamespace
from typing import TypeAlias

import asyncpg
import httpx
import pytest
from conftest import settings_for
from support.factories import PASSWORD, Person, World

from todo.domain.accounts.services.passwords import Passwords
from todo.errors import Unavailable

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def login(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/auth/login", json={"email": email, "password": password})


async def test_a_sign_in_answers_a_token_that_opens(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await login(client, ada.email)

    tokens = answer.json()
    me = await client.get("/api/auth/me", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert answer.status_code == 200
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    assert me.json()["id"] == str(ada.id)


@pytest.mark.parametrize("email", ["ADA@example.com", " ada@example.com "])
async def test_an_address_may_be_written_in_any_case(client: httpx.AsyncClient, ada: Person, email: str) -> None:
    assert (await login(client, email)).status_code == 200


async def test_every_failure_is_answered_alike(client: httpx.AsyncClient, world: World, ada: Person, sql: Sql) -> None:
    carl = await world.person("carl")
    dora = await world.person("dora")
    await sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", carl.id)
    await sql.execute("UPDATE users SET password_hash = NULL WHERE id = $1", dora.id)

    answers = [
        await login(client, ada.email, "not the right password"),
        await login(client, "nobody@example.com"),
        await login(client, "not an address"),
        await login(client, carl.email),
        await login(client, carl.email, "not the right password"),
        await login(client, dora.email),
        await login(client, ada.email, PASSWORD + " "),
        await login(client, ada.email, PASSWORD.upper()),
        await login(client, ada.email, "decoy"),
        await login(client, dora.email, "decoy"),
    ]

    bodies = [{k: v for k, v in answer.json().items() if k != "request_id"} for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert bodies == [bodies[0]] * len(bodies)
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="todo"'}


async def test_an_unknown_address_costs_as_much_work_as_a_known_one(
    client: httpx.AsyncClient, world: World, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    really = Passwords._matches

    def matches(self: Passwords, stored: str, password: str) -> bool:
        checked.append(stored.rpartition("$")[0].rpartition("$")[0])  # the parameters, without salt and hash
        return really(self, stored, password)

    monkeypatch.setattr(Passwords, "_matches", matches)

    await login(client, ada.email, "not the right password")
    await login(client, "nobody@example.com")

    assert len(checked) == 2
    assert checked[0] == checked[1]


async def test_me_is_who_signed_in(ada: Person) -> None:
    answer = await ada.http.get("/api/auth/me")

    me = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch(r'"1-[0-9a-f]{8}"', answer.headers["etag"])
    assert (me["id"], me["email"], me["roles"]) == (str(ada.id), ada.email, ["member"])
    assert me.keys() == {"id", "email", "name", "timezone", "roles", "version", "created_at", "updated_at"}


async def test_a_disabled_person_is_out_within_the_time_rights_are_remembered(ada: Person, sql: Sql) -> None:
    assert (await ada.http.get("/api/auth/me")).status_code == 200
    await sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", ada.id)

    await asyncio.sleep(0.25)

    answer = await ada.http.get("/api/auth/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="todo", error="invalid_token"'


async def test_a_right_taken_away_is_gone_within_that_time(ada: Person, sql: Sql) -> None:
    assert (await ada.http.get("/api/tasks")).status_code == 200
    await sql.execute("DELETE FROM user_roles WHERE user_id = $1", ada.id)

    await asyncio.sleep(0.25)

    assert (await ada.http.get("/api/tasks")).status_code == 403


async def test_somebody_deleted_is_out(ada: Person, sql: Sql) -> None:
    await sql.execute("DELETE FROM users WHERE id = $1", ada.id)

    await asyncio.sleep(0.25)

    assert (await ada.http.get("/api/tasks")).status_code == 401


async def test_a_superuser_may_do_everything(world: World) -> None:
    root = await world.person("root", "superuser")

    assert (await root.http.get("/api/tasks")).status_code == 200


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(settings_for(""))


async def test_more_hashing_than_may_wait_is_refused_at_once(passwords: Passwords) -> None:
    go_on = threading.Event()
    passwords._hasher = SimpleNamespace(hash=lambda _: go_on.wait(10))  # type: ignore[assignment]
    allowed = passwords._gate._semaphore._value
    waiting = [asyncio.create_task(passwords.hash(PASSWORD)) for _ in range(allowed)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable):
        await passwords.hash(PASSWORD)  # one that waited would be hashed in the end

    go_on.set()
    assert await asyncio.gather(*waiting) == [True] * allowed


async def test_hashing_leaves_the_event_loop_free(passwords: Passwords) -> None:
    go_on = threading.Event()
    passwords._hasher = SimpleNamespace(hash=lambda _: go_on.wait(10))  # type: ignore[assignment]
    hashing = asyncio.create_task(passwords.hash(PASSWORD))

    await asyncio.sleep(0.01)  # would not come back if the loop were blocked
    go_on.set()

    assert await hashing


async def test_a_hash_that_is_none_opens_nothing(passwords: Passwords) -> None:
    assert not await passwords.verify("plain text", "plain text")
    assert not await passwords.verify(None, "decoy")
