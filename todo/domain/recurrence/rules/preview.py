"""What a plan will do, before anybody saves it: one answer for the API, the command line and the admin."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from todo.domain.recurrence.rules.explain import sentence, warnings
from todo.domain.recurrence.rules.grammar import canonical
from todo.domain.recurrence.rules.notes import note
from todo.domain.recurrence.rules.opening import due_at
from todo.domain.recurrence.rules.plan import Anchor, Plan, Turn
from todo.domain.recurrence.rules.turns import after_completion, first, turns

MAX_OCCURRENCES = 100


@dataclass(frozen=True)
class Occurrence:
    """A turn: its nominal local time, the instant (UTC) it is due, and what moved it."""

    nominal: datetime
    at: datetime
    note: str | None


@dataclass(frozen=True)
class Preview:
    """The rule as stored, with its end; its sentence; what to expect; the first turns."""

    rrule: str
    sentence: str
    warnings: list[str]
    occurrences: list[Occurrence]


def preview(plan: Plan, count: int, owner_zone: str) -> Preview:
    """The first `count` turns, at most MAX_OCCURRENCES; counted from completion, as if each were done on its day."""
    fixed = plan.in_zone(owner_zone)
    coming = islice(_coming(fixed), max(0, min(count, MAX_OCCURRENCES)))
    return Preview(
        rrule=canonical(plan.rule, plan.count, plan.until),
        sentence=sentence(plan),
        warnings=warnings(fixed),
        occurrences=[Occurrence(nominal, due_at(fixed, nominal), note(fixed, nominal)) for nominal, _ in coming],
    )


def _coming(plan: Plan) -> Iterator[Turn]:
    if plan.anchor is Anchor.SCHEDULE:
        yield from turns(plan, None, 0)
        return
    turn = first(plan)
    while turn:
        yield turn
        turn = after_completion(plan, turn.nominal, turn.nominal, turn.n)
