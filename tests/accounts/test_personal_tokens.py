"""Personal access tokens: made by a person or for a service account, never more than their scopes or their owner."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from conftest import settings_for
from sqlalchemy.exc import IntegrityError
from support.factories import OPERATOR, Person, World, origin_for

from todo.access import ANYBODY, Actor
from todo.actions import PERMISSIONS
from todo.database import Database, Direct
from todo.domain.accounts.schemas.personal_tokens import TokenIn
from todo.domain.accounts.services.authentication import Authenticator
from todo.domain.accounts.services.personal_tokens import PersonalTokens, is_token, may_be_scope, new_token
from todo.domain.accounts.services.remembered import Known
from todo.domain.accounts.services.service_accounts import add_service_account, add_service_token
from todo.errors import Forbidden, Invalid, NotFound, Unauthorized

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
DATA = {"name": "Backup script", "scopes": ["tasks.view", "accounts.me"]}


@pytest.fixture
async def tokens(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PersonalTokens]:
    """What looks every token up anew."""
    monkeypatch.setattr(database, "settings", settings_for(database_url, actor_cache_seconds=0))
    tokens = PersonalTokens(database)
    yield tokens
    await tokens.close()


async def add(person: Person, **fields: Any) -> httpx.Response:
    return await person.http.post("/api/auth/tokens", json=DATA | fields)


async def made(person: Person, **fields: Any) -> dict[str, Any]:
    answer = await add(person, **fields)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(person: Person) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await person.http.get("/api/auth/tokens")).json()["items"]
    return items


async def actor_of(tokens: PersonalTokens, token: str) -> Actor:
    known = await tokens.known(token)
    assert isinstance(known, Known)
    return known.actor


async def test_a_token_acts_for_its_owner_within_its_scopes(ada: Person, tokens: PersonalTokens) -> None:
    token = (await made(ada))["token"]

    actor = await actor_of(tokens, token)

    assert (actor.id, actor.name, actor.kind, actor.timezone) == (ada.id, ada.email, "token", "Europe/Berlin")
    assert actor.may("tasks.view")
    assert not actor.may("tasks.add")
    assert [p for p in PERMISSIONS if actor.may(p)] == [p for p in PERMISSIONS if p in DATA["scopes"]]


async def test_the_authenticator_takes_tokens_of_either_kind(
    ada: Person, world: World, database: Database, tokens: PersonalTokens
) -> None:
    token = (await made(ada))["token"]
    authenticate = Authenticator(database, world.sign_in.keys, database.settings, tokens, world.sign_in.issuers)

    found = [await authenticate(one, origin_for(ANYBODY)) for one in (token, ada.token)]

    assert [(actor.id, actor.kind) for actor in found if isinstance(actor, Actor)] == [
        (ada.id, "token"),
        (ada.id, "user"),
    ]


async def test_a_token_is_shown_once(ada: Person, sql: Sql) -> None:
    token = await made(ada)

    shown = token.pop("token")
    assert await listed(ada) == [token]
    assert (token["last_four"], token["used_at"]) == (shown[-4:], None)
    stored = str(
        await sql.fetch("SELECT t::text FROM personal_tokens AS t UNION ALL SELECT e::text FROM audit_events AS e")
    )
    assert shown not in stored
    assert shown.removeprefix("todo_pat_")[:30] not in stored
    assert '"hash": "***"' in stored.replace('""', '"')


async def test_a_token_is_good_for_ninety_days_unless_said(ada: Person, sql: Sql) -> None:
    await made(ada)
    await made(ada, expires_in_days=366)

    days = "round(extract(epoch FROM expires_at - created_at) / 86400)"
    assert [row[0] for row in await sql.fetch(f"SELECT {days} FROM personal_tokens ORDER BY id")] == [90, 366]


@pytest.mark.parametrize(
    "scopes",
    [
        ["*"],
        ["tasks.*"],
        ["tasks"],
        ["tasks.fly"],
        ["tasks.view", "accounts.tokens"],
        ["accounts.second_factor"],
        ["accounts.passkeys"],
        ["accounts.password"],
        ["accounts.sessions"],
        [""],
        [],
        ["tasks.view\n"],
        ["tasks.view"] * 101,
        "tasks.view",
        None,
    ],
)
async def test_scopes_that_no_token_has_are_refused(world: World, sql: Sql, scopes: Any) -> None:
    root = await world.person("root", "superuser")

    answer = await add(root, scopes=scopes)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("body.scopes")
    assert await sql.fetchval("SELECT count(*) FROM personal_tokens") == 0


async def test_nobody_gives_a_token_what_they_do_not_have(world: World, sql: Sql) -> None:
    await sql.execute(
        "INSERT INTO roles (id, created_at, updated_at, version, name, permissions) "
        "VALUES (gen_random_uuid(), now(), now(), 1, 'reader', '{accounts.tokens,tasks.view}')"
    )
    try:
        eve = await world.person("eve", "reader")
        assert (await add(eve, scopes=["tasks.view"])).status_code == 201
        assert (await add(eve, scopes=["tasks.view", "tasks.add"])).status_code == 422
    finally:
        await sql.execute("DELETE FROM roles WHERE name = 'reader'")


@pytest.mark.parametrize(
    "change",
    [
        {"expires_in_days": 0},
        {"expires_in_days": 367},
        {"expires_in_days": None},
        {"expires_at": "2999-01-01T00:00:00Z"},
        {"user_id": "0190f5f0-7c1d-7000-8000-000000000000"},
        {"token": "todo_pat_mine"},
        {"name": ""},
        {"name": "a" * 101},
        {"name": "a\nb"},
    ],
)
async def test_other_bodies_are_refused(ada: Person, sql: Sql, change: dict[str, Any]) -> None:
    assert (await add(ada, **change)).status_code == 422
    assert await sql.fetchval("SELECT count(*) FROM personal_tokens") == 0


async def test_a_token_never_does_more_than_its_owner(ada: Person, tokens: PersonalTokens, sql: Sql) -> None:
    token = (await made(ada))["token"]
    await sql.execute("DELETE FROM user_roles WHERE user_id = $1", ada.id)

    assert not (await actor_of(tokens, token)).may("tasks.view")


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE personal_tokens SET expires_at = now() - interval '1 second'",
        "UPDATE personal_tokens SET revoked_at = now()",
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET status = 'leaving'",
        "DELETE FROM users",
    ],
)
async def test_a_token_that_ended_opens_nothing(ada: Person, tokens: PersonalTokens, sql: Sql, end: str) -> None:
    token = (await made(ada))["token"]
    await actor_of(tokens, token)

    await sql.execute(end)

    assert isinstance(await tokens.known(token), Unauthorized)


async def test_a_revoked_token_is_gone_and_its_revocation_in_the_audit_log(
    ada: Person, tokens: PersonalTokens, sql: Sql
) -> None:
    token = await made(ada)

    assert (await ada.http.delete(f"/api/auth/tokens/{token['id']}")).status_code == 204

    assert await listed(ada) == []
    assert isinstance(await tokens.known(token["token"]), Unauthorized)
    assert (await ada.http.delete(f"/api/auth/tokens/{token['id']}")).status_code == 404
    rows = await sql.fetch("SELECT action FROM audit_events WHERE subject = 'personal_tokens' ORDER BY id")
    assert [row["action"] for row in rows] == ["personal_tokens.add", "personal_tokens.revoke"]


async def test_somebody_elses_tokens_do_not_exist(ada: Person, bob: Person, tokens: PersonalTokens) -> None:
    token = await made(ada)

    assert await listed(bob) == []
    assert (await bob.http.delete(f"/api/auth/tokens/{token['id']}")).status_code == 404
    assert isinstance(await tokens.known(token["token"]), Known)


async def test_the_list_comes_in_pages(ada: Person) -> None:
    names = [(await made(ada, name=f"script {number}"))["name"] for number in range(3)]

    first = (await ada.http.get("/api/auth/tokens?limit=2&count=true")).json()
    rest = (await ada.http.get(f"/api/auth/tokens?limit=2&cursor={first['next_cursor']}")).json()

    assert [item["name"] for item in first["items"] + rest["items"]] == names[::-1]
    assert (first["total"], rest["next_cursor"]) == (3, None)


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every read of the database."""
    queries: list[Any] = []
    really = Direct._rows

    async def rows(self: Direct, *arguments: Any) -> Any:
        queries.append(arguments)
        return await really(self, *arguments)

    monkeypatch.setattr(Direct, "_rows", rows)
    return queries


