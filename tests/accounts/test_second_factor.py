"""Authenticator apps and recovery codes: every code works once, and only for the one it belongs to."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import httpx
import pyotp
import pytest
from conftest import SECRET_KEY
from support.factories import PASSWORD, Person

from todo.access import worker_origin
from todo.database import Database, now
from todo.domain.accounts.services.codes import check_second_factor, new_recovery_code
from todo.setting_errors import SettingsError

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NOTHING = {"totp": False, "recovery_codes": 0, "passkeys": 0}


async def begin(person: Person, password: str = PASSWORD, **reauthentication: str) -> httpx.Response:
    return await person.http.post("/api/auth/mfa/totp", json={"password": password, **reauthentication})


async def confirm(person: Person, code: str) -> httpx.Response:
    return await person.http.post("/api/auth/mfa/totp/confirm", json={"code": code})


async def remove(person: Person, **reauthentication: Any) -> httpx.Response:
    return await person.http.request("DELETE", "/api/auth/mfa/totp", json=reauthentication)


async def renew(person: Person, **reauthentication: Any) -> httpx.Response:
    return await person.http.post("/api/auth/mfa/recovery-codes", json=reauthentication)


async def state(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = (await person.http.get("/api/auth/mfa")).json()
    return found


async def enrolled(person: Person) -> tuple[pyotp.TOTP, list[str]]:
    """An app that was confirmed with the code of this step, and the recovery codes."""
    app = pyotp.TOTP((await begin(person)).json()["secret"])
    answer = await confirm(person, app.now())
    assert answer.status_code == 200, answer.text
    return app, answer.json()["recovery_codes"]


async def check(database: Database, person: Person, code: str, at: datetime) -> str | None:
    async with database.session(worker_origin()) as session:
        return await check_second_factor(session, person.id, code, at, SECRET_KEY)


async def count(sql: Sql, table: str) -> int:
    found: int = await sql.fetchval(f"SELECT count(*) FROM {table}")
    return found


async def actions(sql: Sql) -> list[str]:
    rows = await sql.fetch("SELECT action FROM audit_events WHERE action <> 'accounts.register' ORDER BY id")
    return [row["action"] for row in rows]


def later(steps: int = 2) -> datetime:
    """A step in which no code was used yet."""
    return now() + timedelta(seconds=30 * steps)


async def test_in_the_beginning_there_is_only_the_password(ada: Person) -> None:
    assert await state(ada) == NOTHING


async def test_an_app_counts_once_it_is_confirmed(ada: Person, database: Database, sql: Sql) -> None:
    begun = await begin(ada)
    assert begun.status_code == 201
    assert await state(ada) == NOTHING
    app = pyotp.TOTP(begun.json()["secret"])
    assert await check(database, ada, app.at(later()), later()) is None

    confirmed = await confirm(ada, app.now())

    assert confirmed.status_code == 200
    assert len(set(confirmed.json()["recovery_codes"])) == 10
    assert await state(ada) == {"totp": True, "recovery_codes": 10, "passkeys": 0}
    assert await actions(sql) == ["accounts.totp_begin", "accounts.totp_confirm"]


async def test_the_uri_is_what_apps_read(ada: Person) -> None:
    begun = (await begin(ada)).json()

    app = pyotp.parse_uri(begun["otpauth_uri"])
    assert (app.name, app.issuer, app.secret) == (ada.email, "todo", begun["secret"])


async def test_adding_an_app_asks_for_the_password(ada: Person, sql: Sql) -> None:
    answer = await begin(ada, "not the right password")

    assert answer.status_code == 403
    assert await count(sql, "totp") == 0
    assert await actions(sql) == ["accounts.reauthentication_failed"]


async def test_who_has_no_password_adds_no_app(ada: Person, sql: Sql) -> None:
    await sql.execute("UPDATE users SET password_hash = NULL")

    assert (await begin(ada, "decoy")).status_code == 403


async def test_beginning_again_replaces_what_was_not_confirmed(ada: Person) -> None:
    first, second = (await begin(ada)).json()["secret"], (await begin(ada)).json()["secret"]

    assert (await confirm(ada, pyotp.TOTP(first).now())).status_code == 422
    assert (await confirm(ada, pyotp.TOTP(second).now())).status_code == 200


async def test_a_confirmed_app_is_not_replaced_in_passing(ada: Person, database: Database) -> None:
    app, codes = await enrolled(ada)

    assert (await begin(ada)).status_code == 403
    assert (await begin(ada, code=codes[0])).status_code == 409
    assert (await confirm(ada, app.at(later()))).status_code == 409
    assert await check(database, ada, app.at(later()), later()) == "otp"


async def test_a_wrong_code_confirms_nothing(ada: Person) -> None:
    app = pyotp.TOTP((await begin(ada)).json()["secret"])

    answer = await confirm(ada, app.at(later(20)))

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.code"]
    assert await state(ada) == NOTHING


async def test_there_is_nothing_to_confirm_before_it_was_begun(ada: Person) -> None:
    assert (await confirm(ada, "123456")).status_code == 409


async def test_the_first_code_is_spent_by_confirming(ada: Person, database: Database) -> None:
    app = pyotp.TOTP((await begin(ada)).json()["secret"])
    code = app.now()
    await confirm(ada, code)

    assert await check(database, ada, code, now()) is None


@pytest.mark.parametrize(("off", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_clock_may_be_one_step_off(ada: Person, database: Database, off: int, good: bool) -> None:
    app, _ = await enrolled(ada)
    at = later(10)

    assert await check(database, ada, app.at(at, counter_offset=off), at) == ("otp" if good else None)


async def test_no_step_works_twice_and_none_before_it(ada: Person, database: Database) -> None:
    app, _ = await enrolled(ada)
    at = later(10)
    assert await check(database, ada, app.at(at), at) == "otp"

    assert await check(database, ada, app.at(at), at) is None
    assert await check(database, ada, app.at(at, counter_offset=-1), at) is None
    assert await check(database, ada, app.at(at, counter_offset=1), at) == "otp"


@pytest.mark.parametrize("kind", ["otp", "recovery"])
async def test_of_twenty_at_once_one_gets_in(ada: Person, database: Database, kind: str) -> None:
    app, codes = await enrolled(ada)
    at = later()
    code = app.at(at) if kind == "otp" else codes[0]

    found = await asyncio.gather(*(check(database, ada, code, at) for _ in range(20)))

    assert sorted(found, key=str) == [None] * 19 + [kind]


async def test_a_recovery_code_works_once_however_it_is_typed(ada: Person, database: Database) -> None:
    _, codes = await enrolled(ada)

    assert await check(database, ada, codes[3].upper().replace("-", " "), now()) == "recovery"
    assert await check(database, ada, codes[3], now()) is None
    assert (await state(ada))["recovery_codes"] == 9


async def test_codes_are_of_use_to_nobody_else(ada: Person, bob: Person, database: Database) -> None:
    app, codes = await enrolled(ada)
    await enrolled(bob)

    assert await check(database, bob, app.at(later()), later()) is None
    assert await check(database, bob, codes[0], later()) is None


@pytest.mark.parametrize("code", ["", "000000", "------", "a" * 64, "12345", "１２３４５６", "\x00", "ü" * 6])
async def test_what_is_no_code_opens_nothing(ada: Person, database: Database, code: str) -> None:
    await enrolled(ada)

    assert await check(database, ada, code, datetime(2031, 1, 1, tzinfo=UTC)) is None


async def test_a_code_given_back_by_a_rollback_was_not_used(ada: Person, database: Database) -> None:
    app, _ = await enrolled(ada)
    at = later()

    with pytest.raises(LookupError):
        async with database.session(worker_origin()) as session:
            assert await check_second_factor(session, ada.id, app.at(at), at, SECRET_KEY) == "otp"
            raise LookupError

    assert await check(database, ada, app.at(at), at) == "otp"


async def test_the_app_is_removed_with_a_code(ada: Person, database: Database, sql: Sql) -> None:
    app, codes = await enrolled(ada)

    assert (await remove(ada, code=codes[0])).status_code == 204

    assert await state(ada) == NOTHING
    assert await check(database, ada, app.at(later()), later()) is None
    assert await check(database, ada, codes[1], now()) is None
    assert (await actions(sql))[-1] == "accounts.totp_remove"


WRONG = "not the right password"


@pytest.mark.parametrize(
    "reauthentication",
    [{}, {"password": WRONG}, {"code": "000000"}, {"password": PASSWORD}, {"password": PASSWORD, "code": "000000"}],
)
async def test_without_proof_nothing_is_removed_or_renewed(
    ada: Person, sql: Sql, reauthentication: dict[str, str]
) -> None:
    await enrolled(ada)

    assert (await remove(ada, **reauthentication)).status_code == 403
    assert (await renew(ada, **reauthentication)).status_code == 403

    assert await state(ada) == {"totp": True, "recovery_codes": 10, "passkeys": 0}
    assert (await actions(sql))[-2:] == ["accounts.reauthentication_failed"] * 2


async def test_what_is_not_there_is_not_removed_or_renewed(ada: Person) -> None:
    await begin(ada)

    assert (await remove(ada, password=PASSWORD)).status_code == 409
    assert (await renew(ada, password=PASSWORD)).status_code == 409


async def test_new_recovery_codes_end_the_old_ones(ada: Person, database: Database) -> None:
    _, old = await enrolled(ada)

    answer = await renew(ada, code=old[1])

    new = answer.json()["recovery_codes"]
    assert answer.status_code == 200
    assert (await state(ada))["recovery_codes"] == 10
    assert await check(database, ada, old[0], now()) is None
    assert await check(database, ada, new[0], now()) == "recovery"


async def test_renewing_many_times_at_once_leaves_ten(ada: Person) -> None:
    _, codes = await enrolled(ada)

    await asyncio.gather(*(renew(ada, code=code) for code in codes[:5]))

    assert (await state(ada))["recovery_codes"] == 10


async def test_no_secret_is_stored_as_it_is(ada: Person, sql: Sql) -> None:
    app, codes = await enrolled(ada)

    stored = await sql.fetchval("SELECT secret FROM totp")
    texts = str(await sql.fetch("SELECT t::text FROM totp AS t UNION ALL SELECT c::text FROM recovery_codes AS c"))
    events = str(await sql.fetch("SELECT e::text FROM audit_events AS e"))
    assert app.secret.encode() not in stored
    for secret in (app.secret, PASSWORD, *codes):
        assert secret not in texts + events
        assert secret.encode().hex() not in texts + events


async def test_an_encrypted_secret_is_of_no_use_in_another_row(
    ada: Person, bob: Person, database: Database, sql: Sql
) -> None:
    app, _ = await enrolled(ada)
    await enrolled(bob)
    await sql.execute("UPDATE totp SET secret = (SELECT secret FROM totp WHERE user_id = $1)", ada.id)

    with pytest.raises(SettingsError):
        await check(database, bob, app.at(later()), later())


def test_recovery_codes_are_eighty_bits() -> None:
    codes = {new_recovery_code() for _ in range(100)}

    assert len(codes) == 100
    assert {len(code.replace("-", "")) for code in codes} == {16}


@pytest.mark.parametrize("body", [{"code": "123456", "user_id": "x"}, {"code": 123456}, {"code": "1"}, {}])
async def test_other_bodies_are_refused(ada: Person, body: dict[str, Any]) -> None:
    assert (await ada.http.post("/api/auth/mfa/totp/confirm", json=body)).status_code == 422
