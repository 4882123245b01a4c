"""Fields of resources, derived from the table's columns and the declaration."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, UnsetType
from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Date, DateTime, Float, Integer, LargeBinary, Numeric, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from todo.schema import Instant, Line

Kind = Literal[
    "id", "text", "long_text", "integer", "number", "boolean", "instant", "local", "day", "choice", "list", "json",
    "reference", "secret",
]  # fmt: skip
SecretState = Literal["set", "not set"]
Whole = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Big = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Local = Annotated[datetime, Meta(tz=False)]
Names = Annotated[list[Line], Meta(max_length=500)]


@dataclass(frozen=True)
class TextFormat:
    """A text form of a JSON field. `read` raises ValueError; `write` is its inverse.

    `picks_moment`: the text is a day, perhaps with a time and its time zone, which forms also let one pick.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    hint: str
    picks_moment: bool = False


@dataclass(frozen=True)
class Field:
    """A field as every interface shows it. `type` has the constraints; `choices` are the values of a choice.

    `reference` is the resource of a foreign key, or of a list of ids. `on_change` and `on_add` say when the field is
    writable.
    """

    name: str
    label: str
    kind: Kind
    type: Any
    nullable: bool = False
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    reference: str = ""
    on_add: bool = False
    on_change: bool = False
    computed: bool = False
    heavy: bool = False
    translated: bool = False  # its values are texts of the program
    foreign: bool = False  # its values are texts of other programs, in English
    linked: bool = True  # the viewer may see the rows that it refers to
    help: str = field(default="", compare=False)
    text_format: TextFormat | None = field(default=None, compare=False)
    names: tuple[tuple[int, str], ...] = field(default=(), compare=False)  # what numbers are called
    names_within: Mapping[str, Mapping[int, str]] = field(default_factory=dict, compare=False)  # the same in its JSON
    widget: str = field(default="", compare=False)  # a control other than that of its kind
    schema: Any = field(default=None, compare=False)  # what a JSON field holds
    tones: tuple[tuple[str, str], ...] = field(default=(), compare=False)  # colors of values that are shown as badges
    settable: tuple[str, ...] = field(default=(), compare=False)  # choices that a change may set, where not all

    def name_of(self, value: Any) -> str:
        """Return what a value is called, or the value as text."""
        return dict(self.names).get(value, str(value))

    def name_within(self, name: str, value: Any) -> str:
        """Return what a number in the data of a JSON field is called, or "" where it is not named."""
        return self.names_within.get(name, {}).get(value, "") if isinstance(value, int) else ""


def is_sortable(field: Field) -> bool:
    """Return whether rows can be ordered by this field."""
    return not field.heavy and field.kind not in {"json", "list", "secret", "id"}


def label_of(name: str) -> str:
    """Return the label of a name: `due_at` becomes `Due at`; `_id` is dropped."""
    words = name.removesuffix("_id").replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words != "id" else "Id"


def type_of(column: Column[Any]) -> Any:
    """Return the API type of a column without an explicit one."""
    match column.type:
        case Uuid():
            return UUID
        case Boolean():
            return bool
        case BigInteger():
            return Big
        case Integer():
            return Whole
        case Float() | Numeric():
            return float
        case DateTime(timezone=True):
            return Instant
        case DateTime():
            return Local
        case Date():
            return date
        case ARRAY():
            return Names
        case JSONB() | LargeBinary():
            return Any
    return Line


def kind_of(kind: Any) -> tuple[Kind, tuple[str, ...]]:
    """Return the kind of form control for an API type, and its choices."""
    kind = without_none(kind)
    plain = bare(kind)
    if get_origin(plain) is Literal:
        return "choice", tuple(str(value) for value in get_args(plain))
    if get_origin(plain) is list:
        return "list", kind_of(get_args(plain)[0])[1]
    if plain is datetime:
        return ("local" if _tz(kind) is False else "instant"), ()
    if plain is str:
        return ("long_text" if longest(kind) > 1000 else "text"), ()
    found: dict[Any, Kind] = {UUID: "id", bool: "boolean", int: "integer", float: "number", date: "day"}
    return found.get(plain, "json"), ()


