"""What is true of tasks wherever they are kept: when a due date falls, when work counts as closed."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from todo.domain.recurrence.rules.clock import to_instant, to_local, written

CLOSED = frozenset({"done", "cancelled"})
MAX_ASSIGNEES = 20  # of a task
MAX_BLOCKERS = 50  # of a task
LAST_DAY = "9999-12-31"  # no day ends after it
_TERM = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')
MARKS = "[\u0300-\u036f\u3099\u309a]"  # accents, once they are parted from their letters
UNSPACED = "([\u3041-\u3096\u30a1-\u30fa\u3400-\u9fff\uf900-\ufaff])"  # kana and Han: each character is a word
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)  # before any task was added anywhere


def local_time_of(moment: Mapping[str, Any]) -> datetime:
    """The local wall-clock time of a `due` or `start`; a day begins at its midnight. Raises ValueError."""
    if moment["kind"] == "day":
        return datetime.combine(date.fromisoformat(moment["date"]), time.min)
    return datetime.fromisoformat(moment["at"])


def instant_of(moment: dict[str, Any], owner_timezone: str) -> datetime:
    """The instant (UTC) a `due` or `start` means for its owner. Raises ValueError.

    A wall-clock time that a clock change leaves out moves forward by the gap; one that comes twice means the first.
    """
    try:
        return to_instant(local_time_of(moment), moment.get("timezone") or owner_timezone)
    except OverflowError as error:
        raise ValueError("out of range") from error


def overdue_at(due: dict[str, Any], owner_timezone: str) -> datetime:
    """The instant (UTC) after which open work is late: its due or, when that is a day, the end of it."""
    if due["kind"] != "day" or due["date"] == LAST_DAY:
        return instant_of(due, owner_timezone)
    return to_instant(local_time_of(due) + timedelta(days=1), owner_timezone)


def instants_of(due: dict[str, Any] | None, owner_timezone: str) -> dict[str, datetime | None]:
    """The columns that follow from `due`. Raises ValueError."""
    if due is None:
        return {"due_at": None, "overdue_at": None}
    due_at = instant_of(due, owner_timezone)
    return {"due_at": due_at, "overdue_at": overdue_at(due, owner_timezone) if due["kind"] == "day" else due_at}


def day_of(moment: datetime, timezone: str, days: int = 0) -> datetime:
    """The instant (UTC) at which the day of a moment begins there, or a day so many days later."""
    midnight = datetime.combine(to_local(moment, timezone).date() + timedelta(days=days), time.min)
    return to_instant(midnight, timezone)


def day_after(moment: datetime, timezone: str) -> str:
    """The first day, as `YYYY-MM-DD`, that begins there at or after a moment."""
    begins = day_of(moment, timezone) >= moment
    return str(to_local(moment, timezone).date() + timedelta(days=0 if begins else 1))


def moment_at(original_start: datetime, kind: str, timezone: str | None) -> dict[str, Any]:
    """The `due` of an occurrence, in the kind its series began with."""
    if kind == "day":
        return {"kind": "day", "date": written(original_start, all_day=True)}
    if kind == "zoned":
        return {"kind": "zoned", "at": written(original_start), "timezone": timezone}
    return {"kind": "floating", "at": written(original_start)}


def shifted(moment: dict[str, Any], distance: timedelta) -> dict[str, Any]:
    """The same kind of `due` or `start`, this far away on the wall clock; days move by whole days."""
    return moment_at(local_time_of(moment) + distance, moment["kind"], moment.get("timezone"))


def search_terms(text: str) -> str | None:
    """The words and "phrases" of a search, without those after a `-`, in the form of PostgreSQL's `to_tsquery`.

    The last word may be the beginning of one. None where there is nothing to search for.
    """
    if any(ord(character) < 32 for character in text):
        return None
    found = [(sign, phrase or word, bool(word)) for sign, phrase, word in _TERM.findall(text)]
    terms = [(sign, plain(term), is_word) for sign, term, is_word in found if re.search(r"[^\W_]", term)]
    if all(sign for sign, _, _ in terms):
        return None
    quoted = [("!" if sign else "") + _quoted(term) for sign, term, _ in terms]
    sign, _, is_word = terms[-1]
    return " & ".join(quoted) + (":*" if is_word and not sign else "")


def plain(text: str) -> str:
    """A text as the index of words has it: without accents, and with blanks around what is written without any."""
    return re.sub(UNSPACED, r" \1 ", re.sub(MARKS, "", unicodedata.normalize("NFKD", text)))


def _quoted(term: str) -> str:
    escaped = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
