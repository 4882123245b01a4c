"""The tables "what happens when" of docs/recurrence.md, made from the vectors: `just tables` writes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.vectors import Case, all_cases

PAGE = Path(__file__).parents[2] / "docs" / "recurrence.md"
BEGIN, END = "<!-- begin of tables: `just tables` writes them -->\n", "<!-- end of tables -->\n"
MOST_SHOWN = 4
# Of each table its heading, and with which words the names of its cases begin, by file.
TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "The 31st of a short month (`on_invalid_date`)": {
        "month_ends": ("the 31st implied by start", "a list 1,31 ", "day -1 "),
        "leap_days": ("29 February every year from 2024",),
    },
    "Clock changes": {
        "clock_changes": (
            *("America/New_York: a time", "America/New_York: of a time", "America/New_York: nine"),
            *("America/New_York: whole", "America/New_York: every 1 real hours", "America/New_York: every 24"),
            *("Pacific/Apia: the day", "floating work", "zoned work"),
        ),
        "times_of_day": ("clocks go",),
    },
    "Days off (`shift`)": {
        "holidays": ("no shift", "previous: Th", "next: over", "nearest: ", "skip: ", "a weekday "),
    },
    "Completed early, late and twice (`anchor: schedule`)": {
        "completion": ("schedule, ",),
        "times_of_day": ("done ",),
    },
    "Counted from completion (`anchor: completion`)": {"completion": ("completion, ",)},
    "The next comes while one is open (`on_missed`)": {
        "on_missed": (
            *("keep_one: the open", "keep_one: after", "keep_one: nothing open", "keep_one: missed"),
            *("skip_to_next: the late", "skip_to_next: after", "skip_to_next: nothing comes"),
            *("skip_to_next: an occurrence moved", "skip_to_next: a moved", "expire: a moved"),
            *("backfill: each", "backfill: at most", "backfill: those", "backfill: max_open"),
            *("expire: the occurrences", "expire: an ", "expire: closes", "expire: the very"),
            *("whole days", "lead longer"),
        )
    },
    "When an occurrence appears (`opens`, `lead_seconds`)": {
        "opens": ("",),
        "timing": ("",),
        "on_missed": ("opens on close", "lead: "),
    },
    "Pauses (`pauses`)": {
        "pauses": (
            *("before a pause", "on the ", "after a pause", "two pauses", "in a pause", "back from"),
            *("a lead into a pause: ", "moved by a holiday", "an all-day occurrence in", "paused occurrences"),
            *("counted from completion",),
        )
    },
}


def tables() -> str:
    """All tables; raises ValueError for words that no case begins with."""
    return "\n".join(f"### {heading}\n\n{_table(_chosen(files))}" for heading, files in TABLES.items())


def with_tables(page: str) -> str:
    """A page with its tables as the vectors have them now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


def _chosen(files: dict[str, tuple[str, ...]]) -> list[Case]:
    found: list[Case] = []
    for file, beginnings in files.items():
        for words in beginnings:
            cases = [case for case in all_cases(file) if case["name"].startswith(words)]
            if not cases:
                raise ValueError(f"No case of {file}.json begins with {words!r}.")
            found += cases
    return found


def _table(cases: list[Case]) -> str:
    rows = [f"| {case['name']} | {_series(case)} | {_outcome(case)} |\n" for case in cases]
    return "| when | series | what happens |\n|---|---|---|\n" + "".join(rows)


def _series(case: Case) -> str:
    fields = {name: value for name, value in case["series"].items() if (name, value) != ("timezone", "UTC")}
    text = f"`{fields.pop('rrule')}` from {fields.pop('start')}"
    fields |= {"owner in": case["owner_zone"]} if "owner_zone" in case else {}
    return "; ".join([text, *(f"{name} {_plain(value)}" for name, value in fields.items())])


def _outcome(case: Case) -> str:
    (name,) = OUTCOMES.keys() & case.keys()
    text, fact = OUTCOMES[name](case[name]), case[name]
    if name != "occurrences":
        return text
    return f"{text}, no more" if case.get("ends") and len(fact) <= MOST_SHOWN else f"{text}, ..."


def _decided(fact: dict[str, Any]) -> str:
    verbs = {"opens": "opens", "missed": "missed", "paused": "paused", "closes": "closes as missed"}
    happens = [f"{verb} {_plain(fact[name])}" for name, verb in verbs.items() if fact.get(name)]
    still = f", {_plain(fact['open'])} open" if fact["open"] else ""
    still += "".join(f" (moved to {instant})" for instant in fact.get("late", {}).values())
    happens.append(f"waits for {fact['next'] or 'nothing'}")
    return f"at {fact['now']}{still}: " + "; ".join(happens)


OUTCOMES: dict[str, Callable[[Any], str]] = {
    "occurrences": lambda fact: ", ".join(map(_occurrence, fact[:MOST_SHOWN])),
    "completed": lambda fact: (
        f"{fact['original_start']} done at {fact['completed']}: {fact['next'] or 'nothing'} follows"
    ),
    "closed": lambda fact: f"{fact['original_start']} is closed: {fact['next']} appears {fact['appears'] or 'at once'}",
    "opens": lambda fact: f"{fact['original_start']} " + (f"appears {fact['at']}" if fact["at"] else "does not happen"),
    "due": lambda fact: f"{fact['original_start']} is due {fact['due']}",
    "decide_missed": _decided,
}


def _occurrence(occurrence: str | dict[str, str]) -> str:
    return occurrence if isinstance(occurrence, str) else f"{occurrence['original_start']} ({occurrence['at']})"


def _plain(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    texts = [" to ".join(item) if isinstance(item, list) else str(item) for item in value]
    shown = texts if len(texts) <= MOST_SHOWN else [*texts[:2], "...", texts[-1]]
    return ", ".join(shown) or "none"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