@pytest.mark.parametrize(
    "garbage",
    ["", "todo_pat_", "todo_pat_" + "a" * 36, "todo_pat_" + "ü" * 36, "TODO_PAT_", "x" * 9000, "todo_rt_abc", "\x00"],
)
async def test_garbage_asks_no_database(tokens: PersonalTokens, sql: Sql, queries: list[Any], garbage: str) -> None:
    assert isinstance(await tokens.known(garbage), Unauthorized)
    assert queries == []


async def test_a_token_with_one_letter_changed_asks_no_database(
    tokens: PersonalTokens, sql: Sql, queries: list[Any]
) -> None:
    token = new_token()
    for at in range(9, len(token)):
        other = token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :]
        assert isinstance(await tokens.known(other), Unauthorized)

    assert queries == []


async def test_what_is_known_of_a_token_is_remembered(ada: Person, database: Database, queries: list[Any]) -> None:
    token = (await made(ada))["token"]
    tokens = PersonalTokens(database)
    queries.clear()

    found = [await tokens.known(token) for _ in range(20)]

    assert found == [found[0]] * 20
    assert len(queries) == 1
    await tokens.close()


async def test_use_is_noted_once_a_minute(ada: Person, tokens: PersonalTokens, database: Database, sql: Sql) -> None:
    token = (await made(ada))["token"]

    await asyncio.gather(*(tokens.known(token) for _ in range(5)))
    await tokens.close()

    first = (await listed(ada))[0]["used_at"]
    elsewhere = PersonalTokens(database)
    await elsewhere.known(token)
    await elsewhere.close()
    assert first is not None
    assert (await listed(ada))[0]["used_at"] == first
    assert await sql.fetchval("SELECT version FROM personal_tokens") == 1


