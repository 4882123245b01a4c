"""Filters as text, and as a tree of conditions."""

import re
import unicodedata
from collections.abc import Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from msgspec import Struct

from todo.errors import FieldError, Invalid

MAX_LENGTH = 2_000  # characters
MAX_TERMS = 100  # comparisons, each value of a list counting
MAX_LOOKUPS = 10  # comparisons whose SQL is long, since compiling it holds up everybody
MAX_LEVELS = 20  # of `and`, `or` and `not` inside each other
MAX_PARENTHESES = 200  # what is expected after an error is found by trying, which takes time for each that is open
UNUSABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")


class FilterError(Exception):
    """What is wrong with a filter, as a sentence, and the number of the character where it is; the first is 1."""

    def __init__(self, message: str, position: int):
        super().__init__(message)
        self.message = message
        self.position = position

    def at(self, field: str) -> Invalid:
        """This error as that of a field of a request."""
        message = f"{self.message} This is at character {self.position}."
        return Invalid.fields([FieldError(field, message, position=self.position)])


class Value(Struct, frozen=True):
    """A word of a filter, or several, or a text in quotes."""

    text: str
    position: int
    quoted: bool = False

    @property
    def word(self) -> str:
        """What it is as a word of the language, whose case is of no account; nothing when it was quoted."""
        return "" if self.quoted else self.text.lower()


class Comparison(Struct, frozen=True):
    """A field with values; any of them will do."""

    field: Value
    operator: str
    values: tuple[Value, ...] = ()


class Not(Struct, frozen=True):
    condition: "Condition"


class Group(Struct, frozen=True):
    """Conditions of which all, or any, must hold. `size` and `levels` are those of the conditions together."""

    word: Literal["and", "or"]
    parts: tuple["Condition", ...]
    size: int = 0
    levels: int = 0


Condition: TypeAlias = Comparison | Not | Group


class Filter(Struct, frozen=True):
    """A parsed filter. Fields and values are not checked yet."""

    condition: Condition | None
    order: tuple[Value, ...] = ()


@lru_cache(maxsize=1_000)
def parse_filter(text: str) -> Filter:
    """Parse a filter. Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"A filter has at most {MAX_LENGTH:,} characters.", MAX_LENGTH + 1)
    if unusable := UNUSABLE.search(text):
        raise FilterError("This character cannot be part of a filter.", unusable.start() + 1)
    if text.count("(") > MAX_PARENTHESES:
        raise FilterError(f"A filter has at most {MAX_PARENTHESES} opening parentheses.", text.rindex("(") + 1)
    try:
        found: Filter = _parser().parse(text)  # type: ignore[assignment]  # the transformer makes it one
    except UnexpectedInput as error:
        raise _explain(error, text) from None
    if found.condition and size_of(found.condition) > MAX_TERMS:
        raise FilterError(f"A filter has at most {MAX_TERMS} terms: comparisons, and values of lists.", 1)
    return found


class _Build(Transformer[Token, Filter]):
    def start(self, parts: list[Any]) -> Filter:
        *condition, order = parts
        return Filter(condition[0] if condition else None, order or ())

    def either(self, parts: list[Condition]) -> Condition:
        return _group("or", parts)

    def both(self, parts: list[Condition]) -> Condition:
        return _group("and", parts)

    def negated(self, parts: list[Condition]) -> Condition:
        (part,) = parts
        return part.condition if isinstance(part, Not) else Not(part)

    def flag(self, parts: list[Token]) -> Comparison:
        return Comparison(_word(parts), "")

    def has(self, parts: list[Token]) -> Comparison:
        return Comparison(_word(parts), "has")

    def comparison(self, parts: list[Any]) -> Comparison:
        field, operator, value = parts
        return Comparison(_word([field]), str(operator), (value,))

    def member(self, parts: list[Any]) -> Comparison:
        return Comparison(_word(parts[:1]), "in", parts[1])

    def other(self, parts: list[Any]) -> Condition:
        return Not(self.member(parts))

    def values(self, parts: list[Value]) -> tuple[Value, ...]:
        return tuple(parts)

    def value(self, parts: list[Token]) -> Value:
        if parts[0].type == "TEXT":
            return Value(_normal(re.sub(r"\\(.)", r"\1", parts[0][1:-1], flags=re.DOTALL)), _place(parts[0]), True)
        return _word(parts)

    def order(self, parts: list[Token]) -> tuple[Value, ...]:
        return tuple(_word([part]) for part in parts)


def _word(parts: Sequence[Token]) -> Value:
    return Value(_normal(" ".join(parts)), _place(parts[0]))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _place(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _group(word: Literal["and", "or"], parts: list[Condition]) -> Condition:
    """Conditions in one group, without groups of the same kind inside. Raises FilterError when there are too many."""
    flat = [
        one for part in parts for one in (part.parts if isinstance(part, Group) and part.word == word else (part,))
    ]  # fmt: skip
    size, levels = sum(map(size_of, parts)), 1 + max(map(_levels_of, flat))
    if levels > MAX_LEVELS:
        raise FilterError(f"Conditions can be {MAX_LEVELS} levels deep in each other.", 1)
    return Group(word, tuple(flat), size, levels)


def size_of(condition: Condition) -> int:
    """How many terms a condition has."""
    while isinstance(condition, Not):
        condition = condition.condition
    return condition.size if isinstance(condition, Group) else max(1, len(condition.values))


def _levels_of(condition: Condition) -> int:
    if isinstance(condition, Not):
        return 1 + _levels_of(condition.condition)
    return condition.levels if isinstance(condition, Group) else 0


def _explain(error: UnexpectedInput, text: str) -> FilterError:
    if isinstance(error, UnexpectedCharacters):
        place = error.pos_in_stream or 0
        if text[place] in "\"'":
            return FilterError("This quotation mark has no second one.", place + 1)
        return FilterError(f"`{text[place]}` is not a comparison. Use {', '.join(OPERATORS)} or `in`.", place + 1)
    if not isinstance(error, UnexpectedToken):
        return FilterError("The filter cannot be read.", 1)
    expected = _listed(_names(error.accepts))
    if error.token.type == "$END":
        return FilterError(f"The filter ends here. Expected {expected}.", len(text) + 1)
    found = str(error.token)
    hint = " Put names with such words in quotes." if error.token.type in _KEYWORDS else ""
    return FilterError(f"Found `{found[:40]}`. Expected {expected}.{hint}", _place(error.token))


OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "~")
_KEYWORDS = {
    "_AND": "`and`", "_OR": "`or`", "_NOT": "`not`", "_IN": "`in`", "_HAS": "`has`", "_ORDER": "`order by`",
}  # fmt: skip
_BEGIN = {"WORD", "$END", "_ORDER", "LPAR", "_NOT", "_HAS"}
_SIGNS = {"LPAR": "`(`", "RPAR": "`)`", "COMMA": "`,`", "OPERATOR": "a comparison such as `=`", "$END": "the end"}


def _names(accepted: Set[str]) -> list[str]:
    """What is expected, in words. Where a value could go on, or a field be denied, that is not worth a word."""
    words = []
    if "TEXT" in accepted:
        words.append("a value")
    elif "WORD" in accepted and (not accepted & {"_AND", "$END"} or accepted == _BEGIN):
        words.append("a field")
    return words + [name for type_, name in (_KEYWORDS | _SIGNS).items() if type_ in accepted]


def _listed(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


@lru_cache
def _parser() -> Lark:
    grammar = (Path(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", transformer=_Build())
