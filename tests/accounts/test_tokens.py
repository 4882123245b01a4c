"""Access tokens: only our own, in time, for the one they name."""

import asyncio
import base64
import time
from typing import Any, TypeAlias

import asyncpg
import httpx
import jwt
import pytest
from conftest import SECRET_KEY, settings_for
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.factories import Person, World, origin_for

from todo.access import ANYBODY, Actor
from todo.database import Database, Direct
from todo.domain.accounts.services.authentication import Authenticator
from todo.domain.accounts.services.keys import TokenKeys, Verified, decrypt_key, new_signing_key
from todo.setting_errors import SettingsError
from todo.settings import SecretKey, Settings

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw


class Mint:
    """Makes tokens with our own key that differ from good ones in one point."""

    def __init__(self, ada: Person, keys: TokenKeys):
        assert keys._active is not None
        self.kid, self.key = keys._active
        self.good: dict[str, Any] = jwt.decode(ada.token, options={"verify_signature": False})

    def token(
        self, key: Any = None, algorithm: str = "EdDSA", typ: Any = "at+jwt", kid: Any = "", **claims: Any
    ) -> str:
        payload = {name: value for name, value in (self.good | claims).items() if value is not None}
        headers = {"typ": typ} | ({} if kid is None else {"kid": kid or self.kid})
        return jwt.encode(payload, key or self.key, algorithm=algorithm, headers=headers)


@pytest.fixture
def mint(world: World, ada: Person) -> Mint:
    return Mint(ada, world.sign_in.keys)


async def status(client: httpx.AsyncClient, credential: str | bytes) -> int:
    answer = await client.get("/api/auth/me", headers={"authorization": credential})
    if answer.status_code == 401:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith('Bearer realm="todo", error="invalid_')
    return answer.status_code


async def test_a_token_as_we_make_it_opens(client: httpx.AsyncClient, mint: Mint) -> None:
    assert await status(client, f"Bearer {mint.token()}") == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
async def test_the_name_of_the_scheme_may_be_written_in_any_case(
    client: httpx.AsyncClient, mint: Mint, scheme: str
) -> None:
    assert await status(client, f"{scheme} {mint.token()}") == 200


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iss": "somebody else"},
        {"iss": None},
        {"aud": "somebody else"},
        {"aud": None},
        {"sub": None},
        {"sub": "root"},
        {"sub": "0190f5f0-7c1d-7000-8000-000000000000"},
        {"iat": None},
        {"iat": 10**10},
        {"nbf": 10**10},
        {"typ": None},
        {"typ": "JWT"},
        {"typ": "rt+jwt"},
        {"kid": None},
        {"kid": "0190f5f0-7c1d-7000-8000-000000000000"},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"key": Ed25519PrivateKey.generate()},
    ],
)
async def test_a_token_that_differs_in_one_point_is_refused(
    client: httpx.AsyncClient, mint: Mint, change: dict[str, Any]
) -> None:
    assert await status(client, f"Bearer {mint.token(**change)}") == 401


async def test_a_token_is_refused_from_the_second_it_ends(client: httpx.AsyncClient, mint: Mint) -> None:
    token = mint.token(exp=int(time.time()) + 1)
    assert await status(client, f"Bearer {token}") == 200

    await asyncio.sleep(1.05)

    assert await status(client, f"Bearer {token}") == 401


async def test_an_unsigned_token_is_refused(client: httpx.AsyncClient, mint: Mint) -> None:
    token = jwt.encode(mint.good, None, algorithm="none", headers={"typ": "at+jwt", "kid": mint.kid})

    assert await status(client, f"Bearer {token}") == 401


async def test_our_public_key_is_no_shared_secret(client: httpx.AsyncClient, mint: Mint) -> None:
    secret = mint.key.public_key().public_bytes(*RAW)

    assert await status(client, f"Bearer {mint.token(secret, 'HS256')}") == 401


async def test_a_token_that_was_altered_is_refused(client: httpx.AsyncClient, mint: Mint) -> None:
    head, _, signature = mint.token().split(".")
    claims = base64.urlsafe_b64encode(b'{"sub": "root"}').rstrip(b"=").decode()

    assert await status(client, f"Bearer {head}.{claims}.{signature}") == 401


DEEP = base64.urlsafe_b64encode(b'{"alg":"EdDSA","x":' + b"[" * 5_900 + b"}").rstrip(b"=").decode()


@pytest.mark.parametrize(
    "credential",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer ..",
        "Bearer a.b.c",
        "Bearer a.b.c.d.e",
        "Bearer \x00",
        "Bearer ü".encode(),
        b"Bearer \xff\xfe",
        "Bearer " + "a" * 8_193,
        "Bearer " + "." * 100_000,
        f"Bearer {DEEP}.e30.AA",
        "Bearer bnVsbA.bnVsbA.AA",
        "Bearer W10.W10.AA",
        "Basic YWRhOnBhc3N3b3Jk",
        "Token x",
        "",
        ",",
    ],
    ids=lambda credential: repr(credential)[:24],
)
async def test_whatever_else_is_sent_is_refused(
    client: httpx.AsyncClient, ada: Person, credential: str | bytes
) -> None:
    assert await status(client, credential) == 401


