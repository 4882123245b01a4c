"""Cookies of the admin pages, and CSRF tokens of forms."""

import base64
import binascii
import hmac
import re
import secrets
from hashlib import sha256
from typing import NamedTuple

import msgspec
from litestar.datastructures import Cookie
from litestar.types import Scope

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Flash(NamedTuple):
    """A message shown once on the next page."""

    kind: str  # done | refused
    text: str


class Cookies:
    """Names and attributes of cookies. Over https the `__Host-` prefix binds a cookie to this host."""

    def __init__(self, *, secure: bool):
        self._secure = secure
        prefix = "__Host-" if secure else ""
        names = ("admin", "theme", "language", "filters", "flash")
        named = (f"{prefix}todo_{name}" for name in names)
        self.session, self.theme, self.language, self.filters, self.flash = named

    def read(self, scope: Scope, name: str) -> str:
        """Return the value of a cookie, or an empty string if it is missing or sent more than once."""
        sent = ";".join(value.decode("latin-1") for key, value in scope["headers"] if key == b"cookie")
        # Searched, not split: a header can hold thousands of cookies, and several are read for each page.
        values: list[str] = re.findall(rf"(?:^|;)\s*{name}=([^;]*)", sent)
        return values[0].strip() if len(values) == 1 else ""

    def write(self, name: str, value: str, seconds: int | None = None) -> Cookie:
        """Return an HttpOnly cookie for this host. Without `seconds` it lasts for the browser session."""
        return Cookie(name, value=value, max_age=seconds, httponly=True, secure=self._secure, samesite="lax")

    def say(self, flash: Flash) -> Cookie:
        """Return the cookie that shows a message on the next page."""
        return self.write(self.flash, base64.urlsafe_b64encode(msgspec.json.encode(flash)).decode(), 60)

    def said(self, scope: Scope) -> Flash | None:
        """Return the message for this page."""
        try:
            return msgspec.json.decode(base64.urlsafe_b64decode(self.read(scope, self.flash)), type=Flash)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            return None


def new_value() -> str:
    """Return a random cookie for an anonymous browser, which binds forms to the browser."""
    return secrets.token_urlsafe(32)


def form_token(cookie: str) -> str:
    """Return the CSRF token of a form, derived from the cookie."""
    return sha256(b"form token of " + cookie.encode()).hexdigest()


def is_same_origin(scope: Scope) -> bool:
    """Return whether the request comes from a page of this host, or has no header to tell."""
    headers = dict(scope["headers"])
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None and site not in {b"same-origin", b"none"}:
        return False
    return origin is None or origin.rpartition(b"//")[2] == headers.get(b"host")


def is_form_token(cookie: str, token: str) -> bool:
    """Return whether the CSRF token belongs to this cookie. Behind it there may be a signature (`large_forms`)."""
    wanted = form_token(cookie)
    return hmac.compare_digest(wanted.encode(), token[: len(wanted)].encode("utf-8", "replace"))
