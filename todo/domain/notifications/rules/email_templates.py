"""Text of messages: title and lines, for the list and as plain text and HTML for e-mail."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

LONGEST_TITLE = 200
MOST_LINES = 50
BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True)
class Section:
    """Tasks under a heading, each with title and due date."""

    heading: str
    lines: Sequence[tuple[str, str]]


def one_line(text: str) -> str:
    """Return the text without line breaks, cut to the length of a subject."""
    text = BREAKS.sub(" ", text).strip()
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1] + "…"


def when(moment: Mapping[str, Any] | None, timezone: str) -> str:
    """Format a `due`, with its time zone only if it differs from the reader's."""
    if moment is None:
        return ""
    if moment["kind"] == "day":
        return in_words(date.fromisoformat(moment["date"]))
    local = datetime.fromisoformat(moment["at"])
    place = moment.get("timezone") or timezone
    return f"{in_words(local.date())}, {local:%H:%M}" + (f" ({place})" if place != timezone else "")


def in_words(day: date) -> str:
    return f"{day:%A}, {day.day} {day:%B} {day.year}"


def line_of(task: Mapping[str, Any], timezone: str) -> tuple[str, str]:
    """Format a task as a line of a message."""
    return one_line(task["title"]), when(task["due"], timezone)


def tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def shown(lines: Sequence[tuple[str, str]]) -> tuple[Sequence[tuple[str, str]], str]:
    """Return the lines that fit, and a note on how many are left out."""
    rest = len(lines) - MOST_LINES
    return lines[:MOST_LINES], f"and {rest} more" if rest > 0 else ""


def plain(sections: Sequence[Section]) -> str:
    """Render the sections as plain text."""
    parts = []
    for section in sections:
        lines, rest = shown(section.lines)
        sent = [f"- {title}" + (f" ({due})" if due else "") for title, due in lines]
        parts.append("\n".join([*([section.heading] if section.heading else []), *sent, *([rest] if rest else [])]))
    return "\n\n".join(parts)


def html(title: str, sections: Sequence[Section], foot: str, link: str) -> str:
    """Render the sections as an HTML page without external resources. `link` is the unsubscribe link, or empty."""
    return _page().render(title=title, sections=sections, shown=shown, foot=foot, link=link)


@lru_cache
def _page() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 -- commands send no messages

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("message.html")
