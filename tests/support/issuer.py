"""An identity provider on 127.0.0.1 that publishes keys, signs tokens, and can be told to misbehave."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from todo.domain.accounts.services.identity_providers import DECODER, IdentityProviders
from todo.errors import Unauthorized

Trust: TypeAlias = Callable[..., IdentityProviders]

JWKS = "/api/auth/jwks"


def new_key(alg: str = "EdDSA", bits: int = 2048) -> Any:
    """A private key fit for this `alg`."""
    if alg in {"EdDSA", "Ed25519"}:
        return ed25519.Ed25519PrivateKey.generate()
    if alg.startswith("ES"):
        return ec.generate_private_key(ec.SECP521R1() if alg == "ES512" else ec.SECP256R1())
    return rsa.generate_private_key(65537, bits)


def public_jwk(key: Any, kid: str, **members: Any) -> dict[str, Any]:
    """The public half as an entry of a JWKS."""
    kinds = {"Ed25519PrivateKey": OKPAlgorithm, "RSAPrivateKey": RSAAlgorithm}
    form: Any = next((form for name, form in kinds.items() if name in type(key).__name__), ECAlgorithm)
    return dict(form.to_jwk(key.public_key(), as_dict=True)) | {"kid": kid} | members


def http(body: bytes | str, status: str = "200 OK", **headers: str) -> bytes:
    """A whole HTTP answer."""
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(raw)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


class Server:
    """Answers every path with `pages[path]`, raw bytes, after `delay` seconds; keeps the paths of its requests."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.answered = 0
        self.delay = 0.0
        self.pace: float | None = None  # seconds between single bytes
        self._port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.requests.append(path)
            answer = self.pages.get(path, http("", "404 Not Found"))
            await asyncio.sleep(self.delay)
            self.answered += 1
            for piece in [answer] if self.pace is None else [bytes([byte]) for byte in answer]:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(self.pace or 0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class FakeIssuer(Server):
    """Signs with the newest of its keys; a fresh one signs in the instant it is published, as Better Auth's do."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, tuple[Any, str]] = {}
        self.kid = ""

    def rotate(self, alg: str = "EdDSA", key: Any = None, **members: Any) -> None:
        """A new key, published and signing at once; the old ones stay."""
        key = key or new_key(alg)
        self.kid = f"kid-{len(self.keys)}"
        self.keys[self.kid] = key, alg
        published = [public_jwk(key, kid, alg=alg) for kid, (key, alg) in self.keys.items()]
        self.publish(*published[:-1], published[-1] | members)

    def publish(self, *jwks: Any) -> None:
        self.pages[JWKS] = http(json.dumps({"keys": jwks}))

    def claims(self, **claims: Any) -> dict[str, Any]:
        """The claims of a good token with these changed; None leaves one out."""
        issued = int(time.time())
        good = {
            "iss": self.url, "aud": "todo-api", "sub": "0Dv3t3Vq6TXJXASr7Uhy73YBY1EeRnSD",
            "iat": issued, "exp": issued + 900,
        }  # fmt: skip
        return {name: value for name, value in (good | claims).items() if value is not None}

    def token(
        self, header: dict[str, Any] | None = None, key: Any = None, alg: str | None = None, **claims: Any
    ) -> str:
        """A good token but for what is given."""
        signing, named = self.keys[self.kid]
        headers = {"kid": self.kid, "typ": None} | (header or {})
        return DECODER.encode(self.claims(**claims), key or signing, algorithm=alg or named, headers=headers)

    def raw(self, header: dict[str, Any], signature: bytes | None = None, **claims: Any) -> str:
        """A token with exactly this header, signed with the newest key unless a signature is given."""
        encode = jwt.utils.base64url_encode
        signed = encode(json.dumps(header).encode()) + b"." + encode(json.dumps(self.claims(**claims)).encode())
        signature = self.keys[self.kid][0].sign(signed) if signature is None else signature
        return (signed + b"." + encode(signature)).decode()

    def settings(self, **values: Any) -> dict[str, Any]:
        """This issuer as an entry of TODO_ISSUERS."""
        entry = {
            "issuer": self.url, "jwks_url": self.url + JWKS, "audience": "todo-api", "profile": "better-auth",
        }  # fmt: skip
        return {name: value for name, value in (entry | values).items() if value is not None}


async def refused(verifying: Awaitable[tuple[UUID, int]]) -> None:
    with pytest.raises(Unauthorized) as caught:
        await verifying
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]
