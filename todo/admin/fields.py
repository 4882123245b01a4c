"""What one field of a resource is: read from the table's column, said more exactly by the declaration."""

import typing
from collections.abc import Callable
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
    """How people write a value that is JSON on the wire. `read` raises ValueError; `write` is its inverse."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    hint: str


@dataclass(frozen=True)
class Field:
    """One field as every face shows it. `type` has the limits; `choices` are the values of a choice.

    `reference` is the resource that a foreign key leads to. `on_change` and `on_add`: whether it may be written then.
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
    help: str = field(default="", compare=False)
    text_format: TextFormat | None = field(default=None, compare=False)


def label_of(name: str) -> str:
    """`due_at` as people read it: `Due at`; ids lose their ending."""
    words = name.removesuffix("_id").replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words != "id" else "Id"


def type_of(column: Column[Any]) -> Any:
    """The wire type of a column that the declaration says nothing about."""
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
    """Which control a wire type asks for, and its choices."""
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
    """`int` for `int | None`, with or without `UnsetType`."""
    others = [one for one in get_args(kind) if one not in (NoneType, UnsetType)]
    return others[0] if get_origin(kind) in (Union, UnionType) and len(others) == 1 else kind


def bare(kind: Any) -> Any:
    """A type without its limits."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def metas(kind: Any) -> list[Meta]:
    """The limits of a type."""
    return [item for item in typing.get_args(kind)[1:] if isinstance(item, Meta)] if bare(kind) is not kind else []


def longest(kind: Any) -> int:
    """How many characters a text may have; a thousand when it does not say."""
    return min((meta.max_length for meta in metas(kind) if meta.max_length is not None), default=1000)


def _tz(kind: Any) -> bool | None:
    return next((meta.tz for meta in metas(kind) if meta.tz is not None), None)


def field_of(
    column: Column[Any], given: Any = None, *, secret: bool = False, reference: str = "", **more: Any
) -> Field:
    """The field of a column; `given` is its wire type, when the declaration names one."""
    kind = type_of(column) if given is None else given
    control, choices = kind_of(kind)
    label = label_of(column.name) if reference or not column.name.endswith("_id") else f"{label_of(column.name)} id"
    needed = not column.nullable and column.default is None and column.server_default is None
    found: Kind = "secret" if secret else "reference" if reference else control
    return Field(column.name, label, found, kind, bool(column.nullable), needed, None, choices, reference, **more)


def holds(field: Field) -> str:
    """What a field takes, in words."""
    if field.text_format:
        return field.text_format.hint
    if field.choices:
        return f"{'some' if field.kind == 'list' else 'one'} of {', '.join(field.choices)}"
    words = {
        "text": "text", "long_text": "text, many lines", "integer": f"a whole number{_range(field)}",
        "number": f"a number{_range(field)}", "boolean": "true or false", "id": "an id",
        "instant": "an instant, such as 2026-12-31T09:00:00Z", "local": "a local time, such as 2026-12-31T09:00",
        "day": "a day, such as 2026-12-31", "list": "texts, set apart by commas", "json": "JSON",
        "reference": f"the id of one of the {field.reference.replace('_', ' ')}", "secret": "a secret",
    }[field.kind]  # fmt: skip
    return f"{words}, or nothing" if field.nullable else words


def _range(field: Field) -> str:
    limits = metas(without_none(field.type))
    low = next((meta.ge for meta in limits if meta.ge is not None), None)
    high = next((meta.le for meta in limits if meta.le is not None), None)
    return f" from {low} to {high}" if low is not None and high is not None and high < 2**31 - 1 else ""


def read_text(field: Field, text: str) -> Any:
    """What somebody typed (a form, a CSV cell, a command line) as the JSON value it stands for.

    Empty means null where null is allowed. Raises ValueError for JSON that is none, and what its text format refuses.
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
            return _number(text)
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
    """A value as a CSV cell or form field holds it: what `read_text` reads back."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case list() if all(isinstance(item, str) for item in value):
            return ", ".join(value)
        case dict() | list() | Struct():
            return msgspec.json.encode(value).decode()
    plain = msgspec.to_builtins(value)
    return str(plain)
