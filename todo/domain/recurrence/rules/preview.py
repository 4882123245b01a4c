"""What a plan will do, before anybody saves it: one answer for the API, the command line and the admin."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from todo.domain.recurrence.rules.explain import sentence, warnings
from todo.domain.recurrence.rules.grammar import canonical
from todo.domain.recurrence.rules.notes import note
from todo.domain.recurrence.rules.occurrences import after_completion, due_at, first, occurrences
from todo.domain.recurrence.rules.plan import Anchor, Plan, PlannedOccurrence

MAX_OCCURRENCES = 100


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
    fixed = plan.in_zone(owner_zone)
    coming = islice(_coming(fixed), max(0, min(count, MAX_OCCURRENCES)))
    return Preview(
        rrule=canonical(plan.rule, plan.count, plan.until),
        sentence=sentence(plan),
        warnings=warnings(fixed),
        occurrences=[
            Occurrence(original_start, due_at(fixed, original_start), note(fixed, original_start))
            for original_start, _ in coming
        ],
    )


def _coming(plan: Plan) -> Iterator[PlannedOccurrence]:
    if plan.anchor is Anchor.SCHEDULE:
        yield from occurrences(plan, None, 0)
        return
    occurrence = first(plan)
    while occurrence:
        yield occurrence
        occurrence = after_completion(plan, occurrence.original_start, occurrence.original_start, occurrence.n)
