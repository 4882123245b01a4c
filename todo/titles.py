"""Titles and names that people give to things."""

import unicodedata

from todo.errors import Invalid

MOST = 500  # characters, as in the schema: the normal form can be longer than what was sent
# Controls, joiners, direction marks, variation selectors and spaces: nothing to see by themselves.
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Mn", "Zl", "Zp", "Zs"})
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols that are drawn as nothing


def is_blank(text: str) -> bool:
    """Return whether there is nothing to see."""
    return all(unicodedata.category(one) in INVISIBLE or one in BLANK for one in text)


def clean_title(title: str, field: str = "title", most: int = MOST) -> str:
    """Return a title in normal form (NFC) without surrounding space. Raise Invalid when there is nothing to see."""
    title = unicodedata.normalize("NFC", title).strip()
    if is_blank(title):
        raise Invalid.field(f"body.{field}", f"The {field} has no visible characters.")
    if len(title) > most:
        message = f"The {field} is longer than {most} characters in normal form (NFC)."
        raise Invalid.field(f"body.{field}", message, "too_long")
    return title
