"""What ends credentials ends all of them, on every way there is, and for what is under way at that moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pyotp
import pytest
from accounts.test_email_change import ask, confirm, token_for
from accounts.test_email_tokens import reset_token
from accounts.test_flows import App, Instance, enrol, instance
from accounts.test_passkeys import Authenticator
from conftest import create_database
from litestar import Litestar
from support.factories import OPERATOR, PASSWORD, Person, World, origin_for
from support.pages import TOKEN

from todo.access import ANYBODY, worker_origin
from todo.actions import PERMISSIONS
from todo.domain.accounts.rules import NEVER_SCOPES
from todo.domain.accounts.services import account_status

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NEW = "a wholly different phrase"
INSUFFICIENT = 'Bearer realm="todo", error="insufficient_user_authentication", max_age="600"'


@pytest.fixture
def here(app: Litestar) -> Instance:
    return Instance(app)


class Owner:
    """Ada in a session that began with her app, and everything else that could let somebody in as her."""

    def __init__(self, here: Instance, sql: Sql, ada: Person, root: Person, app: App):
        self.here, self.sql, self.ada, self.root, self.app = here, sql, ada, root, app
        self.phone = Authenticator()

    async def sign_in(self) -> dict[str, Any]:
        tokens: dict[str, Any] = (await self.here.second_step(await self.half(), await self.app.code())).json()
        return tokens

    async def half(self) -> str:
        token: str = (await self.here.login(self.ada.email)).json()["mfa_token"]
        return token

    async def prepare(self) -> None:
        self.other, self.own = await self.sign_in(), await self.sign_in()
        self.http = self.here.client(self.own["access_token"])
        self.link = await reset_token(self.http, self.sql)
        self.waiting = await self.half()

    async def admin(self, resource: str, row_id: object, action: str) -> httpx.Response:
        return await self.root.http.post(f"/api/admin/{resource}/{row_id}/actions/{action}")


async def change_password(owner: Owner) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await owner.http.post("/api/auth/password", json=body)).status_code == 204


async def change_the_address(owner: Owner) -> None:
    assert (await ask(owner.http)).status_code == 202
    assert (await confirm(owner.here.client(), await token_for(owner.sql))).status_code == 204


async def reset_password(owner: Owner) -> None:
    body = {"token": owner.link, "password": NEW}
    assert (await owner.http.post("/api/auth/password/reset", json=body)).status_code == 204


async def sign_out_everywhere(owner: Owner) -> None:
    assert (await owner.http.post("/api/auth/logout?everywhere=true")).status_code == 204


async def close_the_account(owner: Owner) -> None:
    answer = await owner.http.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    assert answer.status_code == 200, answer.text


async def remove_the_app(owner: Owner) -> None:
    answer = await owner.http.request("DELETE", "/api/auth/mfa/totp", json={"password": PASSWORD})
    assert answer.status_code == 204, answer.text


async def replace_the_app(owner: Owner) -> None:
    await owner.sql.execute("DELETE FROM totp")
    await enrol(owner.http, owner.sql)


async def renew_the_recovery_codes(owner: Owner) -> None:
    answer = await owner.http.post("/api/auth/mfa/recovery-codes", json={"password": PASSWORD})
    assert answer.status_code == 200, answer.text


async def add_a_passkey(owner: Owner) -> None:
    begun = (await owner.http.post("/api/auth/passkeys/options", json={"password": PASSWORD})).json()
    made = {"name": "Phone", "state": begun["state"], "credential": owner.phone.make(begun["options"])}
    assert (await owner.http.post("/api/auth/passkeys", json=made)).status_code == 201


async def stored_passkey(owner: Owner) -> UUID:
    found: UUID = await owner.sql.fetchval(
        "INSERT INTO passkeys (id, created_at, updated_at, version, user_id, name, credential_id, public_key,"
        " sign_count) VALUES (gen_random_uuid(), now(), now(), 1, $1, 'Phone', 'x', 'x', 0) RETURNING id",
        owner.ada.id,
    )
    return found


async def forget_a_passkey(owner: Owner) -> None:
    assert (await owner.http.delete(f"/api/auth/passkeys/{await stored_passkey(owner)}")).status_code == 204


async def an_operator_revokes_a_passkey(owner: Owner) -> None:
    assert (await owner.admin("passkeys", await stored_passkey(owner), "revoke")).status_code == 200


async def an_operator_disables(owner: Owner) -> None:
    assert (await owner.admin("users", owner.ada.id, "disable")).status_code == 200


async def an_operator_signs_out(owner: Owner) -> None:
    assert (await owner.admin("users", owner.ada.id, "sign_out")).status_code == 200


async def an_operator_resets_the_second_factor(owner: Owner) -> None:
    assert (await owner.admin("users", owner.ada.id, "reset_second_factor")).status_code == 200


async def an_operator_disables_by_command(owner: Owner) -> None:
    async with owner.here.database.session(worker_origin()) as session:
        await account_status.disable(session, OPERATOR, owner.ada.id)


WAYS = [
    change_password, change_the_address, reset_password, sign_out_everywhere, close_the_account, remove_the_app,
    replace_the_app, renew_the_recovery_codes, add_a_passkey, forget_a_passkey, an_operator_revokes_a_passkey,
    an_operator_disables, an_operator_signs_out, an_operator_resets_the_second_factor, an_operator_disables_by_command,
]  # fmt: skip
KEEPS_ITS_OWN_SESSION = {
    change_password, change_the_address, remove_the_app, replace_the_app, renew_the_recovery_codes,
    add_a_passkey, forget_a_passkey,
}  # fmt: skip


@pytest.fixture
async def owner(here: Instance, sql: Sql, ada: Person, world: World) -> Owner:
    owner = Owner(here, sql, ada, await world.person("root", "superuser"), await enrol(ada.http, sql))
    await owner.prepare()
    return owner


@pytest.mark.parametrize("end", WAYS, ids=lambda end: end.__name__)
async def test_every_change_of_credentials_ends_what_was_given_out_before(
    owner: Owner, sql: Sql, end: Callable[[Owner], Awaitable[None]]
) -> None:
    await end(owner)

    live = {str(row[0]) for row in await sql.fetch("SELECT id FROM sessions WHERE revoked_at IS NULL")}
    refreshed = await owner.here.client().post(
        "/api/auth/refresh", json={"refresh_token": owner.other["refresh_token"]}
    )
    half = await owner.here.second_step(owner.waiting, await owner.app.code())
    reset = await owner.http.post("/api/auth/password/reset", json={"token": owner.link, "password": NEW + "!"})
    assert (refreshed.status_code, half.status_code, reset.status_code) == (401, 401, 422)
    assert len(live) == (1 if end in KEEPS_ITS_OWN_SESSION else 0)
    assert await owner.here.status(owner.own["access_token"]) == (200 if live else 401)
    for table in ("mail_tokens", "mfa_tokens"):
        assert await sql.fetchval(f"SELECT count(*) FROM {table} WHERE user_id = $1", owner.ada.id) == 0


# What is under way


@asynccontextmanager
async def held(database_url: str, sql: Sql, person: Person) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Nobody gets at this account; `waiting(n)` returns once that many transactions wait for it, in their order."""
    holder = await asyncpg.connect(database_url)
    block = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"

    async def waiting(many: int) -> None:
        async with asyncio.timeout(10):
            while await sql.fetchval(block) < many:  # noqa: ASYNC110 -- another connection's state sets no event
                await asyncio.sleep(0.01)

    try:
        async with holder.transaction():
            await holder.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", person.id)
            yield waiting
    finally:
        await holder.close()


