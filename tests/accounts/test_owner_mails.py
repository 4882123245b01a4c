"""What owners are notified of by mail: every change of how they sign in, and that somebody guesses."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
import pytest
from accounts.test_credentials import (
    Owner,
    add_a_passkey,
    an_operator_resets_the_second_factor,
    an_operator_revokes_a_passkey,
    change_password,
    forget_a_passkey,
    remove_the_app,
    renew_the_recovery_codes,
    replace_the_app,
    reset_password,
)
from accounts.test_flows import Instance, enrol, instance
from litestar import Litestar
from support.factories import OPERATOR, PASSWORD, Person, World

from todo.access import worker_origin
from todo.domain.accounts.schemas.personal_tokens import TokenIn
from todo.domain.accounts.services.service_accounts import add_service_account, add_service_token
from todo.http import limits
from todo.http.token_bucket import Policy

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
GUESSING = "SELECT count(*) FROM deliveries WHERE subject = 'Somebody tries to guess your code' AND recipient = $1"


@pytest.fixture
def here(app: Litestar) -> Instance:
    return Instance(app)


async def make_a_personal_token(owner: Owner) -> None:
    body = {"name": "Click https://evil.example", "scopes": ["tasks.view"]}
    assert (await owner.http.post("/api/auth/tokens", json=body)).status_code == 201


CHANGES = [
    (change_password, "Your password was changed"),
    (reset_password, "Your password was changed"),
    (replace_the_app, "An authenticator app was added"),
    (remove_the_app, "Your authenticator app was removed"),
    (renew_the_recovery_codes, "You have new recovery codes"),
    (add_a_passkey, "A passkey was added"),
    (forget_a_passkey, "A passkey was removed"),
    (an_operator_revokes_a_passkey, "A passkey was removed"),
    (an_operator_resets_the_second_factor, "Your second factor was removed"),
    (make_a_personal_token, "A personal access token was made"),
]


@pytest.mark.parametrize(("change", "subject"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
async def test_the_owner_is_notified_of_every_change_of_how_they_sign_in(
    here: Instance, sql: Sql, ada: Person, world: World, change: Callable[[Owner], Awaitable[None]], subject: str
) -> None:
    owner = Owner(here, sql, ada, await world.person("root", "superuser"), await enrol(ada.http, sql))
    await owner.prepare()
    await sql.execute("DELETE FROM deliveries")

    await change(owner)

    mails = await sql.fetch("SELECT recipient, subject, payload FROM deliveries")
    assert [(mail["recipient"], mail["subject"]) for mail in mails] == [(ada.email, subject)]
    assert "evil" not in mails[0]["payload"]


async def test_a_service_account_is_sent_no_mail(here: Instance, sql: Sql) -> None:
    async with here.database.session(worker_origin()) as session:
        robot = await add_service_account(session, OPERATOR, "robot", ["member"])
        await add_service_token(session, OPERATOR, robot.id, TokenIn(name="Robot", scopes=["tasks.view"]))

    assert await sql.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_the_owner_is_notified_of_the_tenth_wrong_code(here: Instance, ada: Person, sql: Sql) -> None:
    app = await enrol(ada.http, sql)
    half = (await here.login(ada.email)).json()["mfa_token"]

    for _ in range(9):
        await here.second_step(half, app.wrong_code())
    before = await sql.fetchval(GUESSING, ada.email)
    await asyncio.gather(*(here.second_step(half, app.wrong_code()) for _ in range(4)))

    assert (before, await sql.fetchval(GUESSING, ada.email)) == (0, 1)


async def test_fifty_codes_are_tried_in_a_day(database_url: str, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.POLICIES, "login", Policy("login", 1_000, 60, strict=True))
    async with instance(database_url, rate_limit="1000/minute") as here:
        ada = await here.world.person("ada")
        app = await enrol(ada.http, sql)
        half = (await here.login(ada.email)).json()["mfa_token"]

        wrong = [(await here.second_step(half, app.wrong_code())).status_code for _ in range(50)]
        refused = await here.second_step(half, await app.code())
        body = {"current_password": PASSWORD, "new_password": "a wholly different phrase"}
        await ada.http.post("/api/auth/password", json=body)
        half = (await here.login(ada.email, body["new_password"])).json()["mfa_token"]
        afterwards = await here.second_step(half, await app.code())

    assert wrong == [401] * 50
    assert (refused.status_code, refused.json()["violated-policies"]) == (429, ["codes"])
    assert 1_500 < int(refused.headers["retry-after"]) <= 86_400 / 50
    assert afterwards.status_code == 200