def without_none(kind: Any) -> Any:
    """Return `int` for `int | None`, with or without `UnsetType`."""
    others = [one for one in get_args(kind) if one not in (NoneType, UnsetType)]
    return others[0] if get_origin(kind) in (Union, UnionType) and len(others) == 1 else kind


def bare(kind: Any) -> Any:
    """Return a type without its constraints."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def metas(kind: Any) -> list[Meta]:
    """Return the constraints of a type."""
    return [item for item in typing.get_args(kind)[1:] if isinstance(item, Meta)] if bare(kind) is not kind else []


def longest(kind: Any) -> int:
    """Return the maximum length of a text, or a thousand when it is not declared."""
    return min((meta.max_length for meta in metas(kind) if meta.max_length is not None), default=1000)


def _tz(kind: Any) -> bool | None:
    return next((meta.tz for meta in metas(kind) if meta.tz is not None), None)


def field_of(
    column: Column[Any], given: Any = None, *, secret: bool = False, reference: str = "", **more: Any
) -> Field:
    """Return the field of a column. `given` is its declared API type, if any."""
    kind = type_of(column) if given is None else given
    control, choices = kind_of(kind)
    label = label_of(column.name) if reference or not column.name.endswith("_id") else f"{label_of(column.name)} id"
    needed = not column.nullable and column.default is None and column.server_default is None
    found: Kind = "secret" if secret else "reference" if reference else control
    return Field(column.name, label, found, kind, bool(column.nullable), needed, None, choices, reference, **more)


def holds(field: Field) -> str:
    """Describe what a field accepts."""
    if field.text_format:
        return field.text_format.hint
    if field.choices:
        return f"{'any' if field.kind == 'list' else 'one'} of {', '.join(field.choices)}"
    if field.kind == "list" and field.reference:
        return f"ids of {field.reference.replace('_', ' ')}, separated by commas"
    words = {
        "text": "text", "long_text": "multi-line text", "integer": f"a whole number{_range(field)}",
        "number": f"a number{_range(field)}", "boolean": "true or false", "id": "an id",
        "instant": "a date and time, such as 2026-12-31T09:00:00Z",
        "local": "a local date and time, such as 2026-12-31T09:00",
        "day": "a date, such as 2026-12-31", "list": "a list, separated by commas", "json": "JSON",
        "reference": f"the id of one of the {field.reference.replace('_', ' ')}", "secret": "a secret",
    }[field.kind]  # fmt: skip
    return f"{words}, or empty" if field.nullable else words


def _range(field: Field) -> str:
    limits = metas(without_none(field.type))
    low = next((meta.ge for meta in limits if meta.ge is not None), None)
    high = next((meta.le for meta in limits if meta.le is not None), None)
    return f" from {low} to {high}" if low is not None and high is not None and high < 2**31 - 1 else ""


def read_text(field: Field, text: str) -> Any:
    """Parse the text of a form, a CSV cell or a command line to its JSON value.

    An empty text means null where null is allowed. Raise ValueError for invalid JSON or text formats.
    """
    if text == "" and field.nullable:
        return None
    if field.text_format is not None and not text.startswith("{"):
        return field.text_format.read(text)
    match field.kind:
        case "list":
            return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
        case "json":
            return msgspec.json.decode(text)
        case "boolean":
            return {"true": True, "false": False, "on": True, "yes": True, "no": False, "1": True, "0": False}.get(
                text.strip().lower(), text
            )
        case "integer" | "number":
            named = {name: value for value, name in field.names}
            return named.get(text.strip().lower(), _number(text))
    return text


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def write_text(value: Any) -> str:
    """Format a value for a CSV cell or form field; the inverse of `read_text`."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case list() if all(isinstance(item, str | UUID) for item in value):
            return ", ".join(map(str, value))
        case dict() | list() | Struct():
            return msgspec.json.encode(value).decode()
    plain = msgspec.to_builtins(value)
    return str(plain)
