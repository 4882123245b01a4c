"""What a plan will do, before anybody saves it: one answer for the API, the command line and the admin."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from todo.domain.recurrence.rules.explain import sentence
from todo.domain.recurrence.rules.generator import years_searched
from todo.domain.recurrence.rules.grammar import canonical
from todo.domain.recurrence.rules.notes import note
from todo.domain.recurrence.rules.occurrences import after_completion, due_at, first, occurrences, outside_pauses
from todo.domain.recurrence.rules.plan import Anchor, Plan, PlannedOccurrence
from todo.domain.recurrence.rules.warn import warnings

MAX_OCCURRENCES = 100
# How many occurrences show whether all of them are leap days.
SAMPLE = 4
# Where a list ends: a list of rare dates takes as long as this many searches in vain.
MOST_SEARCHES = 4
MIN_YEARS = 200
# How many occurrences in pauses a list passes over; counted from completion each of them costs a step.
MOST_PAUSED = {Anchor.SCHEDULE: 5_000, Anchor.COMPLETION: 1_000}


@dataclass(frozen=True)
class Occurrence:
    """An occurrence: its original start, the instant (UTC) it is due, and what moved it."""

    original_start: datetime
    at: datetime
    note: str | None


@dataclass(frozen=True)
class Preview:
    """The rule as stored, with its end; its sentence; what to expect; the first occurrences."""

    rrule: str
    sentence: str
    warnings: list[str]
    occurrences: list[Occurrence]


def preview(plan: Plan, count: int, owner_zone: str) -> Preview:
    """The first `count` occurrences, at most MAX_OCCURRENCES; after completion, as if each were done on its day."""
    fixed, count = plan.in_zone(owner_zone), max(0, min(count, MAX_OCCURRENCES))
    listed = first_occurrences(fixed, MAX_OCCURRENCES if plan.shift else max(count, SAMPLE))
    return Preview(
        rrule=canonical(plan.rule, plan.count, plan.until),
        sentence=sentence(plan),
        warnings=warnings(fixed, listed, count),
        occurrences=[
            Occurrence(original_start, due_at(fixed, original_start), note(fixed, original_start))
            for original_start, _ in listed[:count]
        ],
    )


def first_occurrences(plan: Plan, count: int) -> list[PlannedOccurrence]:
    """The first `count` occurrences but those in a pause, of rare ones those of some centuries."""
    last_year = plan.start.year + max(MIN_YEARS, MOST_SEARCHES * years_searched(plan.rule))
    coming = takewhile(lambda occurrence: occurrence.original_start.year <= last_year, _coming(plan))
    return list(islice(outside_pauses(plan, coming, MOST_PAUSED[plan.anchor]), count))


def _coming(plan: Plan) -> Iterator[PlannedOccurrence]:
    if plan.anchor is Anchor.SCHEDULE:
        yield from occurrences(plan, None, 0)
        return
    occurrence = first(plan)
    while occurrence:
        yield occurrence
        occurrence = after_completion(plan, occurrence.original_start, occurrence.original_start, occurrence.n)
