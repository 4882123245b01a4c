"""The filter syntax of all interfaces: text values are parsed into parameters of precompiled conditions.

    status=open  status=open&status=done      one or more values of a choice, a flag, a number, a reference or a
text
    due_at=2026  2026-11  2026-11-25          a year, a month, a day of the viewer
    due_at=2026-11-01..2026-11-30  ..2026     a range with optional ends; the last day is included
    due_at=today  past_7_days  this_month     a period
    priority=1..3                             a range of numbers
    owner_id=empty  set                       without or with a value, where null is allowed
    owner.email=ada                           the same of the row that a reference refers to
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import combinations
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ARRAY, BigInteger, ColumnElement, String, and_, any_, bindparam, literal_column, or_
from sqlalchemy.types import TypeEngine

from todo.admin.declaration import Filter
from todo.admin.fields import Field, bare, without_none
from todo.errors import Invalid

EMPTY, SET = "empty", "set"
PERIODS = ("today", "past_7_days", "past_30_days", "this_month", "this_year")
TIMES = {"instant", "local", "day"}
NUMBERS = {"integer", "number"}
MOST_VALUES = 50
LONGEST = 500
WORDS = 5  # of a search
MOST_SEARCHED = 200  # characters of it
WITHOUT_BLANKS = "\u0e00"
ANY = "any:"  # begins the key of a condition of which one part suffices
FIRST, LAST = datetime(1, 1, 2), datetime(9999, 12, 30)


@dataclass(frozen=True)
class Condition:
    """A form that a filter can take: a clause under a key, with parameters named after the key."""

    key: str
    clause: ColumnElement[bool]


def conditions(field: Field, column: ColumnElement[Any], ordered: Any = None) -> Iterator[Condition]:
    """Return every form of a field's filter. `ordered`: a time with a value for null, as an index has it."""
    key = key_of(field.name)
    if field.kind in TIMES:
        low, high = (bindparam(f"{key}__{end}", type_=column.type) for end in ("from", "to"))
        placed = column if ordered is None else ordered
        yield Condition(f"{key}__within", and_(placed >= low, placed < high))
    elif field.kind in NUMBERS:
        low, high = (bindparam(f"{key}__{end}", type_=_wide(column.type)) for end in ("from", "to"))
        yield Condition(f"{key}__within", and_(column >= low, column <= high))
    elif field.kind == "text":
        yield Condition(f"{key}__like", column.ilike(bindparam(f"{key}__like", type_=String())))
    elif field.kind == "list":
        some = column.op("&&")(bindparam(f"{key}__values", type_=ARRAY(_item(column.type))))
        yield Condition(f"{key}__any", and_(column != literal_column("'{}'"), some))  # a partial index has these
    else:
        any_of = column == any_(bindparam(f"{key}__values", type_=ARRAY(column.type)))
        # A single value has its own clause: only then does an index on it and the order return sorted rows.
        yield Condition(f"{key}__is", column == bindparam(f"{key}__is", type_=column.type))
        yield Condition(f"{key}__any", any_of)
        yield Condition(f"{key}__any_or_empty", or_(any_of, column.is_(None)))
    if ordered is None:
        yield Condition(f"{key}__{EMPTY}", column.is_(None))
        yield Condition(f"{key}__{SET}", column.is_not(None))
    else:  # an index has the value for null
        (_, place) = ordered.clauses
        yield Condition(f"{key}__{EMPTY}", ordered >= place)
        yield Condition(f"{key}__{SET}", ordered < place)


def key_of(name: str) -> str:
    """Return what the keys of all forms of a filter begin with, before `__`."""
    return f"f_{name.replace('.', '_of_')}"


def own_conditions(own: Filter) -> Iterator[Condition]:
    """Return every combination of choices of a custom filter."""
    for many in range(1, len(own.choices) + 1):
        for chosen in combinations(own.choices, many):
            yield Condition(own_key(own.name, chosen), or_(*(own.choices[choice] for choice in chosen)))


def own_key(name: str, chosen: Sequence[str]) -> str:
    return f"{key_of(name)}__{'__'.join(chosen)}"


