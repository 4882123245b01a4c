"""The keys that sign access tokens."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.utils import base64url_encode
from sqlalchemy import select
from uuid_utils.compat import uuid7

from todo.database import Database, Query
from todo.domain.accounts.models import KEY, SigningKey
from todo.domain.accounts.services.encryption import decrypt, encrypt
from todo.errors import Unauthorized
from todo.setting_errors import SettingsError
from todo.settings import SecretKey, Settings

LONGEST_TOKEN = 2048  # characters; ours have some 600, and PyJWT looks at each of them in Python
KEYS = Query(
    lambda *row: row,
    select(KEY.id, KEY.status, KEY.public_key, KEY.private_key).order_by(KEY.created_at.desc()),
)
PRIVATE_KEYS = "signing keys"  # purpose of their encryption
FRESH_SECONDS = 2.0  # how long a process may sign with a key that another one has retired
REMEMBERED = 10_000
PATIENCE_SECONDS = 1.0  # minimum interval between database queries for unknown keys


class Verified(NamedTuple):
    """The content of a valid access token: user, expiry, session, time of sign-in, and which of our keys signed it."""

    user_id: UUID
    expires: int
    session_id: UUID | None = None
    authenticated_at: datetime | None = None
    key_id: UUID | None = None


class TokenKeys:
    """Sign and verify access tokens (JWT, EdDSA, RFC 9068) with keys stored in the database."""

    def __init__(self, database: Database, settings: Settings, secret: SecretKey):
        self._database = database
        self._settings = settings
        self._secret = secret
        self._public: dict[str, Ed25519PublicKey] = {}
        self._active: tuple[str, Ed25519PrivateKey] | None = None
        self._loaded_at = float("-inf")
        self._lock = asyncio.Lock()
        self._good: dict[str, Verified] = {}  # verification is expensive

    async def load(self, older_than: float = 0) -> None:
        """Load the keys unless they are younger than `older_than` seconds.

        Raise SettingsError for a wrong secret key.
        """
        async with self._lock:
            if time.monotonic() - self._loaded_at <= older_than:
                return
            rows = await self._database.primary.all(KEYS)
            self._loaded_at = time.monotonic()
            self._public = {str(kid): Ed25519PublicKey.from_public_bytes(public) for kid, _, public, _ in rows}
            active = next(((kid, private) for kid, status, _, private in rows if status == "active"), None)
            self._active = (str(active[0]), decrypt_key(active[1], self._secret)) if active else None

    async def sign(
        self,
        user_id: UUID,
        session_id: UUID | None = None,
        amr: tuple[str, ...] = ("pwd",),
        authenticated_at: datetime | None = None,
    ) -> str:
        """Sign an access token for a user who signed in at `authenticated_at` (default: now).

        Raise SettingsError when no key exists yet.
        """
        await self._keep_fresh()
        if self._active is None:
            raise SettingsError("There is no signing key yet: run `todo migrate`.")
        kid, key = self._active
        issued = int(time.time())
        claims = {
            "iss": self._settings.issuer, "aud": self._settings.issuer, "sub": str(user_id), "client_id": "todo",
            "iat": issued, "exp": issued + self._settings.access_token_seconds, "jti": str(uuid7()), "amr": list(amr),
            "auth_time": issued if authenticated_at is None else int(authenticated_at.timestamp()),
        }  # fmt: skip
        if session_id is not None:
            claims["sid"] = str(session_id)
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"})

    def remembered(self, token: str) -> Verified | None:
        """Return the content of a token that `verify` has accepted before, unless it has expired since."""
        found = self._good.get(token)
        return found if found is not None and found.expires > time.time() else None

    async def verify(self, token: str) -> Verified:
        """Verify one of our access tokens. Raise Unauthorized.

        The key may have been revoked since this process read it: who looks the user up checks that too (`ACTORS`).
        """
        if found := self.remembered(token):
            return found
        try:
            header = jwt.get_unverified_header(token) if len(token) <= LONGEST_TOKEN else {}
            key = await self._key(header)
            claims = jwt.decode(
                token, key, algorithms=["EdDSA"], issuer=self._settings.issuer, audience=self._settings.issuer,
                leeway=5, options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )  # fmt: skip
            session_id = UUID(claims["sid"]) if "sid" in claims else None
            found = Verified(
                UUID(claims["sub"]), int(claims["exp"]), session_id, authenticated_at(claims), UUID(header["kid"])
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized(
                "The token has expired; sign in again.", error="invalid_token", slug="token-expired"
            ) from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise Unauthorized("The token is not valid.", error="invalid_token") from None
        if len(self._good) >= REMEMBERED:
            self._good.clear()
        self._good[token] = found
        return found

    async def published(self) -> dict[str, Any]:
        """Return the public keys as a JWK set (RFC 7517, RFC 8037), including the pending one."""
        await self._keep_fresh()
        keys = [
            {
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid,
                "x": base64url_encode(
                    key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
                ).decode(),
            }
            for kid, key in self._public.items()
        ]  # fmt: skip
        return {"keys": keys}

    async def _keep_fresh(self) -> None:
        if time.monotonic() - self._loaded_at > FRESH_SECONDS:
            await self.load(FRESH_SECONDS)

    async def _key(self, header: dict[str, Any]) -> Ed25519PublicKey:
        kid = header.get("kid")
        if header.get("typ") != "at+jwt" or not isinstance(kid, str):
            raise jwt.InvalidTokenError
        if not self._public:
            await self.load(PATIENCE_SECONDS)
        if kid not in self._public:
            # Another process may have just activated it: wait for the next permitted query.
            await asyncio.sleep(max(0, self._loaded_at + PATIENCE_SECONDS - time.monotonic()))
            await self.load(PATIENCE_SECONDS / 2)
        if kid not in self._public:
            raise jwt.InvalidTokenError
        return self._public[kid]


def authenticated_at(claims: dict[str, Any]) -> datetime | None:
    """Return the time of sign-in of a verified token (`auth_time`), or None when missing or invalid."""
    seconds = claims.get("auth_time")
    if not isinstance(seconds, int) or not 0 <= seconds <= time.time():
        return None
    return datetime.fromtimestamp(seconds, UTC)


def new_signing_key(secret: SecretKey, status: str = "active") -> SigningKey:
    """Generate an Ed25519 key pair, with the private key encrypted."""
    key = Ed25519PrivateKey.generate()
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return SigningKey(status=status, public_key=public, private_key=encrypt(raw, secret, PRIVATE_KEYS))


def decrypt_key(stored: bytes, secret: SecretKey) -> Ed25519PrivateKey:
    """Decrypt a private key. Raise SettingsError for a wrong secret."""
    return Ed25519PrivateKey.from_private_bytes(decrypt(stored, secret, PRIVATE_KEYS))
