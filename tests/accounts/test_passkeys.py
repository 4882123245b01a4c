"""Passkeys, with an authenticator made of software: each answer is for one address, one challenge, one use."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
from conftest import SECRET_KEY, settings_for
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.factories import PASSWORD, Person
from webauthn.helpers import bytes_to_base64url as b64
from webauthn.helpers import encode_cbor

from todo.access import worker_origin
from todo.database import Database, now
from todo.domain.accounts.services import passkeys as module
from todo.domain.accounts.services.passkeys import Site, check_passkey, sign_in_options

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
SITE = Site("localhost", "http://localhost:8000", SECRET_KEY)
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """What a phone or a security key does, and whatever a hostile one might do instead."""

    def __init__(self, credential_id: bytes = b"credential of ada"):
        self.id = credential_id
        self.key = Ed25519PrivateKey.generate()
        self.rp_id, self.origin = SITE.rp_id, SITE.origin
        self.flags = PRESENT | VERIFIED
        self.count = 0
        self.user_handle: bytes | None = None

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        cose = encode_cbor({1: 1, 3: -8, -1: 6, -2: public})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose
        data = self._data(ATTESTED) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer("webauthn.create", options, attestationObject=b64(attestation))

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        answer = self._answer("webauthn.get", options)
        data = self._data()
        client_data = base64.urlsafe_b64decode(answer["response"]["clientDataJSON"] + "==")
        signature = self.key.sign(data + sha256(client_data).digest())
        answer["response"] |= {"authenticatorData": b64(data), "signature": b64(signature)}
        answer["response"]["userHandle"] = b64(self.user_handle) if self.user_handle else None
        return answer

    def _data(self, more: int = 0) -> bytes:
        return sha256(self.rp_id.encode()).digest() + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _answer(self, kind: str, options: dict[str, Any], **response: str) -> dict[str, Any]:
        client_data = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        response["clientDataJSON"] = b64(json.dumps(client_data).encode())
        return {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response,
                "clientExtensionResults": {}}  # fmt: skip


@pytest.fixture
def phone() -> Authenticator:
    return Authenticator()


async def begin(person: Person, password: str = PASSWORD, **reauthentication: Any) -> httpx.Response:
    return await person.http.post("/api/auth/passkeys/options", json={"password": password, **reauthentication})


async def shown(person: Person, phone: Authenticator) -> dict[str, Any]:
    """The passkey as a proof of who is acting."""
    begun = (await person.http.post("/api/auth/login/passkey/options")).json()
    return {"passkey": {"state": begun["state"], "credential": phone.sign(begun["options"])}}


async def entered(client: httpx.AsyncClient, phone: Authenticator) -> dict[str, str]:
    """The headers of a session that a passkey began."""
    begun = (await client.post("/api/auth/login/passkey/options")).json()
    answer = {"state": begun["state"], "credential": phone.sign(begun["options"])}
    tokens = (await client.post("/api/auth/login/passkey", json=answer)).json()
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def add(person: Person, begun: dict[str, Any], credential: Any) -> httpx.Response:
    body = {"name": "My phone", "state": begun["state"], "credential": credential}
    return await person.http.post("/api/auth/passkeys", json=body)


async def added(person: Person, phone: Authenticator) -> dict[str, Any]:
    begun = (await begin(person)).json()
    answer = await add(person, begun, phone.make(begun["options"]))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def check(database: Database, state: str, credential: Any) -> UUID | None:
    async with database.session(worker_origin()) as session:
        found = await check_passkey(session, SITE, state, credential)
    return found and found.user_id


async def sign_in(database: Database, phone: Authenticator) -> UUID | None:
    begun = sign_in_options(SITE)
    return await check(database, begun.state, phone.sign(begun.options))


async def listed(person: Person) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await person.http.get("/api/auth/passkeys")).json()["items"]
    return items


async def test_a_passkey_signs_in_the_one_it_belongs_to(
    ada: Person, bob: Person, database: Database, phone: Authenticator, sql: Sql
) -> None:
    passkey = await added(ada, phone)

    assert await sign_in(database, phone) == ada.id
    assert await sign_in(database, phone) == ada.id

    (shown,) = await listed(ada)
    assert shown == passkey | {"used_at": shown["used_at"]}
    assert shown["used_at"] is not None
    assert (await ada.http.get("/api/auth/mfa")).json()["passkeys"] == 1
    assert await sql.fetchval("SELECT count(*) FROM audit_events WHERE action = 'passkeys.add'") == 1


async def test_the_options_ask_for_what_is_needed(ada: Person, phone: Authenticator) -> None:
    await added(ada, phone)

    options = (await begin(ada, **await shown(ada, phone))).json()["options"]

    assert options["rp"] == {"id": "localhost", "name": "todo"}
    assert options["user"]["id"] == b64(ada.id.bytes)
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert [known["id"] for known in options["excludeCredentials"]] == [b64(phone.id)]


def test_the_options_of_a_sign_in_name_nobody() -> None:
    options = sign_in_options(SITE).options

    assert options["userVerification"] == "required"
    assert options["rpId"] == "localhost"
    assert not options["allowCredentials"]


async def test_adding_one_asks_for_the_password(ada: Person) -> None:
    assert (await begin(ada, "not the right password")).status_code == 403


def wrong_origin(phone: Authenticator) -> None:
    phone.origin = "https://evil.example"


def wrong_site(phone: Authenticator) -> None:
    phone.rp_id = "evil.example"


def not_verified(phone: Authenticator) -> None:
    phone.flags = PRESENT


def not_present(phone: Authenticator) -> None:
    phone.flags = VERIFIED


def another_key(phone: Authenticator) -> None:
    phone.key = Ed25519PrivateKey.generate()


def another_id(phone: Authenticator) -> None:
    phone.id = b"somebody else's"


def another_user(phone: Authenticator) -> None:
    phone.user_handle = bytes(16)


@pytest.mark.parametrize("spoil", [wrong_origin, wrong_site, not_verified, not_present])
async def test_an_authenticator_that_did_something_else_is_not_added(
    ada: Person, phone: Authenticator, spoil: Callable[[Authenticator], None]
) -> None:
    spoil(phone)
    begun = (await begin(ada)).json()

    answer = await add(ada, begun, phone.make(begun["options"]))

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.credential"]
    assert await listed(ada) == []


@pytest.mark.parametrize(
    "spoil", [wrong_origin, wrong_site, not_verified, not_present, another_key, another_id, another_user]
)
async def test_an_authenticator_that_did_something_else_signs_nobody_in(
    ada: Person, database: Database, phone: Authenticator, spoil: Callable[[Authenticator], None]
) -> None:
    await added(ada, phone)
    phone.user_handle = ada.id.bytes
    assert await sign_in(database, phone) == ada.id

    spoil(phone)

    assert await sign_in(database, phone) is None


async def test_the_answer_to_another_challenge_is_none(ada: Person, database: Database, phone: Authenticator) -> None:
    first, second = (await begin(ada)).json(), (await begin(ada)).json()
    assert (await add(ada, second, phone.make(first["options"]))).status_code == 422
    await added(ada, phone)

    one, other = sign_in_options(SITE), sign_in_options(SITE)

    assert await check(database, other.state, phone.sign(one.options)) is None


async def test_a_state_is_for_one_person_and_one_purpose(
    ada: Person, bob: Person, database: Database, phone: Authenticator
) -> None:
    begun, signing = (await begin(ada)).json(), sign_in_options(SITE)

    stolen = await add(bob, begun, phone.make(begun["options"]))
    misused = await add(ada, {"state": signing.state}, phone.make(signing.options))
    await added(ada, phone)

    for answer in (stolen, misused):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["body.state"]
    assert await check(database, begun["state"], phone.sign(begun["options"])) is None


async def test_challenges_end_after_five_minutes(
    ada: Person, database: Database, phone: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await added(ada, phone)
    begun, signing = (await begin(ada, **await shown(ada, phone))).json(), sign_in_options(SITE)

    monkeypatch.setattr(module, "now", lambda: now() + timedelta(seconds=301))

    assert (await add(ada, begun, phone.make(begun["options"]))).status_code == 422
    assert await check(database, signing.state, phone.sign(signing.options)) is None


@pytest.mark.parametrize("counts", [True, False])
async def test_an_answer_works_once_even_of_twenty_at_once(
    ada: Person, database: Database, phone: Authenticator, counts: bool
) -> None:
    await added(ada, phone)
    phone.count = 7 if counts else 0
    begun = sign_in_options(SITE)
    answer = phone.sign(begun.options)

    found = await asyncio.gather(*(check(database, begun.state, answer) for _ in range(20)))

    assert [user for user in found if user is not None] == [ada.id]
    assert await check(database, begun.state, answer) is None


async def test_an_authenticator_that_was_copied_is_noticed(
    ada: Person, database: Database, phone: Authenticator
) -> None:
    await added(ada, phone)
    phone.count = 5
    assert await sign_in(database, phone) == ada.id

    phone.count = 4
    assert await sign_in(database, phone) is None
    phone.count = 6
    assert await sign_in(database, phone) == ada.id


async def test_registering_twice_is_a_conflict(ada: Person, bob: Person, phone: Authenticator) -> None:
    begun = (await begin(ada)).json()
    answer = phone.make(begun["options"])
    assert (await add(ada, begun, answer)).status_code == 201
    assert (await add(ada, begun, answer)).status_code == 422

    again = (await begin(ada, **await shown(ada, phone))).json()
    assert (await add(ada, again, phone.make(again["options"]))).status_code == 409
    theirs = (await begin(bob)).json()
    assert (await add(bob, theirs, phone.make(theirs["options"]))).status_code == 409


async def test_a_deleted_passkey_signs_nobody_in(
    client: httpx.AsyncClient, ada: Person, bob: Person, database: Database, phone: Authenticator
) -> None:
    passkey = await added(ada, phone)
    ada.http.headers.update(await entered(client, phone))
    path = f"/api/auth/passkeys/{passkey['id']}"
    assert (await bob.http.delete(path)).status_code == 404
    assert await sign_in(database, phone) == ada.id

    assert (await ada.http.delete(path)).status_code == 204

    assert await sign_in(database, phone) is None
    assert await listed(ada) == []
    assert (await ada.http.delete(path)).status_code == 404


@pytest.mark.parametrize("status", ["disabled", "leaving"])
async def test_somebody_disabled_is_not_signed_in(
    ada: Person, database: Database, phone: Authenticator, sql: Sql, status: str
) -> None:
    await added(ada, phone)

    await sql.execute("UPDATE users SET status = $1", status)

    assert await sign_in(database, phone) is None


HOSTILE: list[Any] = [
    {},
    {"id": 1},
    {"id": "", "rawId": "", "type": "public-key", "response": {}},
    {"id": "ä", "rawId": "ä", "type": "public-key", "response": {"clientDataJSON": "ä", "attestationObject": "ä"}},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA", "attestationObject": "AA"}},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": b64(b"[]"), "signature": "AA",
     "authenticatorData": "AA", "attestationObject": b64(b"\x9b" + b"\xff" * 8)}},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": b64(b"null"), "signature": "AA",
     "authenticatorData": b64(bytes(37)), "attestationObject": b64(b"\x81" * 5000)}},
]  # fmt: skip


@pytest.mark.parametrize("credential", HOSTILE)
async def test_hostile_answers_are_refused(ada: Person, database: Database, credential: Any) -> None:
    begun = (await begin(ada)).json()

    assert (await add(ada, begun, credential)).status_code == 422
    assert await check(database, sign_in_options(SITE).state, credential) is None


@pytest.mark.parametrize(
    "key", [{}, {1: "a", 3: -8}, {1: 1, 3: -8, -1: 6, -2: 5}, {1: 2, 3: -7, -1: 1, -2: b"", -3: b""}, 7]
)
async def test_hostile_keys_do_no_harm(
    ada: Person, database: Database, phone: Authenticator, sql: Sql, key: Any
) -> None:
    await added(ada, phone)
    await sql.execute("UPDATE passkeys SET public_key = $1", encode_cbor(key))

    assert await sign_in(database, phone) is None


async def test_an_endless_id_is_refused(ada: Person) -> None:
    phone = Authenticator(bytes(5000))
    begun = (await begin(ada)).json()

    assert (await add(ada, begun, phone.make(begun["options"]))).status_code == 422


@pytest.mark.parametrize("state", ["A", "AAAA", "====", "a" * 500, "-_-_"])
async def test_a_state_that_is_none_of_ours_is_refused(
    ada: Person, database: Database, phone: Authenticator, state: str
) -> None:
    begun = (await begin(ada)).json()

    answer = await add(ada, {"state": state}, phone.make(begun["options"]))

    assert answer.status_code == 422
    assert await check(database, state, phone.sign(begun["options"])) is None


@pytest.mark.parametrize(
    ("public_url", "rp_id", "origin"),
    [
        ("", "localhost", "http://localhost:8000"),
        ("https://Todo.Example.com", "todo.example.com", "https://todo.example.com"),
        ("https://todo.example.com:443/x/", "todo.example.com", "https://todo.example.com"),
        ("https://todo.example.com:8443", "todo.example.com", "https://todo.example.com:8443"),
    ],
)
def test_passkeys_are_bound_to_the_public_address(public_url: str, rp_id: str, origin: str) -> None:
    assert Site.of(settings_for("", public_url=public_url), SECRET_KEY) == Site(rp_id, origin, SECRET_KEY)