async def test_a_token_beyond_8_kib_is_not_read(client: httpx.AsyncClient, mint: Mint) -> None:
    assert await status(client, f"Bearer {mint.token(x='a' * 7_000)}") == 401


def authenticator(database: Database, world: World, settings: Settings) -> Authenticator:
    return Authenticator(database, world.sign_in.keys, settings, world.sign_in.tokens, world.sign_in.issuers)


async def test_in_the_steady_state_nobody_asks_the_database_who_it_is(
    database: Database, world: World, ada: Person, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []
    really = Direct._rows

    async def rows(self: Direct, *arguments: Any) -> Any:
        fetched.append(arguments)
        return await really(self, *arguments)

    monkeypatch.setattr(Direct, "_rows", rows)
    authenticate = authenticator(database, world, settings_for(database_url, actor_cache_seconds=5))

    first = await authenticate(ada.token, origin_for(ANYBODY))
    again = [await authenticate(ada.token, origin_for(ANYBODY)) for _ in range(20)]

    assert isinstance(first, Actor)
    assert again == [first] * 20
    assert len(fetched) == 1


async def test_with_no_memory_rights_are_read_every_time(
    database: Database, world: World, ada: Person, database_url: str, sql: Sql
) -> None:
    authenticate = authenticator(database, world, settings_for(database_url, actor_cache_seconds=0))
    assert isinstance(await authenticate(ada.token, origin_for(ANYBODY)), Actor)

    await sql.execute("UPDATE users SET status = 'disabled'")

    assert not isinstance(await authenticate(ada.token, origin_for(ANYBODY)), Actor)


async def test_a_process_that_has_just_started_refuses_no_good_token(
    database: Database, settings: Settings, ada: Person, bob: Person
) -> None:
    keys = TokenKeys(database, settings, SECRET_KEY)

    found = await asyncio.gather(*(keys.verify(person.token) for person in (ada, bob)), return_exceptions=True)

    assert [verified.user_id for verified in found if isinstance(verified, Verified)] == [ada.id, bob.id]


async def test_after_a_failed_read_of_the_keys_a_good_token_is_good(
    database: Database, settings: Settings, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> Any:
        raise ConnectionRefusedError

    keys = TokenKeys(database, settings, SECRET_KEY)
    with monkeypatch.context() as patch, pytest.raises(ConnectionRefusedError):
        patch.setattr(Direct, "_rows", away)
        await keys.verify(ada.token)

    holder = (await keys.verify(ada.token)).user_id

    assert holder == ada.id


async def test_a_token_of_a_key_made_elsewhere_since_is_known_after_a_while(
    database: Database, settings: Settings, ada: Person, sql: Sql
) -> None:
    keys = TokenKeys(database, settings, SECRET_KEY)
    await keys.load()
    keys._public.clear()  # as if the key had been added by another process after this one read them
    keys._loaded_at -= 2  # and a while has passed

    holder = (await keys.verify(ada.token)).user_id

    assert holder == ada.id


async def test_private_keys_are_encrypted_at_rest(ada: Person, sql: Sql) -> None:
    row = await sql.fetchrow("SELECT public_key, private_key FROM signing_keys WHERE status = 'active'")

    key = decrypt_key(row["private_key"], SECRET_KEY)
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    assert key.public_key().public_bytes(*RAW) == row["public_key"]
    assert raw not in row["private_key"]
    assert len(row["private_key"]) == 12 + 32 + 16


def test_no_two_keys_are_encrypted_alike() -> None:
    first, second = new_signing_key(SECRET_KEY), new_signing_key(SECRET_KEY)

    assert first.public_key != second.public_key
    assert first.private_key[:12] != second.private_key[:12]


async def test_with_another_secret_the_keys_stay_closed(database: Database, settings: Settings, ada: Person) -> None:
    keys = TokenKeys(database, settings, SecretKey("another secret, just as long as it must be"))

    with pytest.raises(SettingsError, match="TODO_SECRET_KEY"):
        await keys.load()


async def test_without_a_key_nothing_is_signed(database: Database, settings: Settings, ada: Person, sql: Sql) -> None:
    keys = TokenKeys(database, settings, SECRET_KEY)
    await sql.execute("UPDATE signing_keys SET status = 'retired'")
    try:
        with pytest.raises(SettingsError, match="todo migrate"):
            await keys.sign(ada.id)
        holder = (await keys.verify(ada.token)).user_id
    finally:
        await sql.execute("UPDATE signing_keys SET status = 'active'")

    assert holder == ada.id
