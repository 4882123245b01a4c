"""The public keys of an identity provider, fetched and cached (JSON Web Key Set, RFC 7517)."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jwt
import msgspec
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from todo.contention import RANDOM
from todo.errors import Unavailable
from todo.setting_types import Issuer

log = logging.getLogger(__name__)

SOFT, HARD = 300.0, 86_400.0  # seconds until keys are refreshed, and until they are no longer trusted
TIMEOUT = 3.0  # seconds for one fetch in total
LARGEST_BODY = 65_536  # bytes, which also limits the number of keys (about 500 of Ed25519)
LONGEST_KID = 128

# Algorithms of each key type. EdDSA has two names: RFC 8037 and, for Ed25519 only, RFC 9864.
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
    """The used fields of OpenID Connect Discovery 1.0 section 3."""

    issuer: str
    jwks_uri: str


class Published(msgspec.Struct):
    keys: list[dict[str, Any]]


class UnknownKey(jwt.InvalidTokenError):
    """The issuer was queried after the token arrived, and has no such key."""


class KeySet:
    """The keys of one issuer, safe against floods of tokens with unknown key ids.

    Fetches never overlap and are `cool_down` seconds apart, up to 60 s after failures. Known keys are served from
    memory, for a day when the issuer is unavailable. A key is unknown only after a fetch that began after the request,
    so that a key used immediately after its publication (Better Auth) is accepted.
    """

    def __init__(self, issuer: Issuer, *, clock: Callable[[], float] = time.monotonic, cool_down: float = 1.0):
        import httpx  # noqa: PLC0415 -- a twentieth of the start, where no provider is set

        self._issuer = issuer
        self._clock = clock
        self._cool_down = cool_down
        # Idle connections die unnoticed, and fetches are rare.
        self._http = httpx.AsyncClient(
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._keys: dict[str, Key] = {}
        self._began = self._next_attempt = self._fetched_at = float("-inf")
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    async def get(self, kid: str) -> Key:
        """Return a key. Raise UnknownKey, or Unavailable when the issuer cannot be reached."""
        called_at = self._clock()
        if key := self._known(kid):
            if called_at >= max(self._fetched_at + SOFT, self._next_attempt):
                self._refresh()
            return key
        # Twice at most: the first fetch may have begun before this call.
        while key is None and self._began < called_at and not (self._failures and self._clock() < self._next_attempt):
            await asyncio.shield(self._refresh())
            key = self._known(kid)
        if key is None and self._failures:
            wait = max(1, round(self._next_attempt - self._clock()))
            raise Unavailable("The issuer of this token cannot be reached for its keys.", retry_after=wait)
        if key is None:
            raise UnknownKey
        return key

    async def warm(self) -> None:
        """Fetch the keys. An issuer that is down is only logged."""
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
        except Exception as error:  # whatever a hostile server causes: the known keys stay
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
        """Return the key URL from the issuer's discovery document. It must be on the issuer's host."""
        issuer = self._issuer.issuer
        body = await self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        found = msgspec.json.decode(body, type=Discovered)
        if found.issuer != issuer or urlsplit(found.jwks_uri)[:2] != urlsplit(issuer)[:2]:
            raise ValueError(f"{issuer} names another issuer or a key address elsewhere; set jwks_url")
        return found.jwks_uri

    async def _get(self, url: str) -> bytes:
        """Fetch at most LARGEST_BODY bytes, without decompression or redirects."""
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
    """Convert a JWK to a verification key, or None when it is unusable: secret, private, weak or malformed."""
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
    if named and kind != "OKP":  # both names of an Ed25519 key mean the same
        algorithms = frozenset({named})
    return Key(public, algorithms & allowed) if algorithms & allowed else None
