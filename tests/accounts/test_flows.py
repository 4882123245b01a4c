"""Accounts from outside, over HTTP alone: whole ways in, and what goes wrong on them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import jwt
import pyotp
import pytest
from conftest import SECRET_KEY, create_database, serving, settings_for
from litestar import Litestar
from support.factories import OPERATOR, PASSWORD, Person, World
from support.issuer import JWKS, FakeIssuer, http

from todo.access import worker_origin
from todo.app import create_app
from todo.database import Database
from todo.domain.accounts.services import keys, mfa_tokens
from todo.domain.accounts.services.key_rotation import KeyService

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
CACHE_SECONDS = 0.25  # a little more than the tests' actor_cache_seconds
WRONG = "not the right password"


class Instance:
    """A service with settings of its own, and clients that speak to it from wherever they like."""

    def __init__(self, app: Litestar):
        self.app, self.world = app, World(app)
        self.database: Database = app.dependencies["database"].dependency()

    def client(self, token: str = "", *, address: str = "127.0.0.1", agent: str = "tests") -> httpx.AsyncClient:
        headers = {"user-agent": agent} | ({"authorization": f"Bearer {token}"} if token else {})
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    async def login(self, email: str, password: str = PASSWORD, **whence: str) -> httpx.Response:
        return await self.client(**whence).post("/api/auth/login", json={"email": email, "password": password})

    async def second_step(self, mfa_token: str, code: str, **whence: str) -> httpx.Response:
        body = {"mfa_token": mfa_token, "code": code}
        return await self.client(**whence).post("/api/auth/login/mfa", json=body)

    async def status(self, token: str, path: str = "/api/auth/me", method: str = "GET") -> int:
        return (await self.client(token).request(method, path)).status_code


@asynccontextmanager
async def instance(url: str, **values: object) -> AsyncIterator[Instance]:
    async with serving(create_app(settings_for(url, **values))) as app:
        running = Instance(app)
        yield running
        await running.world.close()


@pytest.fixture
def here(app: Litestar) -> Instance:
    """The usual instance."""
    return Instance(app)


class App:
    """Somebody's authenticator app, and the recovery codes they wrote down."""

    def __init__(self, secret: str, recovery_codes: list[str], sql: Sql):
        self._totp, self._sql, self.recovery_codes = pyotp.TOTP(secret), sql, recovery_codes

    async def code(self) -> str:
        """A code as if half a minute had passed, so that its step is unused."""
        await self._sql.execute("UPDATE totp SET last_step = 0")
        return self._totp.now()

    def wrong_code(self) -> str:
        return next(code for code in ("000000", "111111", "222222") if not self._totp.verify(code, valid_window=2))


