"""The cookies of the admin pages, and the proof that a form came from them."""

import base64
import binascii
import hmac
import secrets
from hashlib import sha256
from typing import NamedTuple

import msgspec
from litestar.datastructures import Cookie
from litestar.types import Scope

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Flash(NamedTuple):
    """What a page says once, after what led to it."""

    kind: str  # done | refused
    text: str


class Cookies:
    """Names and attributes. Over https the `__Host-` prefix binds a cookie to this very host."""

    def __init__(self, *, secure: bool):
        self._secure = secure
        prefix = "__Host-" if secure else ""
        self.session, self.theme, self.flash = (f"{prefix}todo_{name}" for name in ("admin", "theme", "flash"))

    def read(self, scope: Scope, name: str) -> str:
        """The value a browser sent; empty when there is none. Of several with one name, none is believed."""
        sent = [value.decode("latin-1") for key, value in scope["headers"] if key == b"cookie"]
        found = [part.strip().partition("=") for part in ";".join(sent).split(";")]
        values = [value for key, _, value in found if key == name]
        return values[0] if len(values) == 1 else ""

    def write(self, name: str, value: str, seconds: int | None = None) -> Cookie:
        """A cookie for this host alone, which no script reads; without `seconds` it ends with the browser."""
        return Cookie(name, value=value, max_age=seconds, httponly=True, secure=self._secure, samesite="lax")

    def say(self, flash: Flash) -> Cookie:
        """Let the next page say something."""
        return self.write(self.flash, base64.urlsafe_b64encode(msgspec.json.encode(flash)).decode(), 60)

    def said(self, scope: Scope) -> Flash | None:
        """What this page is to say."""
        try:
            return msgspec.json.decode(base64.urlsafe_b64decode(self.read(scope, self.flash)), type=Flash)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            return None


def new_value() -> str:
    """A cookie for who has not signed in: it only ties a form to a browser."""
    return secrets.token_urlsafe(32)


def form_token(cookie: str) -> str:
    """What every form carries: nobody can know it who cannot read the cookie."""
    return sha256(b"form token of " + cookie.encode()).hexdigest()


def is_same_origin(scope: Scope) -> bool:
    """Whether the browser says that a page of this very host sent the request, or says nothing."""
    headers = dict(scope["headers"])
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None and site not in {b"same-origin", b"none"}:
        return False
    return origin is None or origin.rpartition(b"//")[2] == headers.get(b"host")


def is_form_token(cookie: str, token: str) -> bool:
    """Whether a form was made for the browser that holds this cookie."""
    return hmac.compare_digest(form_token(cookie).encode(), token.encode("utf-8", "replace"))
