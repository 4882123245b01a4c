"""Forms sent after their session ended: kept, also through the sign-in, until the user sends them again.

The user sends them, not the service: a request without a valid CSRF token must not change anything by itself.
"""

import asyncio
import base64
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.types import Scope
from msgspec import Struct

from todo.admin.fields import Field, label_of, write_text
from todo.admin.pages.cookies import is_same_origin
from todo.admin.pages.languages import Language
from todo.admin.pages.urls import HOME, safe
from todo.errors import Forbidden, Unauthorized

NOT_KEPT = (f"{HOME}/login", f"{HOME}/logout")
MOST_BYTES = 8 * 1024 * 1024  # of a form that is kept, unpacked: a small text could hold gigabytes
SHOWN = 20  # fields listed on the page that asks to send a form again


class KeptForm(Struct):
    """A form that was not accepted: its URL and its fields, without passwords and the CSRF token."""

    path: str
    fields: list[tuple[str, str]]

    def shown(self, declared: Mapping[str, Field], say: Language) -> list[tuple[str, str]]:
        """Return what the user entered, by labels, without the fields that only the service needs."""
        visible = {name: value for name, value in self.fields if value and not name.startswith("_")}
        return [_shown(name, value, declared.get(name), say) for name, value in visible.items()][:SHOWN]


class SessionEnded(Unauthorized):
    """A form was sent without a session. `kept` is the encoded form, if any, and `page` the page it was on."""

    def __init__(self, kept: str, page: str):
        super().__init__("Your session has ended. Sign in to continue.")
        self.kept, self.page = kept, page


class FormOutdated(Forbidden):
    """The form was loaded before the current session began; the user must confirm it."""

    def __init__(self, kept: KeptForm):
        super().__init__("This form was loaded before you signed in.")
        self.kept = kept


async def kept_form(request: Request[Any, Any, Any]) -> KeptForm | None:
    """Return the form of a request, if it certainly comes from a page of this host and has no files."""
    comes_from_here = is_same_origin(request.scope) and "origin" in request.headers
    if not comes_from_here or request.content_type[0] != RequestEncodingType.URL_ENCODED:
        return None
    form = await request.form()
    fields = [(name, str(value)) for name, value in form.multi_items() if not _is_secret(name)]
    return KeptForm(address_of(request.scope), fields)


async def encode_kept(form: KeptForm | None) -> str:
    """Return a form as text for a hidden field: compressed, so that it can be sent within the same limit again."""
    return await asyncio.to_thread(_packed, form) if form else ""


async def decode_kept(text: str) -> KeptForm | None:
    """Return the form of a hidden field, or None for anything but a form of the admin pages."""
    found = await asyncio.to_thread(_unpacked, text) if text else None
    if found is None:
        return None
    return found if safe(found.path) == found.path and not found.path.startswith(NOT_KEPT) else None


def _packed(form: KeptForm) -> str:
    return base64.urlsafe_b64encode(zlib.compress(msgspec.json.encode(form), 1)).decode()


def _unpacked(text: str) -> KeptForm | None:
    try:
        data = zlib.decompressobj().decompress(base64.urlsafe_b64decode(text), MOST_BYTES)
        return msgspec.json.decode(data, type=KeptForm)
    except (ValueError, zlib.error, msgspec.MsgspecError):
        return None


def page_of(request: Request[Any, Any, Any]) -> str:
    """Return the page that a request was sent from, as the browser says, or the dashboard."""
    referer = urlsplit(request.headers.get("referer", ""))
    return safe(referer.path + (f"?{referer.query}" if referer.query else ""))


def address_of(scope: Scope) -> str:
    """Return the path and query of a request."""
    query: bytes = scope["query_string"]
    return scope["path"] + (f"?{query.decode('latin-1')}" if query else "")


def _shown(name: str, value: str, field: Field | None, say: Language) -> tuple[str, str]:
    """Return the label and the value of a field, as lists show them."""
    if field is None:
        return label_of(name), value
    if field.kind == "boolean":
        return field.label, say.gettext("Yes") if value == "true" else say.gettext("No")
    called = {write_text(one): said for one, said in field.names}.get(value, value)
    return field.label, say.words(called) if field.kind == "choice" or called != value else value


def _is_secret(name: str) -> bool:
    return name in {"form_token", "reauthentication_code"} or "password" in name