async def enrol(person: httpx.AsyncClient, sql: Sql) -> App:
    begun = await person.post("/api/auth/mfa/totp", json={"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    secret = begun.json()["secret"]
    confirmed = await person.post("/api/auth/mfa/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
    assert confirmed.status_code == 200, confirmed.text
    return App(secret, confirmed.json()["recovery_codes"], sql)


def sent(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name not in {"request_id", "instance"}}


# Two steps


async def test_with_an_app_a_password_is_half_the_way(here: Instance, ada: Person, sql: Sql) -> None:
    app = await enrol(ada.http, sql)

    first = (await here.login(ada.email)).json()
    second = await here.second_step(first["mfa_token"], await app.code())

    assert first.keys() == {"mfa_token"}
    assert await sql.fetchval("SELECT amr FROM sessions") == ["pwd", "otp"]
    assert await here.status(second.json()["access_token"]) == 200


async def test_half_the_way_opens_nothing(here: Instance, ada: Person, sql: Sql) -> None:
    await enrol(ada.http, sql)
    token = (await here.login(ada.email)).json()["mfa_token"]

    refreshed = await here.client().post("/api/auth/refresh", json={"refresh_token": token})

    assert refreshed.status_code == 401
    assert {await here.status(token, path) for path in ("/api/auth/me", "/api/tasks", "/api/auth/mfa")} == {401}
    assert await sql.fetchval("SELECT count(*) FROM sessions") == 0


async def test_a_code_that_is_wrong_or_was_used_lets_nobody_in(here: Instance, ada: Person, sql: Sql) -> None:
    app = await enrol(ada.http, sql)
    tokens = [(await here.login(ada.email)).json()["mfa_token"] for _ in range(3)]
    good = await app.code()
    codes = (app.wrong_code(), good, good)

    answers = [await here.second_step(token, code) for token, code in zip(tokens, codes, strict=True)]

    assert [answer.status_code for answer in answers] == [401, 200, 401]
    assert sent(answers[0]) == sent(answers[2])
    refused = "SELECT count(*) FROM audit_events WHERE action = 'accounts.code_refused' AND subject_id = $1"
    assert await sql.fetchval(refused, ada.id) == 2


async def test_a_recovery_code_stands_in_for_the_app_once(here: Instance, ada: Person, sql: Sql) -> None:
    app = await enrol(ada.http, sql)
    tokens = [(await here.login(ada.email)).json()["mfa_token"] for _ in range(2)]

    answers = [await here.second_step(token, app.recovery_codes[0]) for token in tokens]

    assert [answer.status_code for answer in answers] == [200, 401]
    assert await sql.fetchval("SELECT amr FROM sessions") == ["pwd", "recovery"]


async def test_the_second_step_must_follow_within_five_minutes(
    here: Instance, ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await enrol(ada.http, sql)
    monkeypatch.setattr(mfa_tokens, "LIFETIME", -timedelta(seconds=1))
    token = (await here.login(ada.email)).json()["mfa_token"]

    answer = await here.second_step(token, await app.code())

    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


async def test_nobody_makes_up_a_first_step(here: Instance, ada: Person, bob: Person, sql: Sql) -> None:
    app = await enrol(ada.http, sql)
    token = (await here.login(ada.email)).json()["mfa_token"]
    forged = [token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :] for n in (0, 20, 40)]
    forged += ["A", "AAAA", "=", token[:40], ada.token, str(ada.id)]

    answers = [await here.second_step(one, await app.code()) for one in forged]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["detail"] for answer in answers} == {"Sign in with your password first."}


async def test_who_is_disabled_between_the_steps_stays_out(here: Instance, ada: Person, sql: Sql) -> None:
    app = await enrol(ada.http, sql)
    token = (await here.login(ada.email)).json()["mfa_token"]
    await sql.execute("UPDATE users SET status = 'disabled'")

    assert (await here.second_step(token, await app.code())).status_code == 401
    assert await sql.fetchval("SELECT count(*) FROM sessions") == 0


# Where a second factor is required


@pytest.mark.parametrize(("required", "roles"), [("staff", ("admin", "member")), ("all", ("member",))])
async def test_who_owes_a_second_factor_can_only_enrol(
    database_url: str, sql: Sql, required: str, roles: tuple[str, ...]
) -> None:
    async with instance(database_url, require_mfa=required) as here:
        ada = await here.world.person("ada", *roles)
        tokens = (await here.login(ada.email)).json()
        person = here.client(tokens["access_token"])
        token = {"name": "Way around", "scopes": ["tasks.view"]}

        before = [(await person.get("/api/tasks")).status_code, await here.status(tokens["access_token"])]
        around = await person.post("/api/auth/tokens", json=token)
        app = await enrol(person, sql)
        enrolled = await person.get("/api/tasks")
        refreshed = await person.post("/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        half = (await here.login(ada.email)).json()["mfa_token"]
        whole = (await here.second_step(half, await app.code())).json()

        assert before == [403, 200]
        assert around.status_code == 403
        assert enrolled.status_code == 403  # this session has still not proven it
        assert await here.status(refreshed.json()["access_token"], "/api/tasks") == 403
        assert await here.status(whole["access_token"], "/api/tasks") == 200
        assert (await here.client(whole["access_token"]).post("/api/auth/tokens", json=token)).status_code == 201


async def test_of_members_staff_rules_ask_nothing(database_url: str, sql: Sql) -> None:
    async with instance(database_url, require_mfa="staff") as here:
        ada = await here.world.person("ada")
        tokens = (await here.login(ada.email)).json()

        assert await here.status(tokens["access_token"], "/api/tasks") == 200


@pytest.mark.parametrize(("env", "required"), [("production", "staff"), ("development", "none")])
def test_in_production_staff_needs_a_second_factor_unless_it_is_said(env: str, required: str) -> None:
    assert settings_for("", env=env).second_factor_for == required
    assert settings_for("", env=env, require_mfa="all").second_factor_for == "all"


# Personal tokens


async def personal(person: Person, *scopes: str) -> str:
    answer = await person.http.post("/api/auth/tokens", json={"name": "Script", "scopes": scopes})
    token: str = answer.json()["token"]
    return token


@pytest.mark.parametrize("scope", ["tasks.view", "tasks.add", "tasks.change", "tasks.delete"])
async def test_a_personal_token_does_its_verb_and_no_other(here: Instance, ada: Person, scope: str) -> None:
    client, task = here.client(await personal(ada, scope)), await ada.add()
    path = f"/api/tasks/{task['id']}"

    statuses = {
        "tasks.view": (await client.get(path)).status_code,
        "tasks.add": (await client.post("/api/tasks", json={"title": "By a script"})).status_code,
        "tasks.change": (await client.patch(path, json={"title": "By a script"})).status_code,
        "tasks.delete": (await client.delete(path)).status_code,
    }

    assert statuses.pop(scope) in {200, 201, 204}
    assert set(statuses.values()) == {403}


async def test_a_personal_token_signs_nobody_out(here: Instance, ada: Person, sql: Sql) -> None:
    await here.login(ada.email)
    token = await personal(ada, "accounts.me", "tasks.view")

    statuses = [
        await here.status(token),
        await here.status(token, "/api/auth/logout?everywhere=true", "POST"),
        await here.status(token, "/api/auth/tokens"),
    ]

    assert statuses == [200, 403, 403]
    assert await sql.fetchval("SELECT revoked_at FROM sessions") is None


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE personal_tokens SET revoked_at = now()",
        "UPDATE personal_tokens SET expires_at = now() - interval '1 second'",
        "UPDATE users SET status = 'disabled'",
    ],
)
async def test_a_personal_token_that_ended_is_refused(here: Instance, ada: Person, sql: Sql, end: str) -> None:
    token = await personal(ada, "tasks.view")
    before = await here.status(token, "/api/tasks")

    await sql.execute(end)
    await asyncio.sleep(CACHE_SECONDS)

    assert (before, await here.status(token, "/api/tasks")) == (200, 401)


async def test_the_owner_revokes_a_personal_token(here: Instance, ada: Person) -> None:
    token = await personal(ada, "tasks.view")
    made = (await ada.http.get("/api/auth/tokens")).json()["items"][0]
    before = await here.status(token, "/api/tasks")

    await ada.http.delete(f"/api/auth/tokens/{made['id']}")
    await asyncio.sleep(CACHE_SECONDS)

    assert (before, await here.status(token, "/api/tasks")) == (200, 401)


# Identity providers


async def test_a_token_from_outside_opens_an_account_and_then_the_same(
    database_url: str, sql: Sql, issuer: FakeIssuer
) -> None:
    async with instance(database_url, issuers=[issuer.settings()]) as here:
        first = await here.client(issuer.token(name="Ada")).get("/api/auth/me")
        added = await here.client(issuer.token()).post("/api/tasks", json={"title": "From outside"})
        issuer.rotate()
        second = await here.client(issuer.token(name="Ada L.")).get("/api/auth/me")
        other = await here.client(issuer.token(sub="somebody else")).get("/api/tasks?count=true")

    assert (first.status_code, added.status_code) == (200, 201)
    assert (first.json()["name"], first.json()["roles"]) == ("Ada", ["member"])
    assert second.json() == first.json()
    assert other.json()["total"] == 0
    assert await sql.fetchval("SELECT count(*) FROM users") == 2


async def test_twenty_first_requests_from_outside_make_one_person(
    database_url: str, sql: Sql, issuer: FakeIssuer
) -> None:
    values = {"issuers": [issuer.settings()]}
    async with instance(database_url, **values) as here, instance(database_url, **values) as there:
        tokens = [issuer.token(jti=str(n)) for n in range(20)]

        statuses = await asyncio.gather(*((here, there)[n % 2].status(token) for n, token in enumerate(tokens)))

    assert statuses == [200] * 20
    assert await sql.fetchval("SELECT count(*) FROM users") == 1


async def test_while_an_issuer_is_away_its_people_are_asked_to_come_back(
    database_url: str, sql: Sql, issuer: FakeIssuer
) -> None:
    issuer.pages[JWKS] = http("", "503 Service Unavailable")
    async with instance(database_url, issuers=[issuer.settings()]) as here:
        client = here.client(issuer.token())
        answer, public = await client.get("/api/tasks"), await client.get("/health/live")

    assert (answer.status_code, public.status_code) == (503, 200)
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_bad_token_from_outside_is_refused(database_url: str, sql: Sql, issuer: FakeIssuer) -> None:
    stranger = FakeIssuer()
    stranger.rotate()
    bad = [
        issuer.token(exp=1), issuer.token(aud="another-api"), issuer.token(iss="https://elsewhere.example"),
        issuer.token(key=stranger.keys[stranger.kid][0]), issuer.token({"kid": "unknown"}),
        issuer.token({"typ": "logout+jwt"}), issuer.token()[:-4] + "AAAA",
    ]  # fmt: skip
    async with instance(database_url, issuers=[issuer.settings()]) as here:
        answers = [await here.client(token).get("/api/tasks") for token in bad]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="todo", error="invalid_token"'}
    assert await sql.fetchval("SELECT count(*) FROM users") == 0


# Keys that change


@pytest.fixture
async def own_url(worker_id_or_main: str) -> str:
    """A database whose signing keys nobody else uses."""
    return await create_database(f"todo_keys_{worker_id_or_main}", "todo_template")


async def rotate(at: Instance) -> str:
    async with at.database.session(worker_origin()) as session:
        return str((await KeyService(session, OPERATOR, SECRET_KEY).rotate()).id)


async def test_while_keys_rotate_no_good_token_is_refused(own_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rotations under two hundred requests; one instance signs with each key before the other looks for it."""
    monkeypatch.setattr(keys, "FRESH_SECONDS", 0.3)
    async with instance(own_url) as here, instance(own_url) as there:
        ada = await here.world.person("ada")
        signing: set[str] = set()

        async def request(signs: Instance, checks: Instance) -> int:
            token = await signs.world.sign_in.keys.sign(ada.id)
            signing.add(jwt.get_unverified_header(token)["kid"])
            return await checks.status(token)

        statuses: list[int] = []
        for _ in range(5):
            both = [(here, there), (there, here)] * 10
            before = [asyncio.create_task(request(*pair)) for pair in both]
            await rotate(here)
            await here.world.sign_in.keys.load()
            statuses += await asyncio.gather(*before, *(request(here, there) for _ in range(20)))

        assert statuses == [200] * 200
        assert len(signing) == 6
        assert await here.status(ada.token) == 200


async def test_tokens_of_a_revoked_key_are_refused_within_seconds(
    own_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "FRESH_SECONDS", 0.2)
    async with instance(own_url) as here, instance(own_url) as there:
        ada = await here.world.person("ada")
        published = (await here.client().get("/.well-known/jwks.json")).json()["keys"]
        kid = jwt.get_unverified_header(ada.token)["kid"]
        before = [await one.status(ada.token) for one in (here, there)]

        await rotate(here)
        async with here.database.session(worker_origin()) as session:
            await KeyService(session, OPERATOR, SECRET_KEY).revoke(UUID(kid))
        await asyncio.sleep(0.2 + CACHE_SECONDS)
        after = [await one.status(ada.token) for one in (here, there)]
        left = (await here.client().get("/.well-known/jwks.json")).json()["keys"]
        fresh = await here.world.sign_in.keys.sign(ada.id)

        assert (before, after) == ([200, 200], [401, 401])
        assert kid in {key["kid"] for key in published} - {key["kid"] for key in left}
        assert await there.status(fresh) == 200


# Coming and going


async def test_who_left_comes_back_by_signing_in(here: Instance, ada: Person, sql: Sql) -> None:
    task, script = await ada.add(), await personal(ada, "tasks.view")
    tokens = (await here.login(ada.email)).json()
    left = await ada.http.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    await asyncio.sleep(CACHE_SECONDS)
    gone = {await here.status(token, "/api/tasks") for token in (tokens["access_token"], ada.token, script)}

    back = (await here.login(ada.email)).json()
    await asyncio.sleep(CACHE_SECONDS)

    assert (left.status_code, gone) == (200, {401})
    assert await here.status(back["access_token"], f"/api/tasks/{task['id']}") == 200
    assert await here.status(tokens["access_token"]) == 401
    assert await here.status(script, "/api/tasks") == 401
    assert await sql.fetchval("SELECT status FROM users") == "active"


async def test_a_wrong_password_brings_nobody_back(here: Instance, ada: Person, sql: Sql) -> None:
    await ada.http.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    wrong = await here.login(ada.email, WRONG)
    await sql.execute("UPDATE users SET deletion_at = now() - interval '1 second'")
    late = await here.login(ada.email)

    assert (wrong.status_code, late.status_code) == (401, 401)
    assert sent(wrong) == sent(late)
    assert await sql.fetchval("SELECT status FROM users") == "leaving"


async def test_where_addresses_must_be_confirmed_nobody_signs_in_before(database_url: str, sql: Sql) -> None:
    async with instance(database_url, verify_email=True) as here:
        body = {"email": "ada@example.com", "password": PASSWORD}
        await here.client().post("/api/auth/register", json=body)
        token = re.findall(r"#(\S+)", await sql.fetchval("SELECT payload->>'text' FROM deliveries"))[0]

        wrong, early = await here.login(body["email"], WRONG), await here.login(body["email"])
        sessions = await sql.fetchval("SELECT count(*) FROM sessions")
        confirmed = await here.client().post("/api/auth/email/verify", json={"token": token})
        late = await here.login(body["email"])

    assert (wrong.status_code, early.status_code, sessions) == (401, 403, 0)
    assert (confirmed.status_code, late.status_code) == (204, 200)


async def test_a_sign_in_from_a_new_place_is_mailed(here: Instance, ada: Person, sql: Sql) -> None:
    home, phone, stranger = ("192.0.2.1", "Laptop"), ("192.0.2.9", "Laptop"), ("198.51.100.7", "Something else")
    mails, count = [], "SELECT count(*) FROM deliveries WHERE subject = 'A new sign-in to your account'"
    for address, agent in (home, home, (home[0], "Phone"), phone, stranger, stranger):
        await here.login(ada.email, address=address, agent=agent)
        mails.append(await sql.fetchval(count))

    mail = await sql.fetchrow("SELECT * FROM deliveries WHERE subject = 'A new sign-in to your account'")
    assert mails == [0, 0, 0, 0, 1, 1]
    assert (mail["recipient"], stranger[0] in mail["payload"]) == (ada.email, True)


# Guessing


@pytest.fixture
async def counting(database_url: str, sql: Sql) -> AsyncIterator[Instance]:
    async with instance(database_url, rate_limit="100/minute") as here:
        yield here


async def test_the_eleventh_wrong_password_is_not_looked_at(counting: Instance) -> None:
    ada = await counting.world.person("ada")

    answers = [await counting.login(ada.email, WRONG, address="198.51.100.7") for _ in range(11)]
    right = await counting.login(ada.email, address="198.51.100.7")

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert right.status_code == 429
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
    assert answers[-1].json()["violated-policies"] == ["login"]


async def test_one_password_is_not_tried_on_everybody(counting: Instance) -> None:
    answers = [await counting.login(f"person{n}@example.com", address="198.51.100.7") for n in range(50)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 40


async def test_guessing_from_many_places_keeps_nobody_out_of_their_account(counting: Instance) -> None:
    ada = await counting.world.person("ada")
    home = "192.0.2.1"
    assert (await counting.login(ada.email, address=home)).status_code == 200

    guesses = [await counting.login(ada.email, WRONG, address=f"198.51.100.{n}") for n in range(1, 30)]

    assert {answer.status_code for answer in guesses[:9]} == {401}
    assert {answer.status_code for answer in guesses[10:]} == {429}
    assert (await counting.login(ada.email, address="203.0.113.9")).status_code == 429
    assert (await counting.login(ada.email, address=home)).status_code == 200


async def test_limits_say_nothing_about_who_has_an_account(counting: Instance) -> None:
    ada = await counting.world.person("ada")

    def shape(answer: httpx.Response) -> tuple[Any, ...]:
        body = re.sub(r"in \d+ seconds?", "soon", str(sent(answer)))  # a slow machine is nearer to the end
        return answer.status_code, body, sorted(set(answer.headers) - {"content-length"})

    known, unknown = [
        [shape(await counting.login(email, WRONG, address=f"198.51.{network}.{n}")) for n in range(1, 13)]
        for network, email in ((1, ada.email), (2, "nobody@example.com"))
    ]

    assert [status for status, *_ in known] == [401] * 10 + [429] * 2
    assert known == unknown


async def test_codes_are_not_guessed(counting: Instance, sql: Sql) -> None:
    ada = await counting.world.person("ada")
    app = await enrol(ada.http, sql)
    token = (await counting.login(ada.email)).json()["mfa_token"]

    places = [f"198.51.100.{n}" for n in range(1, 12)]
    answers = [await counting.second_step(token, app.wrong_code(), address=place) for place in places]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert (await counting.second_step(token, await app.code())).status_code == 429


@pytest.mark.parametrize(
    "path", ["/api/auth/mfa/totp", "/api/auth/passkeys/options", "/api/auth/password", "/api/auth/reauthenticate"]
)
async def test_a_stolen_access_token_guesses_no_password(counting: Instance, path: str) -> None:
    ada = await counting.world.person("ada")
    body = {"password": WRONG}
    if path.endswith("password"):
        body = {"current_password": WRONG, "new_password": "a newer one, and longer"}

    answers = [await ada.http.post(path, json=body) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [403] * 10 + [429]


@pytest.mark.parametrize(
    ("path", "often"),
    [
        ("/api/auth/password/forgot", 5),
        ("/api/auth/email/verify/again", 5),
        ("/api/auth/register", 9),
    ],  # her own registration was one
)
async def test_nobody_is_flooded_with_mail(counting: Instance, sql: Sql, path: str, often: int) -> None:
    """From many places, and however the address is spelled."""
    ada = await counting.world.person("ada")
    await sql.execute("DELETE FROM deliveries")
    spellings = (ada.email, ada.email.upper(), f" {ada.email}", f"{ada.email}  ")
    password = {"password": PASSWORD} if path.endswith("register") else {}

    statuses = []
    for n in range(1, often + 3):
        body = {"email": spellings[n % len(spellings)]} | password
        statuses.append((await counting.client(address=f"198.51.100.{n}").post(path, json=body)).status_code)

    assert statuses[often:] == [429, 429]
    assert set(statuses[:often]) <= {201, 202}
    assert 1 <= await sql.fetchval("SELECT count(*) FROM deliveries") <= often
