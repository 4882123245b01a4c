"""The keys that sign our own access tokens."""

import asyncio
import os
import time
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from uuid_utils.compat import uuid7

from todo.database import Database, Query
from todo.domain.accounts.models import KEY, SigningKey
from todo.errors import Unauthorized
from todo.settings import Settings, SettingsError

KEYS = Query(
    lambda *row: row,
    select(KEY.id, KEY.status, KEY.public_key, KEY.private_key).order_by(KEY.created_at.desc()),
)


class TokenKeys:
    """Signs and verifies our own access tokens (JWT, EdDSA, RFC 9068) with keys kept in the database."""

    def __init__(self, database: Database, settings: Settings, secret: str):
        self._database = database
        self._settings = settings
        self._secret = secret
        self._public: dict[str, Ed25519PublicKey] = {}
        self._active: tuple[str, Ed25519PrivateKey] | None = None
        self._next_load = 0.0
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Read the keys; raises SettingsError when the secret key is not the one they were encrypted with."""
        rows = await self._database.reads.all(KEYS)
        self._public = {str(kid): Ed25519PublicKey.from_public_bytes(public) for kid, _, public, _ in rows}
        active = next(((kid, private) for kid, status, _, private in rows if status == "active"), None)
        if active:
            self._active = str(active[0]), decrypt_key(active[1], self._secret)
        self._next_load = time.monotonic() + 5

    async def sign(self, user_id: UUID) -> str:
        if self._active is None:
            await self.load()
        if self._active is None:
            raise SettingsError("There is no signing key yet: run `todo migrate`.")
        kid, key = self._active
        issued = int(time.time())
        claims = {
            "iss": self._settings.issuer, "aud": self._settings.issuer, "sub": str(user_id), "client_id": "todo",
            "iat": issued, "exp": issued + self._settings.access_token_seconds, "jti": str(uuid7()),
        }  # fmt: skip
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"})

    async def verify(self, token: str) -> tuple[UUID, int]:
        """The holder and the second the token ends at; raises Unauthorized."""
        try:
            header = jwt.get_unverified_header(token) if len(token) <= 8192 else {}
            key = await self._key(header)
            claims = jwt.decode(
                token, key, algorithms=["EdDSA"], issuer=self._settings.issuer, audience=self._settings.issuer,
                leeway=5, options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )  # fmt: skip
            return UUID(claims["sub"]), int(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The token has expired; sign in again.", error="invalid_token") from None
        except (jwt.PyJWTError, ValueError):
            raise Unauthorized("The token is not valid.", error="invalid_token") from None

    async def _key(self, header: dict[str, Any]) -> Ed25519PublicKey:
        kid = header.get("kid")
        if header.get("typ") != "at+jwt" or not isinstance(kid, str):
            raise jwt.InvalidTokenError
        if kid not in self._public:
            async with self._lock:  # whoever comes meanwhile waits for the keys instead of being refused
                if time.monotonic() >= self._next_load:
                    await self.load()
        if kid not in self._public:
            raise jwt.InvalidTokenError
        return self._public[kid]


def _cipher(secret: str) -> AESGCM:
    return AESGCM(sha256(b"todo signing keys" + secret.encode()).digest())


def new_signing_key(secret: str) -> SigningKey:
    """A fresh Ed25519 pair, the private half encrypted (AES-256-GCM)."""
    key, nonce = Ed25519PrivateKey.generate(), os.urandom(12)
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return SigningKey(public_key=public, private_key=nonce + _cipher(secret).encrypt(nonce, raw, None))


def decrypt_key(stored: bytes, secret: str) -> Ed25519PrivateKey:
    """Raises SettingsError when the secret is not the right one."""
    try:
        return Ed25519PrivateKey.from_private_bytes(_cipher(secret).decrypt(stored[:12], stored[12:], None))
    except InvalidTag:
        raise SettingsError("TODO_SECRET_KEY: not the key this database's signing keys were encrypted with.") from None
