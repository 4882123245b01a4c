"""Who gets in, what a form must bring along, and how the pages refuse."""

from typing import Any

import asyncpg
import httpx
import pytest
from pages.conftest import Entering
from support.factories import PASSWORD, Person, World
from support.pages import Visitor, heading_of, text_of

from todo.modules import REGISTRY

PAGES = ["", "/docs", "/search?q=x", "/palette?q=x", "/health", "/account", "/tasks", "/jobs", "/tasks/add"]


@pytest.mark.parametrize("page", PAGES)
async def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(client: httpx.AsyncClient, page: str) -> None:
    answer = await client.get(f"/admin{page}")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/admin/login?next=/admin")


async def test_a_member_does_not_enter(entering: Entering, world: World) -> None:
    visitor = await entering(await world.person("ada", "member"))

    page = await visitor.get("/admin")

    assert page.status_code == 403
    assert "Sign in as somebody else" in text_of(page) and "Go to dashboard" not in text_of(page)
    assert (await visitor.send("/admin/logout")).headers["location"].startswith("/admin/login")


async def test_a_token_for_the_api_opens_no_page(boss: Person) -> None:
    assert (await boss.http.get("/admin/users")).headers["location"].startswith("/admin/login")


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"form_token": "0" * 64}, {}),
        ({"form_token": "own"}, {"Sec-Fetch-Site": "cross-site"}),
        ({"form_token": "own"}, {"Sec-Fetch-Site": "same-site"}),
        ({"form_token": "own"}, {"Origin": "https://evil.example"}),
        ({"form_token": "own"}, {"Origin": "null"}),
    ],
)
async def test_a_form_without_its_token_changes_nothing(
    visitor: Visitor, boss: Person, fields: dict[str, str], headers: dict[str, str]
) -> None:
    task = await boss.add("As it was")
    token = {"form_token": visitor.token} if fields.get("form_token") == "own" else fields

    answer = await visitor.http.post(
        f"/admin/tasks/{task['id']}", data={"title": "Other", "_version": "1", **token}, headers=headers
    )

    assert answer.status_code == 403
    assert (await boss.http.get(f"/api/tasks/{task['id']}")).json()["title"] == "As it was"


async def test_the_cookie_is_for_this_host_and_no_script(client: httpx.AsyncClient, boss: Person) -> None:
    page = await client.get("/admin/login")
    token = page.text.split('name="form_token" value="')[1].split('"')[0]

    answer = await client.post(
        "/admin/login", data={"email": boss.email, "password": PASSWORD, "form_token": token, "next": "/admin/tasks"}
    )

    cookie = answer.headers["set-cookie"].lower()
    assert answer.headers["location"] == "/admin/tasks"
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie and "domain" not in cookie


@pytest.mark.parametrize(
    "next_page", ["https://evil.example", "//evil.example", "/admin/../x//y", "/api/tasks", "javascript:x"]
)
async def test_the_sign_in_leads_nowhere_else(visitor: Visitor, next_page: str) -> None:
    assert (await visitor.get("/admin/login", next=next_page)).headers["location"] == "/admin"


@pytest.mark.parametrize("page", PAGES)
async def test_pages_run_nothing_but_their_own_files(visitor: Visitor, page: str) -> None:
    answer = await visitor.get(f"/admin{page}")

    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
    assert " style=" not in answer.text and "<style" not in answer.text and " onclick" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [
        ("/admin/nothing", 404, "Page not found"),
        ("/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000", 404, "Page not found"),
        ("/admin/tasks/nonsense", 404, "Page not found"),
        ("/admin/a/b/c/d/e", 404, "Page not found"),
        ("/admin/tasks?nonsense=1", 422, "Tasks"),
        ("/admin/tasks?sort=nonsense", 422, "Tasks"),
        ("/admin/tasks?cursor=nonsense", 422, "Tasks"),
        ("/admin/logout", 405, "Method not allowed"),
    ],
)
async def test_refusals_are_pages(visitor: Visitor, path: str, status: int, heading: str) -> None:
    answer = await visitor.get(path)

    assert (answer.status_code, heading_of(answer)) == (status, heading)
    assert answer.headers["content-type"].startswith("text/html")


