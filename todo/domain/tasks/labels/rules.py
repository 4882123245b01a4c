"""What a label is: a name, the same in every case."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from todo.errors import Invalid
from todo.titles import is_blank

MAX_LABELS = 50  # of a task
MOST_LABEL = 50  # characters
NO_COMMA = r"^[^\x00-\x1f\x7f,]*$(?!\n)"  # lists in CSV files, forms and queries separate them by commas
Label = Annotated[str, Meta(min_length=1, max_length=MOST_LABEL, pattern=NO_COMMA, examples=["home"])]
Labels = Annotated[
    list[Label],
    Meta(
        max_length=MAX_LABELS,
        description="Names without commas, each once whatever its case; those who share the task see the same.",
    ),
]


def clean_label(label: str, field: str) -> str:
    """Return a label in normal form (NFC) without surrounding space. Raise Invalid when there is nothing to see."""
    label = unicodedata.normalize("NFC", label).strip()
    if is_blank(label) or not re.match(NO_COMMA, label):
        raise Invalid.field(field, "A label has visible characters on one line, without commas.")
    if len(label) > MOST_LABEL:
        raise Invalid.field(field, f"A label has at most {MOST_LABEL} characters in normal form (NFC).", "too_long")
    return label


def clean_labels(labels: Iterable[str], field: str = "body.labels") -> list[str]:
    """Return the labels as `clean_label` does; of those that differ in case only, the first. Raise Invalid."""
    found: dict[str, str] = {}
    for label in labels:
        cleaned = clean_label(label, field)
        found.setdefault(cleaned.lower(), cleaned)
    return list(found.values())


def replaced(labels: Iterable[str], old: str, new: str | None) -> list[str]:
    """Return the labels with another name for one of them, or without it; each once whatever its case."""
    found: dict[str, str] = {}
    for label in labels:
        kept = new if label.lower() == old.lower() else label
        if kept is not None:
            found.setdefault(kept.lower(), kept)
    return list(found.values())
