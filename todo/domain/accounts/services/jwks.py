"""The public keys of an identity provider, fetched and remembered (JSON Web Key Set, RFC 7517)."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import jwt
import msgspec
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from todo.contention import RANDOM
from todo.errors import Unavailable
from todo.settings import Issuer

log = logging.getLogger(__name__)

SOFT, HARD = 300.0, 86_400.0  # seconds: after the first we ask again, after the second we no longer believe
TIMEOUT = 3.0  # seconds for one look at the issuer, all in all
LARGEST_BODY = 65_536  # bytes, also the bound on the number of keys (some 500 of Ed25519)
LONGEST_KID = 128

# What a kind of key can be used for. EdDSA goes by two names: RFC 8037 and, for Ed25519 alone, RFC 9864.
ALGORITHMS = {
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("RSA", None): frozenset({"RS256", "PS256"}),
}
FORMS: dict[str, Any] = {"OKP": OKPAlgorithm, "EC": ECAlgorithm, "RSA": RSAAlgorithm}


class Key(NamedTuple):
    """A public key and the `alg` values it may be used with."""

    public: Any
    algorithms: frozenset[str]


class Discovered(msgspec.Struct):
    """What we need of OpenID Connect Discovery 1.0 section 3."""

    issuer: str
    jwks_uri: str


class Published(msgspec.Struct):
    keys: list[dict[str, Any]]


class UnknownKey(jwt.InvalidTokenError):
    """The issuer was asked after the token came, and has no such key."""


class KeySet:
    """One issuer's keys, ready for a flood of tokens that name keys which do not exist.

    One fetch at a time, `cool_down` seconds apart, whoever asks; after failures up to 60 s apart. Known keys are
    answered from memory, for a day when the issuer is away. A key is called unknown only by a fetch that began after
    the question, so that a key which signs the moment it is published (Better Auth) is never refused.
    """

    def __init__(self, issuer: Issuer, *, clock: Callable[[], float] = time.monotonic, cool_down: float = 1.0):
        self._issuer = issuer
        self._clock = clock
        self._cool_down = cool_down
        # A connection kept open dies while nobody looks, and fetches are rare.
        self._http = httpx.AsyncClient(
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._keys: dict[str, Key] = {}
        self._began = self._next_attempt = self._fetched_at = float("-inf")
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    async def get(self, kid: str) -> Key:
        """Raises UnknownKey (the token is bad), Unavailable (the issuer is away, nobody knows)."""
        list_query = self._clock()
        if key := self._known(kid):
            if list_query >= max(self._fetched_at + SOFT, self._next_attempt):
                self._refresh()
            return key
        # Twice at most: the first fetch may have begun before we asked.
        while key is None and self._began < list_query and not (self._failures and self._clock() < self._next_attempt):
            await asyncio.shield(self._refresh())
            key = self._known(kid)
        if key is None and self._failures:
            wait = max(1, round(self._next_attempt - self._clock()))
            raise Unavailable("The issuer of this token cannot be reached for its keys.", retry_after=wait)
        if key is None:
            raise UnknownKey
        return key

    async def warm(self) -> None:
        """Fetch the keys now; an issuer that is down is only logged."""
        await self._refresh()

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._http.aclose()

    def _known(self, kid: str) -> Key | None:
        return self._keys.get(kid) if self._clock() < self._fetched_at + HARD else None

    def _refresh(self) -> asyncio.Task[None]:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return self._task

    async def _run(self) -> None:
        await asyncio.sleep(max(0.0, self._next_attempt - self._clock()))
        self._began = self._clock()
        self._next_attempt = self._began + self._cool_down
        try:
            async with asyncio.timeout(TIMEOUT):
                self._keys = await self._fetch()
        except Exception as error:  # whatever a hostile server makes of it: what we knew stays
            self._failures += 1
            pause = min(60.0, self._cool_down * 2 ** min(self._failures, 6)) * RANDOM.uniform(0.5, 1)
            self._next_attempt = self._clock() + pause
            log.warning("no keys from issuer %s: %r; next attempt in %.0f s", self._issuer.issuer, error, pause)
        else:
            self._failures = 0
            self._fetched_at = self._began

    async def _fetch(self) -> dict[str, Key]:
        body = await self._get(self._issuer.jwks_url or await self._discover())
        found: dict[str, Key] = {}
        for jwk in msgspec.json.decode(body, type=Published).keys:
            if key := read_key(jwk, frozenset(self._issuer.algorithms)):
                found.setdefault(jwk["kid"], key)
        if not found:
            raise ValueError("no usable key")
        return found

    async def _discover(self) -> str:
        """Where the issuer says its keys are; only an address at its own is believed."""
        issuer = self._issuer.issuer
        body = await self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        found = msgspec.json.decode(body, type=Discovered)
        if found.issuer != issuer or urlsplit(found.jwks_uri)[:2] != urlsplit(issuer)[:2]:
            raise ValueError(f"{issuer} names another issuer or a key address elsewhere; set jwks_url")
        return found.jwks_uri

    async def _get(self, url: str) -> bytes:
        """At most LARGEST_BODY bytes as they come: never decompressed, no redirect followed."""
        body = bytearray()
        async with self._http.stream("GET", url, follow_redirects=False) as answer:
            if answer.status_code != 200:
                raise ValueError(f"{url} answered {answer.status_code}")
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise ValueError(f"{url} answered more than {LARGEST_BODY} bytes")
        return bytes(body)


def read_key(jwk: dict[str, Any], allowed: frozenset[str]) -> Key | None:
    """A JWK as a key for verifying, or None for what is of no use here: secrets, private halves, weak keys, junk."""
    try:
        kind, kid, named = jwk["kty"], jwk["kid"], jwk.get("alg")
        algorithms = ALGORITHMS[kind, jwk.get("crv")]
        for_us = "d" not in jwk and jwk.get("use", "sig") == "sig" and "verify" in jwk.get("key_ops", ["verify"])
        if not for_us or not isinstance(kid, str) or len(kid) > LONGEST_KID or named not in (None, *algorithms):
            return None
        public = FORMS[kind].from_jwk(jwk)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return None
    if kind == "RSA" and not 2048 <= public.key_size <= 8192:
        return None
    if named and kind != "OKP":  # the two names of an Ed25519 key mean the same
        algorithms = frozenset({named})
    return Key(public, algorithms & allowed) if algorithms & allowed else None
