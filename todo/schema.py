"""The shapes on the wire: structs that refuse unknown fields, pages, and the cursors between them."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from todo.errors import Invalid

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

# PostgreSQL cannot store NUL in text, and no title needs a control character.
# Python's `$` also matches before a last newline, which the rest forbids; elsewhere it changes nothing.
ONE_LINE = r"^[^\x00-\x1f\x7f]*$(?!\n)"
Line = Annotated[str, Meta(max_length=500, pattern=ONE_LINE)]
Text = Annotated[str, Meta(max_length=50_000, pattern=r"^[^\x00]*$")]
Instant = Annotated[datetime, Meta(tz=True)]
# Litestar reads the limits of query parameters from QueryParameter alone.
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="How many items a page holds.")]
Cursor = Annotated[str | None, QueryParameter(max_length=500, description="`next_cursor` of the page before.")]
Count = Annotated[bool, QueryParameter(description="Add `total`, the number of all that match.")]


class Schema(Struct, forbid_unknown_fields=True, kw_only=True):
    """A request body. Unknown fields are refused, so that a typo is an error and not a silence."""

    def sent(self) -> dict[str, Any]:
        """The fields the client sent, so that an absent one stays as it is."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET}


class Page(Struct, Generic[T], omit_defaults=True):
    """Some items, and where to go on."""

    items: list[T]
    next_cursor: str | None
    total: int | UnsetType = UNSET


def read_instant(field: str, text: str | None) -> datetime | None:
    """An instant in a query; raises Invalid for one without offset, which Litestar would take for UTC."""
    if text is None:
        return None
    try:
        return msgspec.convert(text, Instant).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise Invalid.field(field, "This is not an instant, such as 2026-12-31T09:00:00Z.") from None


def encode_cursor(order: str, *position: Any) -> str:
    """Turn the sort values of a page's last row, and the order they belong to, into an opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode((order, *position))).rstrip(b"=").decode()


def decode_cursor(cursor: str, order: str, kinds: list[Any]) -> list[Any]:
    """Read a cursor back, each value as its kind; raises Invalid when it is none of ours, or of another order."""
    try:
        found, *position = msgspec.json.decode(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        if found != order:
            raise ValueError(found)
        return [msgspec.convert(value, kind) for value, kind in zip(position, kinds, strict=True)]
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise Invalid.field("query.cursor", "This is not a cursor of this list and order.") from error


def read_form(sent: dict[str, str], kind: type[S]) -> S:
    """What a form sent, as the API would take it; JSON in it is read. Raises Invalid that names the field."""
    fields = {one.name: one.type for one in msgspec.structs.fields(kind)}
    try:
        values = {name: _json(text) if "dict" in str(fields.get(name)) else text for name, text in sent.items()}
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise Invalid.field(f"body{place.strip('`')}", message) from None


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise msgspec.ValidationError(str(error)) from None
