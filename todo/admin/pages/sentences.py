"""Sentences with values in them, such as `There is no role support.`, in another language.

The program says them in English wherever they arise, also into the database; the API passes them on. Pages find the
pattern of the catalog that made a sentence (`There is no role %(name)s.`), and insert its values into the translation.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

VALUE = re.compile(r"%\((\w+)\)s")
LONGEST = 1_000  # characters of a sentence that is looked at
# Values that are words of the program. All others are names, numbers and the like, and stay as they are.
WORDS = frozenset({
    "advice", "allowed", "beat", "counted", "day_time", "describe", "fit", "hint", "holds", "kind", "label",
    "label_one", "labels", "lacks", "length", "more", "one", "owner_status", "policies", "range", "reference",
    "rewrap", "span", "status", "unit", "what", "words",
})  # fmt: skip
NUMBERS = frozenset({"ge", "high", "le", "low", "max_length", "min_length", "number"})
PARTS = (  # of sentences, which the code puts together out of pieces
    "1 day", "%(number)s days", "1 hour", "%(number)s hours", "1 minute", "%(number)s minutes", "characters", "items",
    "text", "a whole number", "a number", "a number%(range)s", "an object", "true or false", "null", "a secret",
    "%(attempts)s attempts.", "%(kind)s of %(min_length)s to %(max_length)s characters",
    "%(kind)s of at most %(max_length)s characters",
)  # fmt: skip
MONTHS = Locale("en").months["format"]["wide"]
DAY = re.compile(rf"(\d{{1,2}}) ({'|'.join(MONTHS.values())})(?: (\d{{4}}))?")
NUMBER = re.compile(r"\d{1,3}(,\d{3})+")
ENDS = re.compile(r"(?<=[.!?;]) (?=\S)")


class Pattern(NamedTuple):
    """A sentence of the catalog, what finds it, and its translation."""

    parts: list[str]
    match: re.Pattern[str]
    names: list[str]
    translated: str


class Sentences:
    """The sentences of one catalog."""

    def __init__(self, locale: Locale, texts: Iterable[tuple[str, str]]):
        self._locale = locale
        self._texts = dict(texts)
        found = [_pattern(text, translated) for text, translated in self._texts.items() if VALUE.search(text)]
        self._patterns = sorted(found, key=lambda one: -sum(map(len, one.parts)))

    def translate(self, text: str) -> str:
        """Translate a sentence, or several. What no pattern has made stays as it is."""
        if not self._texts or len(text) > LONGEST:
            return text
        if text in self._texts:
            return self._texts[text]
        sentences = ENDS.split(text)
        found = [self._whole(one) for one in sentences]
        if None in found and (whole := self._whole(text)) is not None:
            return whole
        return " ".join(translated or one for translated, one in zip(found, sentences, strict=True))

    def knows(self, text: str) -> bool:
        return text in self._texts

    def _whole(self, text: str) -> str | None:
        """Translate one sentence: by the pattern whose words are all known, else by the first that matches."""
        if text in self._texts:
            return self._texts[text]
        first = None
        for one in self._patterns:
            if all(part in text for part in one.parts) and (found := one.match.fullmatch(text)):
                sent = dict(zip(one.names, found.groups(), strict=True))
                values = {name: self._value(name, value) for name, value in sent.items()}
                translated = one.translated % {name: values[name] or sent[name] for name in sent}
                if None not in values.values():
                    return translated
                first = first or translated
        return first

    def _value(self, name: str, value: str) -> str | None:
        """Return a value as the language writes it; None for an unknown word."""
        if name == "labels":
            return ", ".join(self._word(label) or label for label in value.split(", "))
        if name in WORDS:
            return self._word(value)
        if NUMBER.fullmatch(value):
            return str(format_decimal(int(value.replace(",", "")), locale=self._locale))
        return DAY.sub(self._day, value)

    def _word(self, word: str) -> str | None:
        """Translate words, which a declaration may have with a capital or underscores: `in_progress`."""
        if not word:
            return ""
        plain = word.replace("_", " ")
        known = (self._whole(form) for form in (word, plain, plain[:1].upper() + plain[1:]))
        return next((found for found in known if found is not None), None)

    def _day(self, found: re.Match[str]) -> str:
        month = next(number for number, name in MONTHS.items() if name == found[2])
        day = date(int(found[3] or 2000), month, int(found[1]))
        return str(format_date(day, "d. MMMM yyyy" if found[3] else "d. MMMM", locale=self._locale))


def _pattern(text: str, translated: str) -> Pattern:
    parts = [part.replace("%%", "%") for part in VALUE.split(text)[::2]]
    names = VALUE.findall(text)
    groups = [r"(.*?)" if name in WORDS else r"([\d.,-]*\d)" if name in NUMBERS else r"(.+?)" for name in names]
    match = "".join(re.escape(part) + group for part, group in zip(parts, [*groups, ""], strict=True))
    return Pattern([part for part in parts if part], re.compile(match, re.DOTALL), names, translated)
