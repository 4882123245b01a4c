"""Accounts of people from identity providers: one each, and never somebody else's."""

import asyncio
import json
from typing import Any, TypeAlias

import asyncpg
import httpx
import jwt
import pytest
from conftest import serving, settings_for
from support.factories import World
from support.issuer import FakeIssuer, Trust, refused

from todo.app import create_app
from todo.database import Database
from todo.domain.accounts.services.identity_providers import IdentityProviders
from todo.http.limits import POLICIES
from todo.http.token_bucket import Policy

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
PEOPLE = """
    SELECT u.id, u.email, u.name, u.email_verified_at, i.issuer, i.subject, i.email AS claimed
    FROM users u JOIN identities i ON i.user_id = u.id
"""


async def test_a_good_token_opens_an_account_of_a_member_and_the_same_one_again(
    issuers: IdentityProviders, issuer: FakeIssuer, sql: Sql
) -> None:
    token = issuer.token(roles=["superuser"], scope="*", role="admin", permissions=["*"], name="Ada")

    user_id, ends, *_ = await issuers.verify(token)

    assert issuers.knows(token)
    assert ends == jwt.decode(token, options={"verify_signature": False})["exp"]
    assert (await issuers.verify(issuer.token()))[0] == user_id
    (person,) = await sql.fetch(PEOPLE)
    assert (person["id"], person["name"], person["issuer"]) == (user_id, "Ada", issuer.url)
    roles = await sql.fetch("SELECT name FROM roles JOIN user_roles ON role_id = roles.id")
    assert [role["name"] for role in roles] == ["member"]
    (noted,) = await sql.fetch("SELECT action, subject_id, after FROM audit_events WHERE action LIKE 'accounts.%'")
    assert (noted["action"], noted["subject_id"]) == ("accounts.provision", user_id)
    assert json.loads(noted["after"])["issuer"] == issuer.url


async def test_twenty_first_requests_at_once_make_one_account(trust: Trust, issuer: FakeIssuer, sql: Sql) -> None:
    """From two processes, as it were: each has its own memory."""
    one, two = trust(issuer.settings()), trust(issuer.settings())
    token = issuer.token(email="ada@example.com", email_verified=True)

    found = await asyncio.gather(*(issuers.verify(token) for issuers in [one, two] * 10))

    assert len({user_id for user_id, *_ in found}) == 1
    for table in ("users", "identities", "audit_events"):
        assert await sql.fetchval(f"SELECT count(*) FROM {table}") == 1


async def test_twenty_people_with_one_address_are_twenty_and_one_has_it(
    issuers: IdentityProviders, issuer: FakeIssuer, sql: Sql
) -> None:
    tokens = [issuer.token(sub=f"s{n}", email="ada@example.com", email_verified=True) for n in range(20)]

    found = await asyncio.gather(*map(issuers.verify, tokens))

    assert len({user_id for user_id, *_ in found}) == 20
    assert await sql.fetchval("SELECT count(*) FROM users WHERE email = 'ada@example.com'") == 1


async def test_the_same_subject_at_two_issuers_is_two_people(
    trust: Trust, issuer: FakeIssuer, other: FakeIssuer, sql: Sql
) -> None:
    issuers = trust(issuer.settings(), other.settings())
    claims = {"sub": "1", "email": "ada@example.com", "email_verified": True}

    ada, not_ada = await issuers.verify(issuer.token(**claims)), await issuers.verify(other.token(**claims))

    assert ada[0] != not_ada[0]
    assert {row["subject"] for row in await sql.fetch(PEOPLE)} == {"1"}


async def test_subjects_differ_by_case(issuers: IdentityProviders, issuer: FakeIssuer) -> None:
    upper, lower = await issuers.verify(issuer.token(sub="A")), await issuers.verify(issuer.token(sub="a"))

    assert upper[0] != lower[0]


