"""What a message says: its title, its lines in the list, and the same as plain text and HTML for mail."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from typing import Any

LONGEST_TITLE = 200
MOST_LINES = 50
BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ margin: 0; padding: 24px 12px; background: #f3f4f6; color: #111827;
         font: 16px/1.5 -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }}
  .card {{ max-width: 560px; margin: 0 auto; padding: 24px 28px; background: #ffffff; border-radius: 12px; }}
  h1 {{ margin: 0 0 16px; font-size: 20px; line-height: 1.3; overflow-wrap: anywhere; }}
  h2 {{ margin: 20px 0 4px; font-size: 13px; color: #4b5563; }}
  .task {{ padding: 10px 0; border-top: 1px solid #e5e7eb; overflow-wrap: anywhere; }}
  .when {{ font-size: 14px; color: #4b5563; }}
  .foot {{ max-width: 560px; margin: 16px auto 0; font-size: 13px; color: #4b5563; }}
  a {{ color: #1d4ed8; }}
  @media (prefers-color-scheme: dark) {{
    body {{ background: #0b0f19; color: #e5e7eb; }}
    .card {{ background: #161b26; }} .task {{ border-color: #2b3344; }}
    h2, .when, .foot {{ color: #9ca3af; }} a {{ color: #93c5fd; }}
  }}
</style></head>
<body><div class="card"><h1>{title}</h1>{sections}</div><p class="foot">{foot}</p></body></html>
"""


@dataclass(frozen=True)
class Section:
    """Some tasks under a heading, each a title and when it is due."""

    heading: str
    lines: Sequence[tuple[str, str]]


def one_line(text: str) -> str:
    """Text without line breaks of any kind, and not too long for a subject."""
    text = BREAKS.sub(" ", text).strip()
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1] + "…"


def when(moment: Mapping[str, Any] | None, timezone: str) -> str:
    """A `due` in words; without place unless it names one that is not the reader's."""
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
    """A task as a line of a message."""
    return one_line(task["title"]), when(task["due"], timezone)


def tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def shown(lines: Sequence[tuple[str, str]]) -> tuple[Sequence[tuple[str, str]], str]:
    """The lines that fit, and how many there are besides."""
    rest = len(lines) - MOST_LINES
    return lines[:MOST_LINES], f"and {rest} more" if rest > 0 else ""


def plain(sections: Sequence[Section]) -> str:
    """The sections as text."""
    parts = []
    for section in sections:
        lines, rest = shown(section.lines)
        told = [f"- {title}" + (f" ({due})" if due else "") for title, due in lines]
        parts.append("\n".join([*([section.heading] if section.heading else []), *told, *([rest] if rest else [])]))
    return "\n\n".join(parts)


def html(title: str, sections: Sequence[Section], foot: str, link: str) -> str:
    """The sections as a small page that loads nothing; `link` is where to unsubscribe, or empty."""
    parts = []
    for section in sections:
        lines, rest = shown(section.lines)
        parts += [f"<h2>{escape(section.heading)}</h2>"] if section.heading else []
        parts += [
            f'<div class="task"><div>{escape(title)}</div><div class="when">{escape(due)}</div></div>'
            for title, due in lines
        ]
        parts += [f'<div class="task when">{rest}</div>'] if rest else []
    end = f' <a href="{escape(link)}">Unsubscribe</a>' if link else ""
    return PAGE.format(title=escape(title), sections="".join(parts), foot=escape(foot) + end)
