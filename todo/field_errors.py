"""A second, slower look at a refused value: everything that is wrong with it, in sentences that say what is allowed.

The first look is msgspec's, which stops at the first error and describes it in terms of Python.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Raw, Struct, inspect

from todo.errors import FieldError
from todo.problem_types import FieldCode

MOST = 50  # errors listed
MOST_VALUES = 2000  # values looked at, so that a large body cannot block the event loop
SHORT = 64 * 1024  # bytes of a value that is parsed as a whole

DAY_TIME = "such as 2026-12-31T09:00, without UTC offset"
PATTERNS = {
    r"^[^\x00-\x1f\x7f]*$(?!\n)": "text on one line",
    r"^[^\x00-\x1f\x7f,]*$(?!\n)": "text on one line without commas",
    r"^[^\x00]*$": "text without NUL characters",
    r"^[^\x00-\x1f]*$": "text on one line",
    r"^[\x21-\x7e]*$": "text without spaces, in ASCII",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.000(001)?)?)?$": f"a local date and time, {DAY_TIME}",
    r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.000001)?)?)?$": f"a date such as 2026-12-31, or a local time {DAY_TIME}",
    r"^([01]\d|2[0-3]):[0-5]\d$(?!\n)": "a time of day such as 09:00",
    r"^[A-Za-z0-9 -]*$": "letters, digits, spaces and hyphens",
    r"^[A-Za-z0-9_=-]*$": "base64url text",
}


@lru_cache(maxsize=2000)
def type_of(annotation: Any) -> tuple[inspect.Type, bool]:
    """Return the type without its metadata and without null, and whether null is allowed."""
    found = _bare(inspect.type_info(annotation))
    if not isinstance(found, inspect.UnionType):
        return found, False
    rest = tuple(_bare(kind) for kind in found.types if not isinstance(kind, inspect.NoneType))
    nullable = len(rest) < len(found.types)
    return (rest[0] if len(rest) == 1 else inspect.UnionType(rest)), nullable


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def allowed(annotation: Any) -> str:
    """Describe the values of a type, e.g. `a whole number from 0 to 4, or null`."""
    kind, nullable = type_of(annotation)
    return f"{_describe(kind)}, or null" if nullable else _describe(kind)


def _describe(kind: inspect.Type) -> str:
    match kind:
        case inspect.StrType():
            return f"{PATTERNS.get(kind.pattern or '', 'text')}{_length(kind, 'characters')}"
        case inspect.IntType():
            return f"a whole number{_range(kind)}"
        case inspect.FloatType():
            return f"a number{_range(kind)}"
        case inspect.LiteralType():
            return f"one of {', '.join(map(str, kind.values))}"
        case inspect.EnumType():
            return f"one of {', '.join(str(item.value) for item in kind.cls)}"
        case inspect.ListType():
            return f"a list{_length(kind, 'items')}, each {_describe(_bare(kind.item_type))}"
        case inspect.UnionType() if tags := _by_tag(kind):
            return f"an object with `{next(iter(tags.values())).tag_field}` one of {', '.join(map(str, tags))}"
        case inspect.UnionType():
            return " or ".join(_describe(one) for one in kind.types)
    return {
        inspect.BoolType: "true or false",
        inspect.UUIDType: "an id (UUID)",
        inspect.DateType: "a date, such as 2026-12-31",
        inspect.TimeType: "a time of day, such as 09:00",
        inspect.DateTimeType: "a date and time with UTC offset, such as 2026-12-31T09:00:00Z",
        inspect.StructType: "an object",
        inspect.DictType: "an object",
        inspect.DecimalType: "a number",
        inspect.NoneType: "null",
    }.get(type(kind), "a JSON value")


def _length(kind: inspect.StrType | inspect.ListType, unit: str) -> str:
    if kind.min_length and kind.max_length:
        return f" of {kind.min_length} to {kind.max_length:,} {unit}"
    return f" of at most {kind.max_length:,} {unit}" if kind.max_length else ""


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    if kind.ge is not None:
        return f" of at least {kind.ge}"
    return f" of at most {kind.le}" if kind.le is not None else ""


def _by_tag(kind: inspect.UnionType) -> dict[Any, inspect.StructType]:
    return {one.tag: one for one in kind.types if isinstance(one, inspect.StructType) and one.tag is not None}


def code_of(annotation: Any, raw: bytes) -> FieldCode:
    """Return the code for a refused JSON value."""
    kind, _ = type_of(annotation)
    if len(raw) > SHORT:
        return "too_long" if raw[:1] in b'"[' else "invalid"
    value = msgspec.json.decode(raw)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case inspect.StrType() if isinstance(value, str):
            return _size(len(value), kind.min_length, kind.max_length) or "wrong_format"
        case inspect.ListType() if isinstance(value, list):
            return _size(len(value), kind.min_length, kind.max_length) or "invalid"
        case inspect.IntType() | inspect.FloatType() if is_number:
            return _amount(value, kind) or "wrong_type"
        case inspect.LiteralType() | inspect.EnumType() if not isinstance(value, list | dict):
            return "not_a_choice"
        case inspect.UnionType() if _by_tag(kind) and isinstance(value, dict):
            return "not_a_choice"
        case inspect.UUIDType() | inspect.DateType() | inspect.TimeType() | inspect.DateTimeType():
            return "wrong_format" if isinstance(value, str) else "wrong_type"
    return "wrong_type"


def _size(size: int, low: int | None, high: int | None) -> FieldCode | None:
    if size < (low or 0):
        return "too_short"
    return "too_long" if high is not None and size > high else None


def _amount(value: float, kind: inspect.IntType | inspect.FloatType) -> FieldCode | None:
    if kind.ge is not None and value < kind.ge:
        return "too_small"
    return "too_large" if kind.le is not None and value > kind.le else None


def field_errors(body: bytes, annotation: Any, place: str = "body") -> list[FieldError]:
    """Return what is wrong with a JSON text of the type, at most MOST errors.

    Raise DecodeError when it is not JSON.
    """
    return list(_Look().at(place, Raw(body), annotation))[:MOST]


class _Look:
    """One look at a body, of bounded length."""

    def __init__(self) -> None:
        self._left = MOST_VALUES
        self._found = 0

    def at(self, place: str, raw: Raw, annotation: Any) -> Iterator[FieldError]:
        self._left -= 1
        if self._left < 0 or self._found >= MOST or accepts(raw, annotation):
            return
        kind, _ = type_of(annotation)
        text = bytes(raw).lstrip()
        if isinstance(kind, inspect.UnionType) and text[:1] == b"{" and (tags := _by_tag(kind)):
            tag = str(next(iter(tags.values())).tag_field)
            given = msgspec.json.decode(raw, type=dict[str, Raw]).get(tag)
            found = next((one for name, one in tags.items() if given == Raw(msgspec.json.encode(name))), None)
            if found is None:
                message = f"This must be one of {', '.join(map(str, tags))}."
                yield self._error(f"{place}.{tag}", message, "not_a_choice" if given else "required")
                return
            kind = found
        if isinstance(kind, inspect.StructType) and text[:1] == b"{":
            yield from self._object(place, raw, kind)
        elif isinstance(kind, inspect.ListType) and text[:1] == b"[" and (item := _item_of(annotation)):
            yield from self._list(place, raw, annotation, item)
        else:
            yield self._error(place, f"This must be {allowed(annotation)}.", code_of(annotation, text))

    def _error(self, place: str, message: str, code: FieldCode) -> FieldError:
        self._found += 1
        return FieldError(place, message, code)

    def _object(self, place: str, raw: Raw, kind: inspect.StructType) -> Iterator[FieldError]:
        sent = msgspec.json.decode(raw, type=dict[str, Raw])
        fields = {one.encode_name: one for one in msgspec.structs.fields(kind.cls)}
        for name, one in fields.items():
            if name in sent:
                yield from self.at(f"{place}.{name}", sent[name], one.type)
            elif one.required:
                yield self._error(f"{place}.{name}", f"This is required; it must be {allowed(one.type)}.", "required")
        if kind.forbid_unknown_fields:
            known = f"There is no such field. Fields: {', '.join(fields)}."
            unknown = (name for name in sent if name not in fields and name != kind.tag_field)
            for name in islice(unknown, MOST - self._found):
                yield self._error(f"{place}.{name[:100]}", known, "unknown")

    def _list(self, place: str, raw: Raw, annotation: Any, item: Any) -> Iterator[FieldError]:
        items = msgspec.json.decode(raw, type=list[Raw])
        kind, _ = type_of(annotation)
        if isinstance(kind, inspect.ListType) and (code := _size(len(items), kind.min_length, kind.max_length)):
            yield self._error(place, f"This must be {allowed(annotation)}.", code)
            return
        for number, one in enumerate(items[:MOST_VALUES]):
            yield from self.at(f"{place}.{number}", one, item)


def _item_of(annotation: Any) -> Any:
    """Return the type of the items of a list, of one that may be null, or None for another type."""
    if get_origin(annotation) is list:
        return get_args(annotation)[0]
    if get_origin(annotation) is Annotated:
        return _item_of(get_args(annotation)[0])
    return next((found for one in get_args(annotation) if (found := _item_of(one)) is not None), None)


def accepts(raw: Raw, annotation: Any) -> bool:
    """Return whether a JSON value is of the type; 2.0 is an integer."""
    try:
        msgspec.json.decode(raw, type=annotation)
    except msgspec.ValidationError:
        return _converts(raw, annotation)
    return True


def _converts(raw: Raw, annotation: Any) -> bool:
    kind, _ = type_of(annotation)
    if not isinstance(kind, inspect.IntType) or len(bytes(raw)) > 100:
        return False
    value = msgspec.json.decode(raw)
    try:
        msgspec.convert(int(value) if isinstance(value, float) and value.is_integer() else value, annotation)
    except (msgspec.ValidationError, OverflowError):
        return False
    return True


def value_errors(value: Any, annotation: Any, place: str) -> list[FieldError]:
    """Return what is wrong with a value that was parsed already."""
    return field_errors(msgspec.json.encode(value), annotation, place)


def struct_errors(error: msgspec.ValidationError, value: Any, kind: type[Struct]) -> list[FieldError]:
    """Return what is wrong with an object, or the message of the check of the struct as a whole."""
    return value_errors(value, kind, "body") or [FieldError("body", str(error).partition(" - at `$")[0])]
