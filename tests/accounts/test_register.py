"""Opening an account."""

import asyncio
import unicodedata
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from support.factories import PASSWORD

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
EVE = {"email": "eve@example.com", "password": PASSWORD, "name": "Eve", "timezone": "Europe/Berlin"}


async def register(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/api/auth/register", json=EVE | fields)


def sent(answer: httpx.Response) -> tuple[int, bytes, set[str]]:
    return answer.status_code, answer.content, set(answer.headers)


async def test_who_registers_is_a_member_and_can_sign_in(client: httpx.AsyncClient, sql: Sql) -> None:
    answer = await register(client)

    login = await client.post("/api/auth/login", json={"email": EVE["email"], "password": PASSWORD})
    me = await client.get("/api/auth/me", headers={"authorization": f"Bearer {login.json()['access_token']}"})
    assert answer.status_code == 201
    assert me.json().items() >= {"email": "eve@example.com", "name": "Eve", "timezone": "Europe/Berlin"}.items()
    assert me.json()["roles"] == ["member"]


@pytest.mark.parametrize(
    "email", ["o'neil+todo@example.co.uk", "jürgen@müller.example", "用户@例え.jp", "हिन्दी@उदाहरण.भारत", "1@2.example"]
)
async def test_an_address_of_any_script_is_taken(client: httpx.AsyncClient, sql: Sql, email: str) -> None:
    assert (await register(client, email=email)).status_code == 201
    assert await sql.fetchval("SELECT email FROM users") == unicodedata.normalize("NFC", email)


async def test_nothing_says_that_an_address_has_an_account(client: httpx.AsyncClient, sql: Sql) -> None:
    first = await register(client)

    second = await register(client, password="quite another password", name="Mallory")

    assert sent(second) == sent(first)
    assert await sql.fetchval("SELECT count(*) FROM users") == 1


async def test_a_second_registration_changes_nothing(client: httpx.AsyncClient, sql: Sql) -> None:
    await register(client)
    before = await sql.fetch("SELECT * FROM users")

    await register(client, password="quite another password", name="Mallory", timezone="UTC")

    assert await sql.fetch("SELECT * FROM users") == before


@pytest.mark.parametrize(
    "email",
    ["EVE@Example.COM", " eve@example.com ", "\uff25ve@example.com", "eve@\uff45xample.com", "eve@example\u3002com"],
)
async def test_one_address_is_one_account_however_it_is_written(
    client: httpx.AsyncClient, sql: Sql, email: str
) -> None:
    await register(client)

    answer = await register(client, email=email)

    assert answer.status_code == 201
    assert await sql.fetch("SELECT email FROM users") == [("eve@example.com",)]


async def test_many_registrations_of_one_address_at_once_make_one_account(client: httpx.AsyncClient, sql: Sql) -> None:
    answers = await asyncio.gather(*(register(client) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert await sql.fetchval("SELECT count(*) FROM users") == 1
    assert await sql.fetchval("SELECT count(*) FROM user_roles") == 1


@pytest.mark.parametrize(
    "email",
    [
        "",
        "eve",
        "eve@",
        "@example.com",
        "eve@example",
        "eve@@example.com",
        "eve@exa mple.com",
        "eve@.com",
        "eve@example..com",
        "eve @example.com",
        "eve@example.com\nbcc: all@example.com",
        "eve\x00@example.com",
        "a" * 65 + "@example.com",
        "e@" + "a" * 251 + ".de",
        "eve@" + "a" * 64 + ".de",
        "victim@example.com,a.b",
        "victim@example.com(a.b)",
        "<victim@example.com>",
        '"eve"@example.com',
        "eve@example.com;b.de",
        "eve@-example.com",
        "eve@example-.com",
        "eve@[127.0.0.1]",
        "eve@127.0.0.1",
        "eve..eve@example.com",
        ".eve@example.com",
        "eve\u200b@example.com",
        "eve@exa\u200fmple.com",
        "eve\u202e@example.com",
        "eve@example.invalid",
        "eve\ufe6bexample@example.com",
    ],
)
async def test_what_is_no_address_is_refused(client: httpx.AsyncClient, sql: Sql, email: str) -> None:
    answer = await register(client, email=email)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.email"]
    assert await sql.fetchval("SELECT count(*) FROM users") == 0


@pytest.mark.parametrize(
    "password",
    ["", "fourteen chars", "a" * 15, "abcabcabcabcabc", "a" * 1025, "ü" * 513, "eve@example.com", "EVE@example.com"],
)
async def test_a_password_too_short_too_long_or_too_easy_is_refused(
    client: httpx.AsyncClient, sql: Sql, password: str
) -> None:
    answer = await register(client, password=password)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.password"]
    assert await sql.fetchval("SELECT count(*) FROM users") == 0


@pytest.mark.parametrize(
    "password", ["fifteen chars!!", "   spaces count   ", "пароль из слов ok", "abcd" * 256, "a\x00b is fine, too"]
)
async def test_any_other_password_is_taken_as_it_is(client: httpx.AsyncClient, sql: Sql, password: str) -> None:
    answer = await register(client, password=password)

    login = await client.post("/api/auth/login", json={"email": EVE["email"], "password": password})
    cut = await client.post("/api/auth/login", json={"email": EVE["email"], "password": password[:-1]})
    assert (answer.status_code, login.status_code, cut.status_code) == (201, 200, 401)


@pytest.mark.parametrize(("given", "typed"), [("NFD", "NFC"), ("NFC", "NFD")])
async def test_a_password_is_the_same_from_every_keyboard(
    client: httpx.AsyncClient, sql: Sql, given: Any, typed: Any
) -> None:
    password = "schöne Grüße aus Köln"
    await register(client, password=unicodedata.normalize(given, password))

    login = await client.post(
        "/api/auth/login", json={"email": EVE["email"], "password": unicodedata.normalize(typed, password)}
    )

    assert login.status_code == 200


@pytest.mark.parametrize("timezone", ["Europe/Atlantis", "CEST+1", "europe/berlin", "../../etc/passwd", "", "\x00"])
async def test_what_is_no_time_zone_is_refused(client: httpx.AsyncClient, sql: Sql, timezone: str) -> None:
    answer = await register(client, timezone=timezone)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.timezone"]


async def test_a_zone_without_a_place_is_refused(client: httpx.AsyncClient, sql: Sql) -> None:
    answer = await register(client, timezone="Factory")

    assert answer.status_code == 422


@pytest.mark.parametrize("field", ["status", "roles", "id", "password_hash", "is_superuser"])
async def test_nobody_chooses_rights_of_their_own(client: httpx.AsyncClient, sql: Sql, field: str) -> None:
    answer = await register(client, **{field: "superuser"})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


async def test_passwords_are_stored_as_argon2id(client: httpx.AsyncClient, sql: Sql) -> None:
    await register(client)

    stored = await sql.fetchval("SELECT password_hash FROM users")
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in str(await sql.fetch("SELECT u::text FROM users AS u"))
