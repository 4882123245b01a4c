"""What a comment is, and whom it mentions."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from todo.errors import Invalid
from todo.titles import is_blank

MAX_COMMENTS = 5_000  # of a task; a trigger refuses more
MAX_MENTIONS = 50  # people in one comment
MAX_MARKS = 200  # `@` looked at: each is compared with names of a hundred lengths, while others wait
CommentText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=10_000,
        pattern=r"^[^\x00]*$",
        description="Markdown, kept as it is written. `@` and the name or id of somebody who sees the task mentions"
        f" them, up to {MAX_MENTIONS} people.",
        examples=["@Ada the paint is here."],
    ),
]
MOST_NAME = 100  # characters of a name that can be mentioned
AT = re.compile(r"(?<![^\W_])@")  # not within an address


def check_text(text: str) -> None:
    """Raise Invalid when there is nothing to see."""
    if is_blank(text):
        raise Invalid.field("body.text", "A comment has visible characters.")


def mentioned(text: str, people: Iterable[tuple[UUID, str]]) -> set[UUID]:
    """Return those of these people, each an id and a name, whom a text mentions: by `@` and name or id, in any case.

    Of several names that fit, the longest counts; of several people with that name, all. Of very many `@`, the first
    `MAX_MARKS` count. Raise Invalid for too many people.
    """
    named = defaultdict[str, set[UUID]](set)
    for user_id, name in people:
        named[str(user_id)].add(user_id)
        if 0 < len(folded := _folded(name)) <= MOST_NAME:
            named[folded].add(user_id)
    lengths = sorted({len(name) for name in named}, reverse=True)
    text, found = _folded(text), set[UUID]()
    for at in islice(AT.finditer(text), MAX_MARKS):
        ends = (at.end() + length for length in lengths)
        names = (text[at.end() : end] for end in ends if not text[end : end + 1].isalnum())
        found |= next((named[name] for name in names if name in named), set())
    if len(found) > MAX_MENTIONS:
        raise Invalid.field("body.text", f"A comment mentions at most {MAX_MENTIONS} people.", "too_long")
    return found


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip()).casefold()