async def test_use_is_noted_again_after_a_minute(ada: Person, tokens: PersonalTokens, sql: Sql) -> None:
    token = (await made(ada))["token"]
    await sql.execute("UPDATE personal_tokens SET used_at = now() - interval '2 minutes'")

    await tokens.known(token)
    await tokens.close()

    assert await sql.fetchval("SELECT used_at > now() - interval '1 minute' FROM personal_tokens")


async def test_a_use_that_cannot_be_noted_hinders_nobody(
    ada: Person, tokens: PersonalTokens, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = (await made(ada))["token"]
    monkeypatch.setattr(Direct, "write", lambda *_, **__: 1 / 0)

    await actor_of(tokens, token)
    await tokens.close()

    assert "could not be noted" in caplog.text
    assert token not in caplog.text


def test_tokens_look_as_scanners_expect() -> None:
    made = {new_token() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch(r"todo_pat_[0-9A-Za-z]{36}", token) and is_token(token) for token in made)


def test_nothing_of_the_account_but_seeing_it_may_be_a_scope() -> None:
    account = {permission for permission in PERMISSIONS if permission.startswith("accounts.")}

    assert len(account) > 3
    assert {permission for permission in account if may_be_scope(permission)} == {"accounts.me"}


async def test_a_service_account_acts_by_a_token(database: Database, tokens: PersonalTokens, sql: Sql) -> None:
    async with database.session(origin_for(OPERATOR)) as session:
        robot = await add_service_account(session, OPERATOR, "backup-robot", ["member"])
        token = await add_service_token(session, OPERATOR, robot.id, TokenIn(name="nightly", scopes=["tasks.view"]))

    actor = await actor_of(tokens, token.token)

    assert (actor.id, actor.may("tasks.view"), actor.may("tasks.add")) == (robot.id, True, False)
    assert await sql.fetchval("SELECT password_hash IS NULL AND kind = 'service' FROM users")
    actions = [row["action"] for row in await sql.fetch("SELECT action FROM audit_events ORDER BY id")]
    assert actions == ["users.add_service_account", "users.grant_role", "personal_tokens.add"]


async def test_nobody_makes_a_service_account_mightier_than_themselves(database: Database, sql: Sql) -> None:
    clerk = Actor(id=None, name="clerk", permissions=frozenset({"tasks.view"}))

    for roles in (["admin"], ["superuser"]):
        with pytest.raises(Forbidden):
            async with database.session(origin_for(OPERATOR)) as session:
                await add_service_account(session, clerk, "robot", roles)

    assert await sql.fetchval("SELECT count(*) FROM users") == 0


async def test_nobody_gives_a_service_account_a_scope_that_either_does_not_have(database: Database, sql: Sql) -> None:
    clerk = Actor(id=None, name="clerk", permissions=frozenset({"tasks.view"}))
    async with database.session(origin_for(OPERATOR)) as session:
        robot = await add_service_account(session, OPERATOR, "robot", ["member"])
        bare = await add_service_account(session, OPERATOR, "bare", [])

    for actor, owner in ((clerk, robot), (OPERATOR, bare)):
        with pytest.raises(Invalid):
            async with database.session(origin_for(OPERATOR)) as session:
                await add_service_token(session, actor, owner.id, TokenIn(name="a", scopes=["tasks.add"]))

    assert await sql.fetchval("SELECT count(*) FROM personal_tokens") == 0


async def test_no_operator_makes_tokens_of_people(database: Database, ada: Person) -> None:
    with pytest.raises(NotFound):
        async with database.session(origin_for(OPERATOR)) as session:
            await add_service_token(session, OPERATOR, ada.id, TokenIn(name="a", scopes=["tasks.view"]))


@pytest.mark.parametrize("name", ["", "Robot", "a b", "-a", "a-", "a" * 64, "ä", "a\n", "a@b"])
async def test_other_names_of_service_accounts_are_refused(database: Database, sql: Sql, name: str) -> None:
    with pytest.raises(Invalid):
        async with database.session(origin_for(OPERATOR)) as session:
            await add_service_account(session, OPERATOR, name, [])


async def test_an_unknown_role_or_a_name_twice_is_refused(database: Database, sql: Sql) -> None:
    with pytest.raises(Invalid):
        async with database.session(origin_for(OPERATOR)) as session:
            await add_service_account(session, OPERATOR, "robot", ["member", "no such role"])
    with pytest.raises(IntegrityError):
        async with database.session(origin_for(OPERATOR)) as session:
            await add_service_account(session, OPERATOR, "robot", ["member"])
            await add_service_account(session, OPERATOR, "robot", ["member"])
