"""Whose token it is, what it may do and until when; and which scopes there are."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from conftest import serving, settings_for
from support.factories import PASSWORD, Person, World
from support.issuer import FakeIssuer

from todo.actions import PERMISSIONS
from todo.app import create_app
from todo.domain.accounts.rules import GRANTS, MEMBER, SUPERUSER
from todo.permission_texts import text_of

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def ask(client: httpx.AsyncClient, token: str, path: str = "/api/auth/token") -> Any:
    answer = await client.get(path, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def personal(person: Person, *scopes: str) -> dict[str, Any]:
    made: dict[str, Any] = (
        await person.http.post("/api/auth/tokens", json={"name": "Script", "scopes": scopes})
    ).json()
    return made


async def test_a_session_says_whose_it_is_and_until_when(ada: Person, client: httpx.AsyncClient) -> None:
    tokens = (await client.post("/api/auth/login", json={"email": ada.email, "password": PASSWORD})).json()
    before = datetime.now(UTC)

    found = await ask(client, tokens["access_token"])

    sessions = (await ada.http.get("/api/auth/sessions")).json()
    left = datetime.fromisoformat(found.pop("expires_at")) - before
    assert timedelta(seconds=tokens["expires_in"] - 30) < left <= timedelta(seconds=tokens["expires_in"])
    assert found == {
        "kind": "session", "id": sessions[0]["id"], "user_id": str(ada.id), "name": "ada", "email": ada.email,
        "scopes": None, "permissions": sorted(GRANTS[MEMBER]),
    }  # fmt: skip


async def test_a_token_with_task_scopes_alone_says_whose_it_is_but_no_address(
    ada: Person, client: httpx.AsyncClient
) -> None:
    made = await personal(ada, "tasks.view", "tasks.add")

    assert await ask(client, made["token"]) == {
        "kind": "personal_token", "id": made["id"], "user_id": str(ada.id), "name": "ada", "email": None,
        "scopes": ["tasks.add", "tasks.view"], "permissions": ["tasks.add", "tasks.view"],
        "expires_at": made["expires_at"],
    }  # fmt: skip


async def test_a_token_that_may_see_the_account_says_the_address(ada: Person, client: httpx.AsyncClient) -> None:
    assert (await ask(client, (await personal(ada, "accounts.me"))["token"]))["email"] == ada.email


async def test_scopes_the_owner_has_lost_are_no_permissions(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    token = (await personal(ada, "tasks.view"))["token"]
    await sql.execute("DELETE FROM user_roles WHERE user_id = $1", ada.id)

    found = await ask(client, token)

    assert (found["scopes"], found["permissions"]) == (["tasks.view"], [])


async def test_a_token_of_an_identity_provider_has_no_id_here(database_url: str, issuer: FakeIssuer, sql: Sql) -> None:
    settings = settings_for(database_url, issuers=[issuer.settings()])
    expires = int(datetime.now(UTC).timestamp()) + 600
    async with (
        serving(create_app(settings)) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        found = await ask(client, issuer.token(sub="1", exp=expires))

    assert (found["kind"], found["id"], found["scopes"]) == ("identity_provider", None, None)
    assert datetime.fromisoformat(found["expires_at"]) == datetime.fromtimestamp(expires, UTC)


async def test_nobody_without_a_credential_is_told_anything(client: httpx.AsyncClient) -> None:
    for path in ("/api/auth/token", "/api/auth/scopes"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-required")


async def test_a_token_may_have_every_scope_that_is_listed_and_no_other(world: World) -> None:
    root = await world.person("root", SUPERUSER)
    listed = {item["name"] for item in await items(root.http)}

    for scope in sorted(PERMISSIONS):
        answer = await root.http.post("/api/auth/tokens", json={"name": "Script", "scopes": [scope]})
        assert (answer.status_code == 201) is (scope in listed), scope
        if answer.status_code == 201:  # there can be 50
            await root.http.delete(f"/api/auth/tokens/{answer.json()['id']}")


async def test_a_token_hears_of_the_scopes_of_its_owner(ada: Person, client: httpx.AsyncClient) -> None:
    token = (await personal(ada, "tasks.view"))["token"]
    client.headers["authorization"] = f"Bearer {token}"

    found = await items(client)

    own = {name for name in GRANTS[MEMBER] if not name.startswith("accounts.")} | {"accounts.me"}
    assert [item["name"] for item in found] == sorted(own)
    assert {"name": "tasks.view", "description": "View tasks."} in found


async def items(http: httpx.AsyncClient) -> list[dict[str, str]]:
    answer = (await http.get("/api/auth/scopes")).json()
    assert answer.keys() == {"items", "next_cursor"}
    found: list[dict[str, str]] = answer["items"]
    return found


@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
def test_what_a_permission_allows_is_a_sentence(permission: Any) -> None:
    text = text_of(permission)

    assert text[0].isupper()
    assert text.endswith(".")
    assert "_" not in text
