"""Every route by everybody: who is let through to it, who is refused, and that a refusal changes nothing."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import jwt
import pytest
from conftest import SECRET_KEY, serving, settings_for
from litestar import Litestar
from litestar.routes import HTTPRoute
from support.admin_table import BASE, rest_routes
from support.factories import PASSWORD, Person, World
from support.issuer import FakeIssuer

from todo.access import signed_in, signed_in_recently
from todo.admin.declaration import ENTER
from todo.admin.rest.document import paths_of
from todo.admin.rest.routes import OF_RESOURCE
from todo.app import create_app
from todo.domain.accounts.rules import ADMIN, AUDITOR, ENROLLMENT_ONLY, GRANTS, MEMBER, SUPERUSER, SUPPORT
from todo.domain.accounts.services.keys import encrypt
from todo.http.document import shared
from todo.http.document.operations import permission_of
from todo.modules import REGISTRY

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
PUBLIC = None
ANY = "any"  # whatever credential is good

# Route -> the permission it asks for, and the answer to a harmless request of somebody who is let through: an id that
# is not theirs is not found, a body with an unknown field is refused. A new route needs a row here.
ROUTES: dict[str, tuple[str | None, int]] = {
    "GET /": (PUBLIC, 200),
    "GET /api": (PUBLIC, 200),
    "GET /health/live": (PUBLIC, 200),
    "GET /health/ready": (PUBLIC, 200),
    "GET /metrics": ("metrics.view", 200),
    "GET /openapi.json": (PUBLIC, 200),
    "GET /openapi-admin.json": (PUBLIC, 200),
    "GET /docs": (PUBLIC, 200),
    "GET /docs/{name}": (PUBLIC, 404),
    "GET /problems": (PUBLIC, 200),
    "GET /problems/{slug}": (PUBLIC, 404),
    "GET /account/{page}": (PUBLIC, 404),
    "GET /account/files/{name}": (PUBLIC, 404),
    "GET /unsubscribe/{token}": (PUBLIC, 404),
    "POST /unsubscribe/{token}": (PUBLIC, 404),
    "GET /.well-known/jwks.json": (PUBLIC, 200),
    "POST /api/auth/register": (PUBLIC, 422),
    "POST /api/auth/login": (PUBLIC, 422),
    "POST /api/auth/login/mfa": (PUBLIC, 422),
    "POST /api/auth/login/passkey": (PUBLIC, 422),
    "POST /api/auth/login/passkey/options": (PUBLIC, 200),
    "POST /api/auth/refresh": (PUBLIC, 422),
    "POST /api/auth/password/forgot": (PUBLIC, 422),
    "POST /api/auth/password/reset": (PUBLIC, 422),
    "POST /api/auth/email/verify": (PUBLIC, 422),
    "POST /api/auth/email/verify/again": (PUBLIC, 422),
    "POST /api/auth/email/change": ("accounts.change", 422),
    "POST /api/auth/email/change/confirm": (PUBLIC, 422),
    "GET /api/auth/me": ("accounts.me", 200),
    "PATCH /api/auth/me": ("accounts.change", 422),
    "DELETE /api/auth/me": ("accounts.leave", 422),
    "POST /api/auth/logout": ("accounts.sessions", 204),
    "POST /api/auth/password": ("accounts.password", 422),
    "POST /api/auth/reauthenticate": ("accounts.sessions", 422),
    "GET /api/auth/sessions": ("accounts.sessions", 200),
    "DELETE /api/auth/sessions/{session_id}": ("accounts.sessions", 404),
    "GET /api/auth/tokens": ("accounts.tokens", 200),
    "POST /api/auth/tokens": ("accounts.tokens", 422),
    "DELETE /api/auth/tokens/{token_id}": ("accounts.tokens", 404),
    "GET /api/auth/mfa": ("accounts.second_factor", 200),
    "POST /api/auth/mfa/totp": ("accounts.second_factor", 422),
    "POST /api/auth/mfa/totp/confirm": ("accounts.second_factor", 422),
    "DELETE /api/auth/mfa/totp": ("accounts.second_factor", 422),
    "POST /api/auth/mfa/recovery-codes": ("accounts.second_factor", 422),
    "GET /api/auth/passkeys": ("accounts.passkeys", 200),
    "POST /api/auth/passkeys": ("accounts.passkeys", 422),
    "POST /api/auth/passkeys/options": ("accounts.passkeys", 422),
    "DELETE /api/auth/passkeys/{passkey_id}": ("accounts.passkeys", 404),
    "GET /api/auth/invitations": ("invitations.view", 200),
    "POST /api/auth/invitations": ("invitations.add", 422),
    "DELETE /api/auth/invitations/{invitation_id}": ("invitations.delete", 404),
    "GET /api/auth/token": (ANY, 200),
    "GET /api/auth/scopes": (ANY, 200),
    "GET /api/tasks": ("tasks.view", 200),
    "POST /api/tasks": ("tasks.add", 422),
    "GET /api/tasks/{task_id}": ("tasks.view", 404),
    "PATCH /api/tasks/{task_id}": ("tasks.change", 422),
    "DELETE /api/tasks/{task_id}": ("tasks.delete", 404),
    "POST /api/tasks/{task_id}/complete": ("tasks.change", 404),
    "POST /api/tasks/{task_id}/reopen": ("tasks.change", 404),
    "POST /api/tasks/{task_id}/cancel": ("tasks.change", 404),
    "POST /api/tasks/{task_id}/skip": ("tasks.change", 404),
    "POST /api/tasks/{task_id}/move-after": ("tasks.change", 422),
    "POST /api/tasks/{task_id}/move": ("tasks.change", 422),
    "GET /api/filters/fields": ("tasks.view", 200),
    "GET /api/tasks/{task_id}/comments": ("comments.view", 404),
    "POST /api/tasks/{task_id}/comments": ("comments.add", 422),
    "GET /api/tasks/{task_id}/comments/{comment_id}": ("comments.view", 404),
    "PATCH /api/tasks/{task_id}/comments/{comment_id}": ("comments.change", 422),
    "DELETE /api/tasks/{task_id}/comments/{comment_id}": ("comments.delete", 404),
    "GET /api/tasks/{task_id}/private-note": ("tasks.view", 404),
    "PATCH /api/tasks/{task_id}/private-note": ("tasks.change", 422),
    "DELETE /api/tasks/{task_id}/private-note": ("tasks.change", 404),
    "GET /api/tasks/{task_id}/dependencies": ("tasks.view", 404),
    "POST /api/tasks/{task_id}/dependencies": ("tasks.change", 422),
    "DELETE /api/tasks/{task_id}/dependencies/{blocker_id}": ("tasks.change", 404),
    "GET /api/tasks/{task_id}/dependents": ("tasks.view", 404),
    "GET /api/labels": ("labels.view", 200),
    "POST /api/labels": ("labels.add", 422),
    "GET /api/labels/{label_id}": ("labels.view", 404),
    "PATCH /api/labels/{label_id}": ("labels.change", 422),
    "DELETE /api/labels/{label_id}": ("labels.delete", 404),
    "GET /api/views": ("views.view", 200),
    "POST /api/views": ("views.add", 422),
    "GET /api/views/{view_id}": ("views.view", 404),
    "PATCH /api/views/{view_id}": ("views.change", 422),
    "DELETE /api/views/{view_id}": ("views.delete", 404),
    "GET /api/projects": ("projects.view", 200),
    "POST /api/projects": ("projects.add", 422),
    "GET /api/projects/{project_id}": ("projects.view", 404),
    "PATCH /api/projects/{project_id}": ("projects.change", 422),
    "DELETE /api/projects/{project_id}": ("projects.delete", 404),
    "GET /api/projects/{project_id}/members": ("projects.view", 404),
    "PATCH /api/projects/{project_id}/members/{user_id}": ("projects.share", 422),
    "DELETE /api/projects/{project_id}/members/{user_id}": ("projects.share", 404),
    "GET /api/projects/{project_id}/sections": ("projects.view", 404),
    "POST /api/projects/{project_id}/sections": ("projects.change", 422),
    "GET /api/projects/{project_id}/sections/{section_id}": ("projects.view", 404),
    "PATCH /api/projects/{project_id}/sections/{section_id}": ("projects.change", 422),
    "DELETE /api/projects/{project_id}/sections/{section_id}": ("projects.change", 404),
    "POST /api/projects/{project_id}/transfer": ("projects.share", 422),
    "GET /api/projects/{project_id}/invitations": ("projects.share", 404),
    "POST /api/projects/{project_id}/invitations": ("projects.share", 422),
    "DELETE /api/projects/{project_id}/invitations/{invitation_id}": ("projects.share", 404),
    "GET /api/projects/{project_id}/links": ("projects.share", 404),
    "POST /api/projects/{project_id}/links": ("projects.share", 422),
    "DELETE /api/projects/{project_id}/links/{link_id}": ("projects.share", 404),
    "GET /api/project-invitations": ("projects.view", 200),
    "POST /api/project-invitations/{invitation_id}/accept": ("projects.share", 404),
    "POST /api/project-invitations/{invitation_id}/decline": ("projects.share", 404),
    "GET /api/shared/{secret}": (PUBLIC, 404),
    "GET /api/shared/{secret}/calendar.ics": (PUBLIC, 404),
    "POST /api/recurrences/preview": ("series.view", 422),
    "POST /api/recurrences/holidays": ("series.view", 422),
    "GET /api/series": ("series.view", 200),
    "GET /api/series/{series_id}": ("series.view", 404),
    "PATCH /api/series/{series_id}": ("series.change", 422),
    "GET /api/series/{series_id}/occurrences": ("series.view", 404),
    "POST /api/series/{series_id}/pause": ("series.change", 422),
    "POST /api/series/{series_id}/resume": ("series.change", 404),
    "POST /api/series/{series_id}/end": ("series.change", 422),
    "POST /api/series/{series_id}/skip-missed": ("series.change", 404),
    "POST /api/series/skip-missed": ("series.change", 200),
    "GET /api/trash": ("tasks.view", 200),
    "POST /api/trash/{task_id}/restore": ("tasks.delete", 404),
    "DELETE /api/trash": ("tasks.delete", 200),
    "DELETE /api/trash/{task_id}": ("tasks.delete", 404),
    "GET /api/me/usage": ("accounts.me", 200),
    "GET /api/tasks/{task_id}/reminders": ("reminders.view", 404),
    "POST /api/tasks/{task_id}/reminders": ("reminders.add", 422),
    "GET /api/reminders": ("reminders.view", 200),
    "PATCH /api/reminders/{reminder_id}": ("reminders.change", 422),
    "DELETE /api/reminders/{reminder_id}": ("reminders.delete", 404),
    "POST /api/reminders/{reminder_id}/snooze": ("reminders.change", 422),
    "GET /api/notifications": ("notifications.view", 200),
    "GET /api/notifications/unread": ("notifications.view", 200),
    "POST /api/notifications/{notification_id}/read": ("notifications.change", 404),
    "POST /api/notifications/read": ("notifications.change", 200),
    "GET /api/me/notifications": ("notifications.view", 200),
    "PATCH /api/me/notifications": ("notifications.change", 422),
    "GET /api/me/vacation": ("accounts.me", 200),
    "POST /api/me/vacation": ("accounts.change", 422),
    "DELETE /api/me/vacation": ("accounts.change", 409),
}
# Of the admin, told by its declarations; a parameter that nobody knows is refused, once one is let through.
ROUTES |= {route: (permission, 422) for route, permission in rest_routes(REGISTRY).items()}
# What asks for a sign-in within the last ten minutes: these routes, and every one of the admin with such a permission.
RECENT = {"POST /api/auth/tokens", "DELETE /api/auth/passkeys/{passkey_id}", "POST /api/auth/invitations"}
RECENT_PERMISSIONS = {
    "users.grant_role", "users.take_role", "users.disable", "users.reset_second_factor", "users.add_service_account",
    "roles.add", "roles.change", "roles.delete", "invitations.add", "identities.delete", "personal_tokens.revoke",
    "passkeys.revoke", "signing_keys.rotate", "signing_keys.rewrap", "signing_keys.revoke", "series.end", "jobs.abort",
    "projects.transfer",
}  # fmt: skip
RECENT |= {route for route, (permission, _) in ROUTES.items() if BASE in route and permission in RECENT_PERMISSIONS}
EVERY = frozenset(permission for permission, _ in ROUTES.values() if permission not in {PUBLIC, ANY})
OF_ROLE = {role: EVERY if role == SUPERUSER else held & EVERY for role, held in GRANTS.items()}

# Somebody: the credential they send, or None. What they may do; None when they are refused as unknown.
Somebody: TypeAlias = tuple[str | None, frozenset[str] | None]
UNKNOWN = None


class Stage:
    """Where somebody comes from: an instance, its people, an identity provider it trusts."""

    def __init__(self, app: Litestar, sql: Sql, issuer: FakeIssuer):
        self.world, self.sql, self.issuer = World(app), sql, issuer
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    async def signed_in(self, person: Person) -> dict[str, Any]:
        answer = await self.client.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def personal(self, person: Person, *scopes: str) -> str:
        answer = await person.http.post("/api/auth/tokens", json={"name": "Script", "scopes": scopes})
        await self.sql.execute("UPDATE personal_tokens SET used_at = now()")  # so that no use is noted meanwhile
        token: str = answer.json()["token"]
        return token

    def forged(self, person: Person, key: Any = None, **claims: Any) -> str:
        """Their token with other claims, signed with our own key or another one."""
        kid, ours = self.world.sign_in.keys._active or ("", None)
        payload = jwt.decode(person.token, options={"verify_signature": False}) | claims
        return jwt.encode(payload, key or ours, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": kid})


async def nobody(stage: Stage) -> Somebody:
    return None, UNKNOWN


async def a_password_in_place_of_a_token(stage: Stage) -> Somebody:
    return PASSWORD, UNKNOWN


async def another_member(stage: Stage) -> Somebody:
    return (await stage.world.person("bob")).token, OF_ROLE[MEMBER]


async def a_member_who_signed_in(stage: Stage) -> Somebody:
    tokens = await stage.signed_in(await stage.world.person("bob"))
    return tokens["access_token"], OF_ROLE[MEMBER]


async def a_token_that_reads(stage: Stage) -> Somebody:
    return await stage.personal(await stage.world.person("bob"), "tasks.view"), frozenset({"tasks.view"})


async def a_token_that_sees_whose_it_is(stage: Stage) -> Somebody:
    return await stage.personal(await stage.world.person("bob"), "accounts.me"), frozenset({"accounts.me"})


async def a_token_of_a_superuser(stage: Stage) -> Somebody:
    root = await stage.world.person("root", SUPERUSER)
    return await stage.personal(root, "tasks.add", "invitations.view"), frozenset({"tasks.add", "invitations.view"})


async def an_expired_personal_token(stage: Stage) -> Somebody:
    token = await stage.personal(await stage.world.person("bob"), "tasks.view")
    await stage.sql.execute("UPDATE personal_tokens SET expires_at = now() - interval '1 second'")
    return token, UNKNOWN


async def a_token_of_somebody_disabled(stage: Stage) -> Somebody:
    bob = await stage.world.person("bob")
    token = await stage.personal(bob, "tasks.view")
    await disable(stage, bob)
    return token, UNKNOWN


async def somebody_disabled(stage: Stage) -> Somebody:
    carl = await stage.world.person("carl", SUPERUSER)
    await disable(stage, carl)
    return carl.token, UNKNOWN


async def disable(stage: Stage, person: Person) -> None:
    await stage.sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", person.id)


async def somebody_leaving(stage: Stage) -> Somebody:
    dora = await stage.world.person("dora")
    await stage.sql.execute("UPDATE users SET status = 'leaving' WHERE id = $1", dora.id)
    return dora.token, UNKNOWN


async def an_expired_token(stage: Stage) -> Somebody:
    return stage.forged(await stage.world.person("bob"), exp=int(time.time()) - 1), UNKNOWN


async def a_token_signed_by_somebody_else(stage: Stage) -> Somebody:
    stranger = FakeIssuer()
    stranger.rotate()
    return stage.forged(await stage.world.person("bob"), stranger.keys[stranger.kid][0]), UNKNOWN


async def an_ended_session(stage: Stage) -> Somebody:
    tokens = await stage.signed_in(await stage.world.person("bob"))
    await stage.sql.execute("UPDATE sessions SET revoked_at = now(), revoked_for = 'logout'")
    return tokens["access_token"], UNKNOWN


async def a_refresh_token(stage: Stage) -> Somebody:
    return (await stage.signed_in(await stage.world.person("bob")))["refresh_token"], UNKNOWN


async def somebody_half_signed_in(stage: Stage) -> Somebody:
    bob = await stage.world.person("bob")
    await stage.sql.execute(
        "INSERT INTO totp (user_id, secret, confirmed_at, last_step) VALUES ($1, $2, now(), 0)",
        bob.id,
        encrypt(b"JBSWY3DPEHPK3PXP", SECRET_KEY, f"authenticator app of {bob.id}"),
    )
    return (await stage.signed_in(bob))["mfa_token"], UNKNOWN


async def somebody_from_an_outside_issuer(stage: Stage) -> Somebody:
    token = stage.issuer.token(sub="1", role="superuser", scope="*", permissions=["*"])
    await stage.client.get("/api/auth/me", headers={"authorization": f"Bearer {token}"})  # opens the account
    return token, OF_ROLE[MEMBER]


async def somebody_from_an_outside_issuer_just_now(stage: Stage) -> Somebody:
    token = stage.issuer.token(sub="1", auth_time=int(time.time()))
    await stage.client.get("/api/auth/me", headers={"authorization": f"Bearer {token}"})
    return token, OF_ROLE[MEMBER]


async def a_superuser_who_signed_in_long_ago(stage: Stage) -> Somebody:
    first = await stage.signed_in(await stage.world.person("root", SUPERUSER))
    await stage.sql.execute("UPDATE sessions SET reauthenticated_at = now() - interval '601 seconds'")
    body = {"refresh_token": first["refresh_token"]}
    return (await stage.client.post("/api/auth/refresh", json=body)).json()["access_token"], EVERY


async def somebody_disabled_from_an_outside_issuer(stage: Stage) -> Somebody:
    token, _ = await somebody_from_an_outside_issuer(stage)
    await stage.sql.execute("UPDATE users SET status = 'disabled' WHERE password_hash IS NULL")
    await asyncio.sleep(0.25)  # a little more than the tests' actor_cache_seconds
    return token, UNKNOWN


async def an_expired_token_of_an_outside_issuer(stage: Stage) -> Somebody:
    return stage.issuer.token(iat=1000, exp=1900), UNKNOWN


async def somebody_without_roles(stage: Stage) -> Somebody:
    return (await stage.world.person("eve", "no such role")).token, frozenset()


def in_role(role: str) -> Callable[[Stage], Awaitable[Somebody]]:
    async def somebody(stage: Stage) -> Somebody:
        return (await stage.world.person("frank", role)).token, OF_ROLE[role]

    somebody.__name__ = role
    return somebody


async def staff_without_the_second_factor(stage: Stage) -> Somebody:
    tokens = await stage.signed_in(await stage.world.person("grace", ADMIN, MEMBER))
    return tokens["access_token"], ENROLLMENT_ONLY


async def a_superuser_without_the_second_factor(stage: Stage) -> Somebody:
    tokens = await stage.signed_in(await stage.world.person("root", SUPERUSER))
    return tokens["access_token"], ENROLLMENT_ONLY


async def staff_with_the_second_factor(stage: Stage) -> Somebody:
    tokens = await stage.signed_in(await stage.world.person("grace", ADMIN, MEMBER))
    await stage.sql.execute("UPDATE sessions SET amr = '{pwd,otp}'")
    return tokens["access_token"], OF_ROLE[ADMIN] | OF_ROLE[MEMBER]


ANYWHERE = [
    nobody, a_password_in_place_of_a_token, another_member, a_member_who_signed_in, a_token_that_reads,
    a_token_that_sees_whose_it_is, a_token_of_a_superuser, an_expired_personal_token, a_token_of_somebody_disabled,
    somebody_disabled, somebody_leaving, an_expired_token, a_token_signed_by_somebody_else, an_ended_session,
    a_refresh_token, somebody_half_signed_in, somebody_from_an_outside_issuer,
    somebody_from_an_outside_issuer_just_now, a_superuser_who_signed_in_long_ago,
    somebody_disabled_from_an_outside_issuer, an_expired_token_of_an_outside_issuer, somebody_without_roles,
    *map(in_role, (SUPERUSER, ADMIN, SUPPORT, AUDITOR, MEMBER)),
]  # fmt: skip
WHERE_STAFF_NEEDS_TWO = [
    nobody, another_member, staff_without_the_second_factor, a_superuser_without_the_second_factor,
    staff_with_the_second_factor,
]  # fmt: skip
# Whose sign-in is too old for some of what they may do, or not told.
LONG_AGO = {somebody_from_an_outside_issuer, a_superuser_who_signed_in_long_ago}
WHERE_ALL_NEED_TWO = [staff_without_the_second_factor, staff_with_the_second_factor]


@asynccontextmanager
async def stage_of(database_url: str, sql: Sql, issuer: FakeIssuer, required: str) -> AsyncIterator[Stage]:
    settings = settings_for(database_url, issuers=[issuer.settings()], require_mfa=required)
    async with serving(create_app(settings)) as app:
        stage = Stage(app, sql, issuer)
        yield stage
        await stage.world.close()
        await stage.client.aclose()


async def stored(sql: Sql) -> dict[str, list[str]]:
    """Everything, row by row."""
    tables = await sql.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return {name: sorted(row[0] for row in await sql.fetch(f'SELECT t::text FROM "{name}" AS t')) for (name,) in tables}


async def belongings(ada: Person, sql: Sql) -> dict[str, str]:
    """By the name of a path's parameter an id that is ada's; of other things, one that never was."""
    task = await ada.add()
    token = (await ada.http.post("/api/auth/tokens", json={"name": "Hers", "scopes": ["tasks.view"]})).json()
    await ada.http.post("/api/auth/login", json={"email": ada.email, "password": PASSWORD})
    session = await sql.fetchval("SELECT id FROM sessions")
    passkey = await sql.fetchval(
        "INSERT INTO passkeys (id, created_at, updated_at, version, user_id, name, credential_id, public_key,"
        " sign_count) VALUES (gen_random_uuid(), now(), now(), 1, $1, 'Hers', 'x', 'x', 0) RETURNING id",
        ada.id,
    )
    return {"task_id": task["id"], "token_id": token["id"], "session_id": str(session), "passkey_id": str(passkey)}


async def ask(stage: Stage, route: str, credential: str | None, ids: dict[str, str]) -> httpx.Response:
    method, path = route.split()
    address = re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], str(uuid4())), path)
    body = {} if method == "GET" else {"json": {"unknown": 1}}
    headers = {} if credential is None else {"authorization": f"Bearer {credential}"}
    unknown = {"params": {"unknown": 1}} if address.startswith(BASE) else {}
    return await stage.client.request(method, address, headers=headers, **body, **unknown)


def expected(route: str, may: frozenset[str] | None, *, long_ago: bool) -> int:
    permission, let_through = ROUTES[route]
    needed = {permission} - {ANY} | ({ENTER} if BASE in route else set())
    if permission is PUBLIC or (may is not UNKNOWN and needed <= may):
        return 401 if long_ago and route in RECENT else let_through
    return 401 if may is UNKNOWN else 403


def is_page(route: HTTPRoute) -> bool:
    """Pages know no bearer token; their own tests are in tests/browser."""
    return route.path_format.startswith("/admin")


def admin_operations() -> dict[str, dict[str, Any]]:
    """The operations of the admin by route: one handler serves every resource, the document names each."""
    paths, _ = paths_of(REGISTRY)
    return {f"{method.upper()} {path}": one for path, item in paths.items() for method, one in item.items()}


def test_every_route_has_its_row(running_app: Litestar) -> None:
    found = {
        f"{method} {route.path_format}": ANY if signed_in in handler.resolve_guards() else permission_of(handler)
        for route in running_app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if handler.operation_id and not is_page(route) and not route.path_format.startswith(OF_RESOURCE)
    }
    found |= {route: operation["x-permission"] for route, operation in admin_operations().items()}

    assert found == {route: permission for route, (permission, _) in ROUTES.items()}


def test_what_asks_for_a_recent_sign_in_is_what_the_table_says(running_app: Litestar) -> None:
    asking = {
        f"{method} {route.path_format}"
        for route in running_app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if signed_in_recently in handler.resolve_guards()
    }
    asking |= {
        route
        for route, operation in admin_operations().items()
        if operation["responses"]["401"] == shared.response(shared.RECENT)
    }

    assert asking == RECENT


def test_every_role_has_its_column() -> None:
    assert {somebody.__name__ for somebody in ANYWHERE} >= GRANTS.keys()


@pytest.mark.parametrize(
    ("required", "somebody"),
    [
        *(("none", somebody) for somebody in ANYWHERE),
        *(("staff", somebody) for somebody in WHERE_STAFF_NEEDS_TWO),
        *(("all", somebody) for somebody in WHERE_ALL_NEED_TWO),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_everybody_is_answered_as_their_rights_say(
    database_url: str,
    ada: Person,
    sql: Sql,
    issuer: FakeIssuer,
    required: str,
    somebody: Callable[[Stage], Awaitable[Somebody]],
) -> None:
    ids = await belongings(ada, sql)
    async with stage_of(database_url, sql, issuer, required) as stage:
        credential, may = await somebody(stage)
        due = {route: expected(route, may, long_ago=somebody in LONG_AGO) for route in ROUTES}
        refused = [route for route in ROUTES if due[route] in {401, 403}]
        signs_out = [route for route in ROUTES if "logout" in route and route not in refused]
        before = await stored(sql)

        answers = {route: await ask(stage, route, credential, ids) for route in refused}
        assert await stored(sql) == before
        answers |= {route: await ask(stage, route, credential, ids) for route in ROUTES.keys() - refused - {*signs_out}}
        assert await stored(sql) == before
        answers |= {route: await ask(stage, route, credential, ids) for route in signs_out}

    assert {route: answer.status_code for route, answer in answers.items()} == due
    for route in refused:
        assert answers[route].headers["content-type"] == "application/problem+json"
        assert ("www-authenticate" in answers[route].headers) == (due[route] == 401)
    assert [route for route, answer in answers.items() if "set-cookie" in answer.headers] == []
