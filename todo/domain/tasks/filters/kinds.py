"""What can be compared with what: the kinds of fields, their operators, and how their values are read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from todo.domain.tasks.filters.syntax import FilterError, Value
from todo.domain.tasks.filters.times import Asker, ToInterval
from todo.domain.tasks.rules import search_terms

EQUAL = ("=", "!=", "in")
ORDERED = ("=", "!=", "<", "<=", ">", ">=", "in")


class Match(NamedTuple):
    """A way in which a field can match: one of its clauses, with its arguments."""

    clause: str
    arguments: tuple[Any, ...] = ()


class Kind(NamedTuple):
    """A kind of field. `read` returns the matches of which one must hold."""

    name: str
    operators: tuple[str, ...]
    values: str  # what they can be, as the end of a sentence
    read: Callable[[str, Sequence[Value], Asker], list[Match]]
    choices: tuple[str, ...] = ()


def interval(
    name: str, values: str, to_interval: ToInterval, *, can_be_none: bool = True, with_days: bool = False
) -> Kind:
    """Of something that has an order: each value is an interval, from its first to before its second bound.

    Clauses: `between`, `before`, `since`, and `none`. `with_days`: after each instant, the first day that begins then.
    """

    def read(operator: str, given: Sequence[Value], asker: Asker) -> list[Match]:
        matches = []
        for value in given:
            if can_be_none and operator in EQUAL and value.word == "none":
                matches.append(Match("none"))
                continue
            begin, end = (_bound(one, asker, with_days) for one in to_interval(value, asker))
            matches.append(
                {
                    "<": Match("before", begin), "<=": Match("before", end), ">": Match("since", end),
                    ">=": Match("since", begin),
                }.get(operator, Match("between", (*begin, *end)))
            )  # fmt: skip
        return matches

    return Kind(name, ORDERED, f"{values}{', or `none`' if can_be_none else ''}", read)


def _bound(bound: Any, asker: Asker, with_day: bool) -> tuple[Any, ...]:
    return (bound, asker.day_after(bound)) if with_day else (bound,)


def choice(name: str, values: Mapping[str, Any], *, ordered: bool = False) -> Kind:
    """One of a few values. Clauses: `is`, `among`, and if ordered `before` and `after`."""
    words = ", ".join(f"`{word}`" for word in values)

    def read(operator: str, given: Sequence[Value], _asker: Asker) -> list[Match]:
        found = []
        for value in given:
            if value.text.lower() not in values:
                raise FilterError(f"`{value.text[:40]}` is not a {name}. Use one of {words}.", value.position)
            found.append(values[value.text.lower()])
        if operator in EQUAL:
            return [Match("is", (found[0],)) if len(found) == 1 else Match("among", (found,))]
        limit = found[0] + (operator in ("<=", ">"))
        return [Match("before" if "<" in operator else "since", (limit,))]

    return Kind(name, ORDERED if ordered else EQUAL, f"one of {words}", read, tuple(values))


def names(name: str, values: str, special: Sequence[str] = (), *, people: bool = False) -> Kind:
    """Things by their names or ids. Clauses: `among`, whose argument is a list of texts, and each of `special`."""

    def read(_operator: str, given: Sequence[Value], asker: Asker) -> list[Match]:
        matches, found = [], []
        for value in given:
            if value.word in special:
                matches.append(Match(value.word))
            else:
                found.append(str(asker.user_id) if people and value.word == "me" else value.text)
        return [*matches, Match("among", (found,))] if found else matches

    return Kind(name, EQUAL, values, read)


def ids(values: str) -> Kind:
    """Things by their ids. Clauses: `among`, `none`."""

    def read(_operator: str, given: Sequence[Value], _asker: Asker) -> list[Match]:
        matches, found = [], []
        for value in given:
            if value.word == "none":
                matches.append(Match("none"))
                continue
            try:
                found.append(UUID(value.text))
            except ValueError:
                raise FilterError(f"`{value.text[:40]}` is not an id, or `none`.", value.position) from None
        return [*matches, Match("among", (found,))] if found else matches

    return Kind("id", EQUAL, values, read)


def _words(_operator: str, given: Sequence[Value], _asker: Asker) -> list[Match]:
    (value,) = given
    terms = search_terms(value.text)
    if terms is None:
        raise FilterError("Search for at least one word of letters or digits.", value.position)
    return [Match("among", (terms,))]


def _late(_operator: str, _given: Sequence[Value], asker: Asker) -> list[Match]:
    return [Match("is", (str(asker.local(asker.now).date()),))]


def _flag(_operator: str, _given: Sequence[Value], _asker: Asker) -> list[Match]:
    return [Match("is")]


WORDS = Kind(
    "text",
    ("~",),
    'words, the last of which may be the beginning of one; `-` excludes a word, " makes a phrase',
    _words,
)
FLAG = Kind("flag", (), "", _flag)  # stands alone
LATE = Kind("flag", (), "", _late)  # its argument is today
PART = Kind("part", (), "", _flag)  # only for `has`; clause: `none`