async def test_a_steady_state_asks_no_database(
    issuers: IdentityProviders, issuer: FakeIssuer, database: Database
) -> None:
    await issuers.verify(issuer.token())
    await issuers.verify(issuer.token())
    issuers._database = None  # type: ignore[assignment]  # whoever asks it now fails

    await issuers.verify(issuer.token())


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ada@example.com"},
        {"email": "ada@example.com", "email_verified": False},
        {"email": "ada@example.com", "email_verified": "true"},
        {"email": "ada@example.com", "email_verified": 1},
        {"email": "ada@example.com", "email_verified": False, "emailVerified": True},
        {"email": "ada@example.com", "email_verified": True},
        {"email": " ADA@Example.com", "email_verified": True},
        {"email": "ad\uff41@example.com", "email_verified": True},
        {"email": ["ada@example.com"], "email_verified": True},
        {"email": "ada@example.com\x00", "email_verified": True},
        {"sub": "ada@example.com"},
    ],
    ids=repr,
)
async def test_an_account_is_not_taken_over_by_naming_its_address(
    trust: Trust, issuer: FakeIssuer, world: World, sql: Sql, claims: dict[str, Any]
) -> None:
    ada = await world.person("ada", "superuser")
    for entry in (issuer.settings(), issuer.settings(link_by_verified_email=True)):  # Ada has not proven her address
        await sql.execute("DELETE FROM identities")
        user_id, *_ = await trust(entry).verify(issuer.token(**claims))

        assert user_id != ada.id
        email = await sql.fetchval("SELECT email FROM users WHERE id = $1", user_id)
        assert email == f"{user_id.hex}@127.0.0.1.invalid"


@pytest.mark.parametrize(
    ("linking", "address", "verified", "linked"),
    [
        (True, "ADA@example.com", True, True),
        (True, "ada@example.com", False, False),
        (True, "eve@example.com", True, False),
        (False, "ada@example.com", True, False),
    ],
)
async def test_linking_needs_the_setting_and_proof_on_both_sides(
    trust: Trust, issuer: FakeIssuer, world: World, sql: Sql, linking: bool, address: str, verified: bool, linked: bool
) -> None:
    ada = await world.person("ada")
    await sql.execute("UPDATE users SET email_verified_at = now()")
    issuers = trust(issuer.settings(link_by_verified_email=linking))

    user_id, *_ = await issuers.verify(issuer.token(email=address, email_verified=verified))

    assert (user_id == ada.id) is linked
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'accounts.link'") == int(linked)


async def test_letters_that_turn_into_ascii_link_to_nobody(
    trust: Trust, issuer: FakeIssuer, world: World, sql: Sql
) -> None:
    """KELVIN SIGN is `k` in lower case."""
    kim = await world.person("kim")
    await sql.execute("UPDATE users SET email_verified_at = now()")
    issuers = trust(issuer.settings(link_by_verified_email=True))

    assert (await issuers.verify(issuer.token(email="\u212aim@example.com", email_verified=True)))[0] != kim.id


@pytest.mark.parametrize("believed", [True, False])
async def test_a_free_address_is_theirs_and_proven_only_where_the_issuer_is_believed(
    trust: Trust, issuer: FakeIssuer, sql: Sql, believed: bool
) -> None:
    issuers = trust(issuer.settings(link_by_verified_email=believed))

    await issuers.verify(issuer.token(email="Ada@Example.com", emailVerified=True))

    (person,) = await sql.fetch(PEOPLE)
    assert person["email"] == person["claimed"] == "ada@example.com"
    assert (person["email_verified_at"] is not None) is believed


@pytest.mark.parametrize("name", [None, 7, ["Ada"], "A\x00d\x1b[31ma\n", "x" * 5000, "\ud800"])
async def test_a_name_is_what_can_be_shown_of_it(
    issuers: IdentityProviders, issuer: FakeIssuer, sql: Sql, name: Any
) -> None:
    await issuers.verify(issuer.token(name=name))

    stored = await sql.fetchval("SELECT name FROM users")
    assert stored.isprintable()
    assert len(stored) <= 200


async def test_nobody_new_where_the_settings_admit_nobody(trust: Trust, issuer: FakeIssuer, sql: Sql) -> None:
    await refused(trust(issuer.settings(auto_provision=False)).verify(issuer.token()))
    assert await sql.fetchval("SELECT count(*) FROM users") == 0

    user_id, *_ = await trust(issuer.settings()).verify(issuer.token())
    assert (await trust(issuer.settings(auto_provision=False)).verify(issuer.token()))[0] == user_id


async def test_an_issuer_opens_so_many_accounts_an_hour_and_no_more(
    database_url: str, issuer: FakeIssuer, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POLICIES, "provision", Policy("provision", 3, 3600, strict=True))
    settings = settings_for(database_url, rate_limit="100/minute", issuers=[issuer.settings()])
    async with serving(create_app(settings)) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            bearer = [{"Authorization": f"Bearer {issuer.token(sub=str(n))}"} for n in range(5)]
            answers = [await client.get("/api/auth/me", headers=headers) for headers in bearer]
            again = await client.get("/api/auth/me", headers=bearer[0])

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert int(answers[3].headers["retry-after"]) > 0
    assert again.status_code == 200
    assert await sql.fetchval("SELECT count(*) FROM users") == 3
