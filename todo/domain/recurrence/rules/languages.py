"""The languages of plans and occurrences."""

from collections.abc import Mapping

from todo.domain.recurrence.rules.english import English
from todo.domain.recurrence.rules.german import German
from todo.domain.recurrence.rules.phrases import Phrases

ENGLISH: Phrases = English()
PHRASES: Mapping[str, Phrases] = {"en": ENGLISH, "de": German()}


def phrases_of(code: str) -> Phrases:
    """The phrases of a language, or English for one that has none."""
    return PHRASES.get(code, ENGLISH)
