"""Titles of tasks, and of the tasks that a series makes."""

import unicodedata

from todo.errors import Invalid

MOST = 500  # characters, as in the schema: the normal form can be longer than what was sent
# Controls, joiners, direction marks, variation selectors and spaces: nothing to see by themselves.
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Mn", "Zl", "Zp", "Zs"})
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols that are drawn as nothing


def clean_title(title: str) -> str:
    """Return a title in normal form (NFC) without surrounding space. Raise Invalid when there is nothing to see."""
    title = unicodedata.normalize("NFC", title).strip()
    if all(unicodedata.category(one) in INVISIBLE or one in BLANK for one in title):
        raise Invalid.field("body.title", "The title has no visible characters.")
    if len(title) > MOST:
        message = f"The title is longer than {MOST} characters in normal form (NFC)."
        raise Invalid.field("body.title", message, "too_long")
    return title
