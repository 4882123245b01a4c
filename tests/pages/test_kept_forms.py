"""A session that ends with a form open: nothing that was entered is lost, and nothing is sent by itself."""

import base64
import secrets
import zlib
from time import time
from typing import Any

import httpx
import pyotp
import pytest
from support.factories import PASSWORD, Person, World
from support.pages import Visitor, form_of, heading_of

from todo.admin.pages import large_forms
from todo.admin.pages.kept_forms import KeptForm, decode_kept, encode_kept
from todo.admin.pages.large_forms import LargeForms
from todo.settings import SecretKey

HERE = {"Origin": "http://test"}
NEW = {"title": "Water the plants", "notes": "Two\nlines.", "priority": "3"}


async def send(visitor: Visitor, path: str, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    """Send a form as a browser does, with its origin."""
    return await visitor.http.post(path, data={"form_token": visitor.token, **fields}, headers=headers or HERE)


def token_of(page: httpx.Response) -> str:
    return page.text.split('name="form_token" value="')[1].split('"')[0]


async def sign_in(visitor: Visitor, page: httpx.Response, email: str) -> httpx.Response:
    """Fill in the sign-in page as it is."""
    fields = form_of(page, "/admin/login") | {"email": [email], "password": [PASSWORD]}
    return await visitor.http.post("/admin/login", data={"form_token": token_of(page), **fields}, headers=HERE)


async def titles(boss: Person) -> list[str]:
    return [task["title"] for task in (await boss.http.get("/api/tasks")).json()["items"]]


@pytest.fixture(params=["no cookie", "ended"])
async def signed_out(visitor: Visitor, sql: Any, request: pytest.FixtureRequest) -> Visitor:
    """A visitor whose session ended while a form was open."""
    if request.param == "no cookie":
        visitor.http.cookies.clear()
    else:
        await sql.execute("UPDATE sessions SET revoked_at = now()")
    return visitor


async def test_a_form_is_kept_through_the_sign_in_and_sent_by_its_user(signed_out: Visitor, boss: Person) -> None:
    page = await send(signed_out, "/admin/tasks/add", **NEW)
    assert (page.status_code, heading_of(page)) == (401, "Sign in")
    again = await sign_in(signed_out, page, boss.email)

    assert (again.status_code, heading_of(again)) == (200, "Continue where you left off")
    assert await titles(boss) == []
    kept = form_of(again, "/admin/tasks/add")
    assert kept == {name: [value] for name, value in NEW.items()}
    sent = await signed_out.http.post("/admin/tasks/add", data={"form_token": token_of(again), **kept}, headers=HERE)
    assert sent.status_code == 303
    assert await titles(boss) == ["Water the plants"]


async def test_a_wrong_password_loses_nothing(signed_out: Visitor, boss: Person) -> None:
    page = await send(signed_out, "/admin/tasks/add", **NEW)
    fields = form_of(page, "/admin/login") | {"email": [boss.email], "password": ["wrong password"]}

    refused = await signed_out.http.post("/admin/login", data={"form_token": token_of(page), **fields}, headers=HERE)

    assert form_of(refused, "/admin/login")["kept"] == fields["kept"]
    again = await sign_in(signed_out, refused, boss.email)
    assert form_of(again, "/admin/tasks/add")["title"] == ["Water the plants"]


async def test_a_second_factor_keeps_the_form(visitor: Visitor, boss: Person) -> None:
    secret = (await boss.http.post("/api/auth/mfa/totp", json={"password": PASSWORD})).json()["secret"]
    confirmed = await boss.http.post("/api/auth/mfa/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
    visitor.http.cookies.clear()
    code = await sign_in(visitor, await send(visitor, "/admin/tasks/add", **NEW), boss.email)
    fields = form_of(code, "/admin/login/code") | {"code": [confirmed.json()["recovery_codes"][0]]}

    again = await visitor.http.post("/admin/login/code", data={"form_token": token_of(code), **fields}, headers=HERE)

    assert form_of(again, "/admin/tasks/add")["notes"] == ["Two\nlines."]


async def test_an_edit_that_is_sent_again_still_notices_what_others_saved(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("Water")
    path = f"/admin/tasks/{task['id']}"
    mine = form_of(await visitor.get(path), path) | {"title": ["Mine"]}
    visitor.http.cookies.clear()
    again = await sign_in(visitor, await send(visitor, path, **mine), boss.email)
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Theirs"})

    kept = form_of(again, path)
    sent = await visitor.http.post(path, data={"form_token": token_of(again), **kept}, headers=HERE)

    assert (sent.status_code, heading_of(sent)) == (409, "Edit conflict")
    assert await titles(boss) == ["Theirs"]


async def test_a_form_of_an_earlier_session_is_confirmed_and_not_lost(visitor: Visitor, boss: Person) -> None:
    page = await send(visitor, "/admin/tasks/add", form_token="0" * 64, **NEW)

    assert (page.status_code, heading_of(page)) == (403, "Continue where you left off")
    assert await titles(boss) == []
    kept = form_of(page, "/admin/tasks/add")
    sent = await visitor.http.post("/admin/tasks/add", data={"form_token": token_of(page), **kept}, headers=HERE)
    assert sent.status_code == 303


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {**HERE, "Sec-Fetch-Site": "cross-site"}])
async def test_a_form_of_another_site_is_not_kept(visitor: Visitor, headers: dict[str, str]) -> None:
    outdated = await visitor.http.post("/admin/tasks/add", data={"form_token": "0" * 64, **NEW}, headers=headers)
    visitor.http.cookies.clear()
    ended = await visitor.http.post("/admin/tasks/add", data=NEW, headers=headers)

    assert (outdated.status_code, heading_of(outdated)) == (403, "Access denied")
    assert (ended.status_code, form_of(ended, "/admin/login")["kept"]) == (401, [""])


@pytest.mark.parametrize("path", ["https://evil.example", "/admin/login", "//evil.example/admin", "/api/tasks"])
async def test_only_forms_of_the_admin_are_offered_again(client: httpx.AsyncClient, boss: Person, path: str) -> None:
    page = await client.get("/admin/login")
    fields = {"email": boss.email, "password": PASSWORD, "form_token": token_of(page), "next": "/admin/tasks"}

    kept = await encode_kept(KeptForm(path, []))
    answer = await client.post("/admin/login", data=fields | {"kept": kept})

    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/tasks")


async def test_passwords_are_not_kept(visitor: Visitor, world: World) -> None:
    visitor.http.cookies.clear()

    page = await send(visitor, "/admin/account/second-factor", password="My password", reauthentication_code="123456")

    assert "My password" not in page.text and "123456" not in page.text


async def test_a_file_that_cannot_be_kept_leads_back_to_its_page(visitor: Visitor) -> None:
    visitor.http.cookies.clear()
    headers = {**HERE, "Referer": "http://test/admin/tasks/import"}

    page = await visitor.http.post("/admin/tasks/import", files={"file": b"title\nA"}, headers=headers)

    assert (page.status_code, form_of(page, "/admin/login")["next"]) == (401, ["/admin/tasks/import"])


@pytest.mark.parametrize("path", ["/admin/users/named/owner_id", "/admin/palette", "/admin/tasks"])
async def test_without_a_session_only_what_navigates_leads_to_the_sign_in(signed_out: Visitor, path: str) -> None:
    part = await signed_out.http.get(path, headers={"HX-Request": "true"})
    page = await signed_out.http.get(path)

    assert (part.status_code, part.text, part.headers.get_list("set-cookie")) == (401, "", [])
    assert (page.status_code, page.headers["location"]) == (303, f"/admin/login?next={path}")


async def test_a_script_that_sends_a_form_without_a_session_gets_401_alone(signed_out: Visitor) -> None:
    answer = await send(signed_out, "/admin/tasks/add", {**HERE, "HX-Request": "true"}, **NEW)

    assert (answer.status_code, answer.text, answer.headers.get_list("set-cookie")) == (401, "", [])


LARGE = {"title": "Water the plants", "notes": 'é "\n' * 10_000}  # 130 KB as a form


async def test_a_large_form_is_kept_as_one_with_a_session_is_accepted(signed_out: Visitor, boss: Person) -> None:
    page = await send(signed_out, "/admin/tasks/add", **LARGE)
    assert (page.status_code, heading_of(page)) == (401, "Sign in")
    fields = form_of(page, "/admin/login") | {"email": [boss.email], "password": ["wrong password"]}
    refused = await signed_out.http.post("/admin/login", data={"form_token": token_of(page), **fields}, headers=HERE)
    again = await sign_in(signed_out, refused, boss.email)

    kept = form_of(again, "/admin/tasks/add")
    sent = await signed_out.http.post("/admin/tasks/add", data={"form_token": token_of(again), **kept}, headers=HERE)
    assert sent.status_code == 303
    assert (await boss.http.get("/api/tasks")).json()["items"][0]["notes"] == LARGE["notes"]


async def test_a_form_that_hardly_packs_goes_through_the_sign_in_too(signed_out: Visitor, boss: Person) -> None:
    notes = secrets.token_urlsafe(670_000)  # 893 KB; that it is too long for a note is said after the sign-in

    again = await sign_in(signed_out, await send(signed_out, "/admin/tasks/add", title="A", notes=notes), boss.email)

    assert form_of(again, "/admin/tasks/add")["notes"] == [notes]


@pytest.mark.parametrize("form_token", ["", "0" * 64, "0" * 104, "signature of another service", "old"])
async def test_of_strangers_no_more_is_read(visitor: Visitor, form_token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if form_token == "signature of another service":
        form_token = "0" * 64 + LargeForms(SecretKey("x" * 32), 1_000_000).signature()
    if form_token == "old":
        form_token = visitor.token
        monkeypatch.setattr(large_forms, "time", lambda: time() + 8 * 86400)
    visitor.http.cookies.clear()

    page = await send(visitor, "/admin/tasks/add", form_token=form_token, **LARGE)
    later = await visitor.http.post("/admin/tasks/add", data={**LARGE, "form_token": visitor.token}, headers=HERE)

    assert (page.status_code, later.status_code) == (413, 413)


async def test_a_page_to_sign_in_on_has_no_signature(client: httpx.AsyncClient, boss: Person) -> None:
    page = await client.post("/admin/tasks/add", data={"form_token": "0" * 64, **NEW}, headers=HERE)
    refused = await client.post("/admin/login", data={"form_token": token_of(page), "kept": "x" * 70_000}, headers=HERE)

    assert (page.status_code, len(token_of(page)), refused.status_code) == (401, 64, 413)


async def test_a_small_text_cannot_be_a_large_form() -> None:
    bomb = base64.urlsafe_b64encode(
        zlib.compress(b'{"path": "/admin/tasks", "fields": [["a", "' + b"a" * 10**8 + b'"]]}')
    )

    assert await decode_kept(bomb.decode()) is None
