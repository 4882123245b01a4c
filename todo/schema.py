"""Base types of the API: request bodies, pages and cursors."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from todo.errors import Invalid
from todo.field_errors import struct_errors

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

# PostgreSQL cannot store NUL in text, and no title needs control characters.
# Python's `$` also matches before a final newline, which the rest of the pattern excludes.
ONE_LINE = r"^[^\x00-\x1f\x7f]*$(?!\n)"
Line = Annotated[str, Meta(max_length=500, pattern=ONE_LINE)]
Text = Annotated[str, Meta(max_length=50_000, pattern=r"^[^\x00]*$")]
NOT_EMPTY = {"minLength": 1}  # in the document: an empty parameter is rejected before its handler is asked
Instant = Annotated[datetime, Meta(tz=True)]
# Litestar reads the constraints of query parameters from QueryParameter only.
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Maximum number of items per page.")]
Cursor = Annotated[str | None, QueryParameter(max_length=500, description="`next_cursor` of the previous page.")]
Count = Annotated[
    bool,
    QueryParameter(
        description="Include `total`, the number of matching items, up to 1,000: where there are more,"
        " `total_is_exact` is false."
    ),
]


class Schema(Struct, forbid_unknown_fields=True, kw_only=True):
    """A request body. Unknown fields are rejected, so that a typo is never silently ignored."""

    def sent(self) -> dict[str, Any]:
        """Return only the fields that the client sent."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET}


class Page(Struct, Generic[T], omit_defaults=True):
    """A page of items, and the cursor of the next page."""

    items: list[T]
    next_cursor: str | None
    total: int | UnsetType = UNSET
    total_is_exact: bool | UnsetType = UNSET


def read_instant(field: str, text: str) -> datetime:
    """Parse an instant of a query parameter. Raise Invalid for another text.

    Litestar would assume UTC without an offset, and take a number for seconds since 1970.
    """
    try:
        return msgspec.convert(text, Instant).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        hint = " In a URL, write the plus sign of an offset as %2B." if " " in text else ""
        raise Invalid.field(
            field, f"This must be a date and time with UTC offset, such as 2026-12-31T09:00:00Z.{hint}"
        ) from None


def encode_cursor(order: str, *position: Any) -> str:
    """Encode the sort values of a page's last row, and their order, as an opaque string."""
    return base64.urlsafe_b64encode(msgspec.json.encode((order, *position))).rstrip(b"=").decode()


def decode_cursor(cursor: str, order: str, kinds: list[Any]) -> list[Any]:
    """Decode a cursor, each value as its type. Raise Invalid when it is malformed or of another order."""
    try:
        found, *position = msgspec.json.decode(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        if found != order:
            raise ValueError(found)
        return [msgspec.convert(value, kind) for value, kind in zip(position, kinds, strict=True)]
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise Invalid.field(
            "query.cursor", "This is not a cursor of this list with these filters and this order."
        ) from error


def read_form(sent: dict[str, str], kind: type[S]) -> S:
    """Convert form fields to a struct as the API would; JSON in them is parsed. Raise Invalid for the field."""
    fields = {one.name: one.type for one in msgspec.structs.fields(kind)}
    values = {name: _json(name, text) if "dict" in str(fields.get(name)) else text for name, text in sent.items()}
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise Invalid.fields(struct_errors(error, values, kind)) from None


def _json(name: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise Invalid.field(f"body.{name}", "This must be JSON.", "wrong_format") from None
