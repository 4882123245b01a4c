"""Access tokens of identity providers: validation, and the account they belong to."""

import asyncio
from typing import Any
from uuid import UUID

import jwt
from async_lru import alru_cache
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import bindparam, func, select

from todo.access import Origin
from todo.database import Database, Query
from todo.domain.accounts.models import IDENTITY
from todo.domain.accounts.services.jwks import LONGEST_KID, KeySet
from todo.domain.accounts.services.keys import Verified, authenticated_at
from todo.domain.accounts.services.provisioning import admit
from todo.errors import Unauthorized
from todo.http.limits import check
from todo.setting_types import Issuer
from todo.settings import Settings

LONGEST_TOKEN = 8192  # characters

# `typ` values of access tokens (RFC 8725 section 3.11). The same keys also sign logout notices (logout+jwt) and Better
# Auth's cookies (better-auth.session-cache+jwt).
TYPES = {"better-auth": {"", "jwt"}, "oidc": {"", "jwt"}, "rfc9068": {"at+jwt"}}
REQUIRED = ["exp", "iat", "iss", "aud", "sub"]
REQUIRED_BY = {"rfc9068": [*REQUIRED, "client_id", "jti"]}

IDENTITIES: Query[UUID] = Query(
    lambda user_id: user_id,
    select(IDENTITY.user_id).where(IDENTITY.issuer == bindparam("issuer"), IDENTITY.subject == bindparam("subject")),
)


class NotSeenYet(Exception):
    """The identity has no account yet. An exception, because the cache does not store exceptions."""


class Decoder(jwt.PyJWT):
    """PyJWT with the newer algorithm name of Ed25519 (RFC 9864)."""

    def __init__(self) -> None:
        super().__init__()
        self._jws.register_algorithm("Ed25519", OKPAlgorithm())


DECODER = Decoder()


class IdentityProviders:
    """The identity providers of the settings. Roles and scopes in their tokens are ignored: users are `member`s.

    The account of an identity is cached for a minute.
    """

    def __init__(self, database: Database, settings: Settings):
        self._database = database
        self._trusted = {issuer.issuer: (issuer, KeySet(issuer)) for issuer in settings.issuers}
        self._account = alru_cache(maxsize=10_000, ttl=60)(self._find)

    async def warm(self) -> None:
        """Fetch all keys at startup (3 s at most). Providers that are down are only logged."""
        await asyncio.gather(*(keys.warm() for _, keys in self._trusted.values()))

    async def close(self) -> None:
        await asyncio.gather(*(keys.close() for _, keys in self._trusted.values()))

    def knows(self, token: str) -> bool:
        """Return whether the token claims a known issuer; nothing is verified yet."""
        try:
            return bool(self._trusted) and self._choose(token)[0] in self._trusted
        except (jwt.PyJWTError, ValueError):
            return False

    async def verify(self, token: str) -> Verified:
        """Verify a token.

        Raise Unauthorized for an invalid token, Unavailable when the issuer's keys cannot be fetched, or NotSeenYet.
        """
        issuer, claims = await self._good_claims(token)
        return _verified(await self._account(issuer.issuer, claims["sub"]), claims)

    async def admit(self, token: str, origin: Origin) -> Verified:
        """Verify a token of a new identity, and create or link its account. Raise Unauthorized or Unavailable."""
        issuer, claims = await self._good_claims(token)
        return _verified(await self._admit(issuer, claims, origin), claims)

    async def _good_claims(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        try:
            return await self._claims(token)
        except jwt.ExpiredSignatureError:
            raise Unauthorized(
                "The token has expired; sign in again.", error="invalid_token", slug="token-expired"
            ) from None
        except (jwt.PyJWTError, ValueError):
            raise Unauthorized("The token is not valid.", error="invalid_token") from None

    def _choose(self, token: str) -> tuple[str, dict[str, Any]]:
        """Return the unverified issuer and the header of a token. Raise PyJWTError or ValueError."""
        if len(token) > LONGEST_TOKEN or token.count(".") != 2:
            raise jwt.DecodeError
        read = DECODER.decode_complete(token, options={"verify_signature": False})
        return str(read["payload"].get("iss")), read["header"]

    async def _claims(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        name, header = self._choose(token)
        if name not in self._trusted:
            raise jwt.InvalidIssuerError
        issuer, keys = self._trusted[name]
        alg, kid, typ = header.get("alg"), header.get("kid"), str(header.get("typ", "")).lower()
        if alg not in issuer.algorithms or typ.removeprefix("application/") not in TYPES[issuer.profile]:
            raise jwt.InvalidTokenError
        if not isinstance(kid, str) or len(kid) > LONGEST_KID:
            raise jwt.InvalidTokenError
        key = await keys.get(kid)
        if alg not in key.algorithms:
            raise jwt.InvalidAlgorithmError
        claims = DECODER.decode(
            token, key.public, algorithms=[alg], issuer=issuer.issuer, audience=issuer.audience, leeway=issuer.leeway,
            options={"require": REQUIRED_BY.get(issuer.profile, REQUIRED), "enforce_minimum_key_length": True},
        )  # fmt: skip
        return issuer, acceptable(claims, issuer)

    async def _find(self, issuer: str, subject: str) -> UUID:
        user_id = await self._database.primary.one_or_none(IDENTITIES, issuer=issuer, subject=subject)
        if user_id is None:
            raise NotSeenYet
        return user_id

    async def _admit(self, issuer: Issuer, claims: dict[str, Any], origin: Origin) -> UUID:
        """Return the account of a new identity, created once even for concurrent requests. Raise TooManyRequests."""
        await check(self._database, "provision", issuer.issuer)
        subject = claims["sub"]
        lock = func.pg_advisory_xact_lock(func.hashtextextended(f"{issuer.issuer} {subject}", 0))
        of_theirs = IDENTITY.issuer == issuer.issuer, IDENTITY.subject == subject
        async with self._database.session(origin) as session:
            await session.execute(select(lock))
            user_id: UUID | None = await session.scalar(select(IDENTITY.user_id).where(*of_theirs))
            return user_id or await admit(session, issuer, claims)


def _verified(user_id: UUID, claims: dict[str, Any]) -> Verified:
    return Verified(user_id, int(claims["exp"]), authenticated_at=authenticated_at(claims))


def acceptable(claims: dict[str, Any], issuer: Issuer) -> dict[str, Any]:
    """Check the claims that PyJWT does not. Raise InvalidTokenError."""
    subject = claims["sub"]
    if not 1 <= len(subject) <= 255 or not subject.isprintable():
        raise jwt.InvalidTokenError
    if int(claims["exp"]) - int(claims["iat"]) > issuer.max_token_lifetime:
        raise jwt.InvalidTokenError
    if "events" in claims:  # a security event token, whatever its `typ` (RFC 8417 section 2.2)
        raise jwt.InvalidTokenError
    return claims