def changing(person: Person) -> Awaitable[httpx.Response]:
    body = {"current_password": PASSWORD, "new_password": NEW}
    return person.http.post("/api/auth/password", json=body)


async def by_api(here: Instance, person: Person) -> int:
    return (await here.login(person.email)).status_code


async def by_page(here: Instance, person: Person) -> int:
    browser = here.client()
    found = TOKEN.search((await browser.get("/admin/login")).text)
    assert found
    fields = {"email": person.email, "password": PASSWORD, "form_token": found.group(1)}
    status = (await browser.post("/admin/login", data=fields)).status_code
    return 200 if status == 303 else status


@pytest.mark.parametrize("enter", [by_api, by_page])
async def test_a_sign_in_by_the_old_password_does_not_outlive_its_change(
    here: Instance, ada: Person, sql: Sql, database_url: str, enter: Callable[[Instance, Person], Awaitable[int]]
) -> None:
    async with held(database_url, sql, ada) as waiting:
        change = asyncio.create_task(changing(ada))
        await waiting(1)
        entering = [asyncio.create_task(enter(here, ada)) for _ in range(10)]
        await waiting(3)

    assert (await change).status_code == 204
    assert await asyncio.gather(*entering) == [401] * 10
    assert await sql.fetchval("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == 0


async def test_a_sign_in_by_the_old_password_does_not_outlive_a_reset(
    here: Instance, ada: Person, sql: Sql, database_url: str
) -> None:
    token = await reset_token(ada.http, sql)
    async with held(database_url, sql, ada) as waiting:
        reset = asyncio.create_task(ada.http.post("/api/auth/password/reset", json={"token": token, "password": NEW}))
        await waiting(1)
        entering = [asyncio.create_task(by_api(here, ada)) for _ in range(10)]
        await waiting(3)

    assert (await reset).status_code == 204
    assert await asyncio.gather(*entering) == [401] * 10


async def test_a_second_step_does_not_outlive_a_change_of_password(
    here: Instance, ada: Person, sql: Sql, database_url: str
) -> None:
    app = await enrol(ada.http, sql)
    halves = [(await here.login(ada.email)).json()["mfa_token"] for _ in range(3)]
    async with held(database_url, sql, ada) as waiting:
        change = asyncio.create_task(changing(ada))
        await waiting(1)
        steps = [
            asyncio.create_task(here.second_step(half, code))
            for half, code in zip(halves, app.recovery_codes, strict=False)
        ]
        await waiting(3)

    assert (await change).status_code == 204
    assert [(await step).status_code for step in steps] == [401] * 3
    assert await sql.fetchval("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == 0


async def test_a_sign_in_by_password_does_not_outlive_the_enrolment_of_an_app(
    here: Instance, ada: Person, sql: Sql, database_url: str
) -> None:
    secret = (await ada.http.post("/api/auth/mfa/totp", json={"password": PASSWORD})).json()["secret"]
    async with held(database_url, sql, ada) as waiting:
        body = {"code": pyotp.TOTP(secret).now()}
        confirm = asyncio.create_task(ada.http.post("/api/auth/mfa/totp/confirm", json=body))
        await waiting(1)
        entering = [asyncio.create_task(here.login(ada.email)) for _ in range(3)]
        await waiting(3)

    assert (await confirm).status_code == 200
    answers = await asyncio.gather(*entering)
    assert 401 in {answer.status_code for answer in answers}
    assert not [answer for answer in answers if "access_token" in answer.json()]  # a late one is asked for a code


async def test_of_ten_changes_by_the_old_password_one_holds(here: Instance, ada: Person, sql: Sql) -> None:
    bodies = [{"current_password": PASSWORD, "new_password": f"{NEW} {n}"} for n in range(10)]

    answers = await asyncio.gather(*(ada.http.post("/api/auth/password", json=body) for body in bodies))

    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [204] + [403] * 9
    new = bodies[statuses.index(204)]["new_password"]
    assert (await here.login(ada.email, new)).status_code == 200


async def test_an_app_begun_with_the_old_password_cannot_be_confirmed(here: Instance, ada: Person) -> None:
    secret = (await ada.http.post("/api/auth/mfa/totp", json={"password": PASSWORD})).json()["secret"]
    await changing(ada)

    answer = await ada.http.post("/api/auth/mfa/totp/confirm", json={"code": pyotp.TOTP(secret).now()})

    assert answer.status_code == 409


async def test_a_passkey_begun_with_the_old_password_cannot_be_added(ada: Person) -> None:
    begun = (await ada.http.post("/api/auth/passkeys/options", json={"password": PASSWORD})).json()
    made = {"name": "Theirs", "state": begun["state"], "credential": Authenticator().make(begun["options"])}
    await changing(ada)

    assert (await ada.http.post("/api/auth/passkeys", json=made)).status_code == 422


async def test_a_proof_by_the_old_password_does_not_outlive_its_change(
    ada: Person, sql: Sql, database_url: str
) -> None:
    async with held(database_url, sql, ada) as waiting:
        change = asyncio.create_task(changing(ada))
        await waiting(1)
        beginning = asyncio.create_task(ada.http.post("/api/auth/mfa/totp", json={"password": PASSWORD}))
        await waiting(2)

    assert (await change).status_code == 204
    assert (await beginning).status_code == 403
    assert await sql.fetchval("SELECT count(*) FROM totp") == 0


# One token between the two steps


async def test_an_mfa_token_works_once(here: Instance, ada: Person, sql: Sql) -> None:
    app = await enrol(ada.http, sql)
    half = (await here.login(ada.email)).json()["mfa_token"]

    answers = [await here.second_step(half, code) for code in app.recovery_codes[:2]]

    assert [answer.status_code for answer in answers] == [200, 401]


async def test_an_mfa_token_works_once_of_eight_at_once(here: Instance, ada: Person, sql: Sql) -> None:
    app = await enrol(ada.http, sql)
    half = (await here.login(ada.email)).json()["mfa_token"]

    answers = await asyncio.gather(*(here.second_step(half, code) for code in app.recovery_codes[:8]))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert await sql.fetchval("SELECT count(*) FROM sessions") == 1


async def test_an_mfa_token_is_kept_as_a_hash(here: Instance, ada: Person, sql: Sql) -> None:
    await enrol(ada.http, sql)
    half = (await here.login(ada.email)).json()["mfa_token"]

    assert half not in str(await sql.fetch("SELECT t::text FROM mfa_tokens t"))
    assert await sql.fetchval("SELECT length(hash) FROM mfa_tokens") == 32


# A second factor is changed with a second factor


async def signed_in_before_enrolling(here: Instance, ada: Person, sql: Sql) -> httpx.AsyncClient:
    """A session of the password alone that is still there, as after an upgrade."""
    tokens = (await here.login(ada.email)).json()
    await enrol(ada.http, sql)
    await sql.execute("UPDATE sessions SET revoked_at = NULL, revoked_for = NULL")
    return here.client(tokens["access_token"])


CHANGES = [
    ("DELETE", "/api/auth/mfa/totp"),
    ("POST", "/api/auth/mfa/recovery-codes"),
    ("POST", "/api/auth/passkeys/options"),
    ("DELETE", "/api/auth/me"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_password_is_no_way_around_the_second_factor(
    here: Instance, ada: Person, sql: Sql, method: str, path: str
) -> None:
    thief = await signed_in_before_enrolling(here, ada, sql)

    answer = await thief.request(method, path, json={"password": PASSWORD})

    assert answer.status_code == 403
    assert "second factor" in answer.json()["detail"]
    assert await sql.fetchval("SELECT count(*) FROM totp WHERE confirmed_at IS NOT NULL") == 1
    assert await sql.fetchval("SELECT status FROM users") == "active"


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_session_that_began_with_the_second_factor_asks_for_the_password_alone(
    here: Instance, ada: Person, sql: Sql, method: str, path: str
) -> None:
    app = await enrol(ada.http, sql)
    half = (await here.login(ada.email)).json()["mfa_token"]
    owner = here.client((await here.second_step(half, await app.code())).json()["access_token"])

    assert (await owner.request(method, path, json={"password": PASSWORD})).status_code in {200, 204}


async def test_a_passkey_is_a_second_factor_too(here: Instance, ada: Person, sql: Sql) -> None:
    phone = Authenticator()
    begun = (await ada.http.post("/api/auth/passkeys/options", json={"password": PASSWORD})).json()
    made = {"name": "Phone", "state": begun["state"], "credential": phone.make(begun["options"])}
    passkey = (await ada.http.post("/api/auth/passkeys", json=made)).json()["id"]
    client = here.client((await here.login(ada.email)).json()["access_token"])

    statuses = [
        (await client.post("/api/auth/mfa/totp", json={"password": PASSWORD})).status_code,
        (await client.post("/api/auth/passkeys/options", json={"password": PASSWORD})).status_code,
        (await client.delete(f"/api/auth/passkeys/{passkey}")).status_code,
    ]
    challenge = (await client.post("/api/auth/login/passkey/options")).json()
    reauthentication = {"passkey": {"state": challenge["state"], "credential": phone.sign(challenge["options"])}}
    shown = await client.post("/api/auth/reauthenticate", json=reauthentication)
    forgotten = await client.delete(f"/api/auth/passkeys/{passkey}")

    assert statuses == [403] * 3
    assert (shown.status_code, forgotten.status_code) == (200, 204)


@pytest.mark.parametrize("act", ["renew", "remove"])
async def test_the_pages_change_a_second_factor_with_a_second_factor_alone(
    app: Litestar, here: Instance, world: World, sql: Sql, act: str
) -> None:
    boss = await world.person("boss", "superuser")
    browser = here.client()
    cookie = await app.state.pages.accounts.enter(origin_for(ANYBODY, "admin"), boss.email, PASSWORD, "tests")
    browser.cookies.set(app.state.pages.cookies.session, cookie)
    codes = (await enrol(boss.http, sql)).recovery_codes
    await sql.execute("UPDATE sessions SET revoked_at = NULL, revoked_for = NULL")
    found = TOKEN.search((await browser.get("/admin/account/second-factor")).text)
    assert found
    token, path = {"form_token": found.group(1)}, f"/admin/account/second-factor/{act}"

    answers = [
        await browser.post(path, data={"password": PASSWORD, **token}),
        await browser.post("/admin/account/passkeys/options", data=token),
        await browser.post(path, data={"code": codes[0], **token}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 200 if act == "renew" else 303]


# A recent sign-in


async def signed_in_long_ago(here: Instance, sql: Sql, person: Person) -> httpx.AsyncClient:
    """With a token that was refreshed just now, which is no sign-in."""
    refresh = (await here.login(person.email)).json()["refresh_token"]
    await sql.execute("UPDATE sessions SET reauthenticated_at = now() - interval '601 seconds'")
    tokens = (await here.client().post("/api/auth/refresh", json={"refresh_token": refresh})).json()
    return here.client(tokens["access_token"])


async def test_rights_are_given_over_rest_after_a_recent_sign_in_alone(
    here: Instance, world: World, ada: Person, sql: Sql
) -> None:
    root = await world.person("root", "superuser")
    client = await signed_in_long_ago(here, sql, root)
    path, body = f"/api/admin/users/{ada.id}/actions/grant_role", {"role": "superuser"}

    refused = await client.post(path, json=body)
    wrong = await client.post("/api/auth/reauthenticate", json={"password": "not the right password"})
    still = await client.post(path, json=body)
    shown = await client.post("/api/auth/reauthenticate", json={"password": PASSWORD})
    by_the_older = await client.post(path, json=body)
    granted = await here.client(shown.json()["access_token"]).post(path, json=body)

    answers = (refused, wrong, still, shown, by_the_older, granted)
    assert [answer.status_code for answer in answers] == [401, 403, 401, 200, 401, 200]
    assert shown.json().keys() == {"access_token", "token_type", "expires_in"}
    assert refused.headers["www-authenticate"] == INSUFFICIENT
    events = await sql.fetch("SELECT action FROM audit_events WHERE actor = $1 ORDER BY id", root.email)
    assert [row[0] for row in events][-3:] == [
        "accounts.reauthentication_failed",
        "sessions.reauthenticate",
        "users.grant_role",
    ]


async def test_no_personal_token_is_made_long_after_the_sign_in(here: Instance, ada: Person, sql: Sql) -> None:
    client = await signed_in_long_ago(here, sql, ada)

    answer = await client.post("/api/auth/tokens", json={"name": "Theirs", "scopes": ["tasks.view"]})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, INSUFFICIENT)


async def test_a_code_renews_the_sign_in_and_counts_as_second_factor(here: Instance, ada: Person, sql: Sql) -> None:
    tokens = (await here.login(ada.email)).json()
    app = await enrol(ada.http, sql)
    await sql.execute("UPDATE sessions SET revoked_at = NULL, reauthenticated_at = now() - interval '601 seconds'")
    client = here.client(tokens["access_token"])

    answer = await client.post("/api/auth/reauthenticate", json={"code": await app.code()})

    assert answer.status_code == 200
    assert await sql.fetchval("SELECT amr FROM sessions") == ["pwd", "otp"]
    assert await sql.fetchval("SELECT now() - reauthenticated_at < interval '10 seconds' FROM sessions")


def test_what_no_token_can_carry_are_permissions() -> None:
    assert NEVER_SCOPES <= PERMISSIONS


@pytest.mark.parametrize("scope", sorted(NEVER_SCOPES))
async def test_no_personal_token_carries_power(here: Instance, world: World, ada: Person, sql: Sql, scope: str) -> None:
    root = await world.person("root", "superuser")

    refused = await root.http.post("/api/auth/tokens", json={"name": "Power", "scopes": ["admin.enter", scope]})

    assert refused.status_code == 422
    assert scope in refused.json()["errors"][0]["message"]


async def test_a_personal_token_from_before_gives_no_rights(
    here: Instance, world: World, ada: Person, sql: Sql
) -> None:
    root = await world.person("root", "superuser")
    made = await root.http.post("/api/auth/tokens", json={"name": "Old", "scopes": ["admin.enter", "tasks.view"]})
    await sql.execute("UPDATE personal_tokens SET scopes = '{admin.enter,users.grant_role}'")

    script = here.client(made.json()["token"])
    answer = await script.post(f"/api/admin/users/{ada.id}/actions/grant_role", json={"role": "superuser"})

    assert answer.status_code == 403


# The process that ends it


async def test_the_process_that_ends_something_refuses_it_at_once(database_url: str, sql: Sql) -> None:
    async with instance(database_url, actor_cache_seconds=5) as here:
        ada = await here.world.person("ada")
        root = await here.world.person("root", "superuser")
        path = "/api/auth/me"

        async def entered() -> httpx.AsyncClient:
            client = here.client((await here.login(ada.email)).json()["access_token"])
            assert (await client.get(path)).status_code == 200
            return client

        one, two, three = [await entered() for _ in range(3)]
        made = (await ada.http.post("/api/auth/tokens", json={"name": "Script", "scopes": ["accounts.me"]})).json()
        script = here.client(made["token"])
        assert (await script.get(path)).status_code == 200
        await one.post("/api/auth/logout")
        after_logout = (await one.get(path)).status_code
        others = (await two.get("/api/auth/sessions")).json()
        (third,) = [session["id"] for session in others if not session["current"]]
        await two.delete(f"/api/auth/sessions/{third}")
        after_ending = (await three.get(path)).status_code
        await ada.http.delete(f"/api/auth/tokens/{made['id']}")
        after_revoking = (await script.get(path)).status_code
        await root.http.post(f"/api/admin/users/{ada.id}/actions/disable")
        after_disabling = [(await client.get(path)).status_code for client in (two, ada.http)]

    assert [after_logout, after_ending, after_revoking, *after_disabling] == [401] * 5


async def test_a_replica_that_is_behind_neither_keeps_out_nor_lets_in(
    database_url: str, sql: Sql, worker_id_or_main: str
) -> None:
    """The replica knows the session as it was before it ended, and does not know the one that began after."""
    async with instance(database_url) as writing:
        ada = await writing.world.person("ada")
        first = (await writing.login(ada.email)).json()["access_token"]
    behind = await create_database(f"todo_behind_{worker_id_or_main}", "todo_template")
    replica = await asyncpg.connect(behind)
    for table in ("roles", "users", "user_roles", "sessions"):
        rows = await sql.fetch(f"SELECT t::text AS row FROM {table} AS t")
        await replica.execute(f"DELETE FROM {table}")
        await replica.executemany(f"INSERT INTO {table} SELECT ($1::text::{table}).*", [(row["row"],) for row in rows])
    await replica.close()

    async with instance(database_url, database_read_url=behind) as here:
        assert await here.status(first, "/api/auth/sessions") == 200
        await here.client(first).post("/api/auth/logout")
        after_logout = await here.status(first, "/api/auth/sessions")
        second = (await here.login(ada.email)).json()["access_token"]
        after_login = await here.status(second, "/api/auth/sessions")

    assert (after_logout, after_login) == (401, 200)


async def test_who_registers_or_changes_the_password_signs_in_with_it_though_the_replica_is_behind(
    database_url: str, sql: Sql, worker_id_or_main: str
) -> None:
    behind = await create_database(f"todo_behind_{worker_id_or_main}", "todo_template")
    async with instance(database_url, database_read_url=behind) as here:
        ada = await here.world.person("ada")
        registered = await here.login(ada.email)
        body = {"current_password": PASSWORD, "new_password": NEW}
        changed = await here.client(registered.json()["access_token"]).post("/api/auth/password", json=body)
        former = await here.login(ada.email)
        signed_in = await here.login(ada.email, NEW)

    assert [answer.status_code for answer in (registered, changed, former, signed_in)] == [200, 204, 401, 200]