def _item(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of the items of an array."""
    return kind.item_type if isinstance(kind, ARRAY) else String()


def _wide(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Widen a type, so that bounds beyond the column's type are not an error."""
    return BigInteger() if isinstance(kind.python_type, type) and kind.python_type is int else kind


def read_filter(target: Field | Filter, texts: Sequence[str], zone: ZoneInfo, today: date) -> dict[str, Any]:
    """Parse filter values to parameters of a condition. Raise Invalid."""
    wrong = Invalid.field(f"query.{target.name}", _sentence(target))
    if not 0 < len(texts) <= MOST_VALUES or max(map(len, texts)) > LONGEST:
        raise wrong
    try:
        if isinstance(target, Filter):
            return {
                own_key(target.name, [choice for choice in target.choices if choice in _known(target, texts)]): True
            }
        return _read(target, key_of(target.name), list(dict.fromkeys(texts)), zone, today)
    except (ValueError, OverflowError, msgspec.ValidationError):
        raise wrong from None


def _known(own: Filter, texts: Sequence[str]) -> set[str]:
    if unknown := set(texts) - set(own.choices):
        raise ValueError(unknown)
    return set(texts)


def _read(field: Field, key: str, texts: list[str], zone: ZoneInfo, today: date) -> dict[str, Any]:
    if texts in ([EMPTY], [SET]):
        return {f"{key}__{texts[0]}": True}
    if field.kind in TIMES | NUMBERS | {"text"}:
        (text,) = texts  # a range is a single text
        if "\x00" in text:
            raise ValueError(text)
        if field.kind == "text":
            return {f"{key}__like": like(text)}
        low, high = _span(text, zone, today, field.kind) if field.kind in TIMES else _numbers(text, field)
        return {f"{key}__within": True, f"{key}__from": low, f"{key}__to": high}
    values = [_value(field, text) for text in texts if text != EMPTY]
    if len(values) == len(texts) == 1 and field.kind != "list":
        return {f"{key}__is": values[0]}
    form = "any_or_empty" if EMPTY in texts and field.kind != "list" else "any"
    return {f"{key}__{form}": True, f"{key}__values": values}


def _value(field: Field, text: str) -> Any:
    if field.kind == "list":
        return msgspec.convert(text, get_args(bare(without_none(field.type)))[0])
    return msgspec.convert({"true": True, "false": False}.get(text, text), field.type, strict=False)


def _numbers(text: str, field: Field) -> tuple[float, float]:
    number = int if field.kind == "integer" else float
    low, dots, high = text.partition("..")
    most = 2**63 - 1 if field.kind == "integer" else float("inf")
    least = -most
    found = number(low) if low else least, (number(high) if high else most) if dots else number(low)
    if not all(-(2**63) < bound < 2**63 or bound in (least, most) for bound in found):
        raise ValueError(text)
    return found


def _span(text: str, zone: ZoneInfo, today: date, kind: str) -> tuple[Any, Any]:
    """Return the start and the end (exclusive) of a range, in the column's type."""
    low, dots, high = text.partition("..")
    if dots and not low and not high:
        raise ValueError(text)
    first = _period(low, today)[0] if low else FIRST
    after = (_period(high, today)[1] if high else LAST) if dots else _period(low, today)[1]
    return _as(kind, first, zone), _as(kind, after, zone)


def _as(kind: str, moment: datetime, zone: ZoneInfo) -> Any:
    if kind == "day":
        return moment.date()
    if kind == "local":
        return moment.replace(tzinfo=None)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone if FIRST < moment < LAST else UTC)
    return aware.astimezone(UTC)


def _period(text: str, today: date) -> tuple[datetime, datetime]:
    """Return the start and the end (exclusive) of a period."""
    month = today.replace(day=1)
    named = {
        "today": (today, timedelta(days=1)),
        "past_7_days": (today - timedelta(days=6), timedelta(days=7)),
        "past_30_days": (today - timedelta(days=29), timedelta(days=30)),
        "this_month": (month, _month_after(month) - month),
        "this_year": (date(today.year, 1, 1), date(today.year + 1, 1, 1) - date(today.year, 1, 1)),
    }
    if text in named:
        first, length = named[text]
        begin = datetime.combine(first, time.min)
        return begin, begin + length
    if len(text) == 4:
        return datetime(int(text), 1, 1), datetime(int(text) + 1, 1, 1)
    if len(text) == 7:
        first = date.fromisoformat(f"{text}-01")
        return datetime.combine(first, time.min), datetime.combine(_month_after(first), time.min)
    begin = datetime.fromisoformat(text)
    return begin, begin + (timedelta(days=1) if len(text) == 10 else timedelta())