async def test_signed_out_elsewhere_is_signed_out_here(
    visitor: Visitor, boss: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await sql.execute("UPDATE sessions SET revoked_at = now()")

    assert (await visitor.get("/admin")).status_code == 303


@pytest.mark.parametrize("column", ["seen_at = now() - interval '31 minutes'", "expires_at = now()"])
async def test_a_session_ends(visitor: Visitor, sql: "asyncpg.Connection[asyncpg.Record]", column: str) -> None:
    await sql.execute(f"UPDATE sessions SET {column}")

    assert (await visitor.get("/admin")).status_code == 303


DANGEROUS = [(one.name, action.name) for one in REGISTRY for action in one.actions.values() if action.dangerous]


@pytest.mark.parametrize(("resource", "action"), DANGEROUS)
async def test_dangerous_actions_ask_for_reauthentication(
    visitor: Visitor, sql: "asyncpg.Connection[asyncpg.Record]", resource: str, action: str
) -> None:
    await sql.execute("UPDATE sessions SET reauthenticated_at = now() - interval '11 minutes'")
    fields: dict[str, Any] = {"action": action, "id": str(visitor.person.id), "confirmed": "1"}

    answer = await visitor.send(f"/admin/{resource}/act", **fields)

    assert (answer.status_code, heading_of(answer)) == (403, "Confirm your identity")
    assert f'name="action" value="{action}"' in answer.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/admin/roles/add", {"name": "evil", "permissions": "*"}),
        ("/admin/roles/{role}", {"permissions": "*", "_version": "1"}),
        ("/admin/roles/{role}/revert", {"event": "0190f5f0-7c1d-7000-8000-000000000000"}),
        ("/admin/roles/act", {"action": "change", "id": "{role}", "confirmed": "1", "permissions": "*"}),
        ("/admin/invitations/add", {"email": "mallory@example.com", "roles": "superuser"}),
    ],
)
async def test_giving_rights_asks_for_a_fresh_read_reauthentication(
    visitor: Visitor, sql: "asyncpg.Connection[asyncpg.Record]", path: str, fields: dict[str, Any]
) -> None:
    role = str(await sql.fetchval("SELECT id FROM roles WHERE name = 'support'"))
    await sql.execute("UPDATE sessions SET reauthenticated_at = now() - interval '11 minutes'")
    before = await sql.fetch("SELECT * FROM roles ORDER BY id")

    sent = {name: value.format(role=role) for name, value in fields.items()}
    answer = await visitor.send(path.format(role=role), **sent)

    assert (answer.status_code, heading_of(answer)) == (403, "Confirm your identity")
    assert await sql.fetch("SELECT * FROM roles ORDER BY id") == before
    assert await sql.fetchval("SELECT count(*) FROM invitations") == 0


async def test_rights_are_not_given_in_a_cell(visitor: Visitor, sql: "asyncpg.Connection[asyncpg.Record]") -> None:
    role = await sql.fetchval("SELECT id FROM roles WHERE name = 'support'")

    answer = await visitor.send(f"/admin/roles/{role}/cell/permissions", permissions="*", _version="1")

    assert answer.status_code == 403
    assert "*" not in await sql.fetchval("SELECT permissions FROM roles WHERE id = $1", role)


async def test_deleting_for_good_asks_for_a_fresh_read_reauthentication(
    visitor: Visitor, boss: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    task = await boss.add("Gone")
    await boss.http.delete(f"/api/tasks/{task['id']}")
    await sql.execute("UPDATE sessions SET reauthenticated_at = now() - interval '11 minutes'")

    answer = await visitor.send("/admin/tasks/act", action="delete", id=task["id"], confirmed="1", state="?trash=1")

    assert heading_of(answer) == "Confirm your identity"
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1


async def test_times_are_shown_in_the_time_zone_of_the_viewer(
    entering: Entering, world: World, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    tokyo = await world.person("tokyo", "superuser", timezone="Asia/Tokyo")
    await sql.execute("UPDATE users SET created_at = '2026-03-04 20:30+00'")
    visitor = await entering(tokyo)

    assert "2026-03-05 05:30 Asia/Tokyo (2026-03-04 20:30 UTC)" in (await visitor.get("/admin/users")).text
    assert "2026-03-05 05:30" in text_of(await visitor.get(f"/admin/users/{tokyo.id}"))