def period_values(zone: ZoneInfo, today: date) -> dict[str, Any]:
    """Return the bounds of every named period, in the type of each kind of column."""
    spans = {period: _period(period, today) for period in PERIODS}
    return {
        f"p_{kind}_{period}_{end}": _as(kind, moment, zone)
        for kind in TIMES
        for period, span in spans.items()
        for end, moment in zip(("from", "to"), span, strict=True)
    }


@dataclass(frozen=True)
class Step:
    """An entry of a date hierarchy: filter value, start and end."""

    value: str
    low: Any
    high: Any


def steps_of(chosen: str, first: Any, last: Any, zone: ZoneInfo, kind: str) -> list[Step]:
    """Return the years between the first and the last row, or the months or days of the chosen period."""
    if first is None:
        return []
    begin, end = (_day_of(moment, zone) for moment in (first, last))
    values = [f"{year:04}" for year in range(max(begin.year, end.year - 49), end.year + 1)]
    if re.fullmatch(r"\d{4}", chosen):
        values = [f"{chosen}-{month:02}" for month in range(1, 13)]
    if re.fullmatch(r"\d{4}-\d\d(-\d\d)?", chosen):
        month = date.fromisoformat(f"{chosen[:7]}-01")
        values = [f"{month + timedelta(days=number)}" for number in range((_month_after(month) - month).days)]
    spans = [_period(value, begin) for value in values]
    return [
        Step(value, *(_as(kind, moment, zone) for moment in span)) for value, span in zip(values, spans, strict=True)
    ]


def local_time(moment: datetime, zone: tzinfo) -> datetime:
    """Return an instant in a time zone, or in UTC where the calendar ends there.

    The driver reads the first instant of all without a time zone.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(zone)
    except OverflowError:
        return aware


def _day_of(moment: date | datetime, zone: ZoneInfo) -> date:
    if not isinstance(moment, datetime):
        return moment
    return local_time(moment, zone).date() if moment.tzinfo else moment.date()


def _month_after(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def first_words(text: str) -> str:
    """Return as much of a text as can be searched for."""
    words = text[:MOST_SEARCHED].split()
    return text if is_searched(text) else " ".join(words[:WORDS])


def is_searched(text: str) -> bool:
    """Return whether a search looks for the whole text."""
    return len(text) <= MOST_SEARCHED and len(text.split()) <= WORDS


def word_values(words: Sequence[str]) -> dict[str, str]:
    """Return search words as parameters: `q_1` matches anywhere, `b_2` only at the start of words.

    Words of one or two letters match at the start, where trigrams can find them, except in scripts without spaces
    between words (from Thai on).
    """
    begins = [_is_begin(word) for word in words]
    return {
        f"b_{number}" if begin else f"q_{number}": like(word, "" if begin else "%")
        for number, (word, begin) in enumerate(zip(words, begins, strict=True), 1)
    }


def called_values(text: str) -> dict[str, str]:
    """Return a whole name as parameters: the name itself, and what is like it, as for a word of a search."""
    begins = _is_begin(text)
    kind = "b" if begins else "q"
    return {f"{kind}_called": escaped(text), f"{kind}_whole": like(text, "" if begins else "%")}


def _is_begin(word: str) -> bool:
    return len(word) < 3 and max(word) < WITHOUT_BLANKS


def like(text: str, before: str = "%") -> str:
    """Return a LIKE pattern that matches anywhere, or with nothing `before` the text at the start."""
    return f"{before}{escaped(text)}%"


def escaped(text: str) -> str:
    """Return a LIKE pattern that matches the whole text."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _sentence(target: Field | Filter) -> str:
    if isinstance(target, Filter) or target.choices:
        return f"Use one or more of {', '.join(target.choices)}."
    if target.kind in TIMES:
        return f"Use a day, a month, a year, `from..to`, or one of {', '.join(PERIODS)}."
    if target.kind in NUMBERS:
        return "Use a number, or `from..to`."
    return {"boolean": "Use true or false.", "reference": "Use ids."}.get(
        target.kind, "This is not a valid filter value."
    )
