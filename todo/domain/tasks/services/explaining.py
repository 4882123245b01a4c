"""What tasks and series know of why a task did or did not come up, for the admin."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Boolean, bindparam, or_, select, true

from todo.admin.explanations import Explainer, ExplanationEntry, Subject, entry, worker_entries
from todo.database import ACTOR, Query, now
from todo.domain.accounts.models import USER, User
from todo.domain.projects.models import PROJECT, Project
from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.grammar import RuleError
from todo.domain.recurrence.rules.languages import phrases_of
from todo.domain.recurrence.rules.notes import note
from todo.domain.recurrence.rules.plan import Plan
from todo.domain.recurrence.rules.timing import opens_at, pause_ends_at
from todo.domain.tasks import rules
from todo.domain.tasks.dependencies.models import DEPENDENCY, Dependency
from todo.domain.tasks.guards import reachable
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Series
from todo.domain.tasks.series.queries import COLUMNS, row_of, sentence_of
from todo.domain.tasks.series.upcoming import FIRST_OPEN, Coming
from todo.language import spoken

MOST = 20  # occurrences shown
ON_TIME = timedelta(minutes=1)
POLICIES = {
    "keep_one": "one open occurrence is kept, those that come meanwhile are missed",
    "skip_to_next": "a missed occurrence closes when the next one comes",
    "backfill": "missed occurrences all open",
    "expire": "an open occurrence expires after some time",
}
WITHOUT_TASK = {
    "missed": "No task was made: it came while an earlier one was open, or its time had passed.",
    "paused": "No task was made: it was due in a pause or vacation.",
}
CLOSED = {
    "done": "Its task was completed.",
    "skipped": "Somebody skipped it.",
    "missed": "It was still open when the next one came, or it expired.",
    "cancelled": "Its task was cancelled or deleted.",
    "paused": "It was due in a pause or vacation.",
}


class OccurrenceRow(NamedTuple):
    """A row of the occurrences of a series."""

    original_start: datetime
    status: str
    task_id: UUID | None
    created_at: datetime
    closed_at: datetime | None
    moved_to: datetime | None
    id: UUID


class Blocker(NamedTuple):
    """A task that another one waits for; `seen`: the actor may see it."""

    id: UUID
    title: str
    status: str
    since: datetime
    seen: bool


TIMEZONE: Query[str] = Query(str, select(USER.timezone).where(USER.id == bindparam("owner")))
PLACE: Query[tuple[str, datetime | None]] = Query(
    lambda status, archived_at: (status, archived_at),
    select(USER.status, PROJECT.archived_at)
    .join_from(User, Project, PROJECT.owner_id == USER.id)
    .where(PROJECT.id == bindparam("project")),
)
OF_SERIES = Query(
    lambda *values: Coming(row_of(*values[:-4]), *values[-4:]),
    COLUMNS.add_columns(*FIRST_OPEN.c).outerjoin(FIRST_OPEN, true()).where(SERIES.id == bindparam("series")),
)
# The occurrence of the task first, then the newest.
OCCURRENCES = Query(
    OccurrenceRow,
    select(*(OCCURRENCE[name] for name in OccurrenceRow._fields))
    .where(OCCURRENCE.series_id == bindparam("series"))
    .order_by(OCCURRENCE.task_id.is_distinct_from(bindparam("task")), OCCURRENCE.original_start.desc())
    .limit(MOST),
)
BLOCKERS = Query(
    Blocker,
    select(
        TASK.id, TASK.title, TASK.status, DEPENDENCY.created_at,
        or_(bindparam("every", type_=Boolean()), reachable(ACTOR)),
    )
    .join_from(Dependency, Task, TASK.id == DEPENDENCY.blocker_id)
    .where(DEPENDENCY.task_id == bindparam("task"), TASK.deleted_at.is_(None))
    .order_by(DEPENDENCY.created_at, DEPENDENCY.id),
)  # fmt: skip


async def explain_task(subject: Subject) -> list[ExplanationEntry]:
    """Explain a task: its dates and state, what it waits for, and its series. Runs at most five statements."""
    reads, row = subject.database.reads, subject.row
    place = await reads.one_or_none(PLACE, project=row.project_id)
    every = subject.actor.may("tasks.all")
    blockers = await reads.all(BLOCKERS, task=row.id, every=every, actor=subject.actor.id)
    entries = [*_dates(row, subject.timezone), *_state(row, *(place or ("active", None)))]
    entries += [_blocker(one) for one in blockers]
    return entries + (await _series(subject, row.series_id, row.id) if row.series_id else [])


async def explain_series(subject: Subject) -> list[ExplanationEntry]:
    """Explain a series. Runs at most four statements."""
    place = await subject.database.reads.one_or_none(PLACE, project=subject.row.project_id)
    return [*_surroundings(*(place or ("active", None))), *await _series(subject, subject.row.id, None)]


EXPLAINERS = [Explainer("tasks", explain_task), Explainer("series", explain_series)]


def _dates(row: Any, timezone: str) -> Iterator[ExplanationEntry]:
    yield entry("date", "Task added", at=row.created_at)
    if row.start:
        at = _instant(row.start, timezone)
        waits = at is not None and at > now()
        yield entry("date", "Start", "It is planned for later." if waits else "", at=at, blocks=waits)
    if row.due_at:
        late = row.overdue_at <= now() and row.status not in rules.CLOSED
        yield entry("date", "Due", "It is overdue." if late else "", at=row.due_at)
    if row.completed_at:
        why = "Closed tasks do not come up."
        yield entry("state", f"Task closed: {row.status}", why, row.completed_at, blocks=True)


def _instant(moment: dict[str, Any], timezone: str) -> datetime | None:
    """Return what a start means, or None where the calendar ends before it, as in a time zone moved to since."""
    try:
        return rules.instant_of(moment, timezone)
    except ValueError:
        return None


def _state(row: Any, owner_status: str, archived_at: datetime | None) -> Iterator[ExplanationEntry]:
    if row.deleted_at:
        yield entry("state", "Moved to the trash", "Only the trash shows it.", row.deleted_at, blocks=True)
    yield from _surroundings(owner_status, archived_at)


def _surroundings(owner_status: str, archived_at: datetime | None) -> Iterator[ExplanationEntry]:
    if archived_at:
        yield entry("state", "Project archived", "Lists leave out archived projects.", archived_at, blocks=True)
    if owner_status != "active":
        yield entry("state", f"The account of the owner is {owner_status}", "Nobody is notified.", blocks=True)


def _blocker(one: Blocker) -> ExplanationEntry:
    waits = one.status not in rules.CLOSED
    what = f"Waits for {one.title if one.seen else 'a task that you may not see'}"
    why = f"It is {one.status.replace('_', ' ')}: the task is blocked." if waits else f"It is {one.status}."
    return entry("dependency", what, why, one.since, blocks=waits, of=("tasks", one.id) if one.seen else ("", ""))


async def _series(subject: Subject, series_id: UUID, task_id: UUID | None) -> list[ExplanationEntry]:
    database = subject.database
    coming = await database.reads.one_or_none(OF_SERIES, series=series_id)
    if coming is None:
        return []
    rows = await database.reads.all(OCCURRENCES, series=series_id, task=task_id)
    entries = [*_rule(coming.series), *_next(coming)]
    entries += [found for one in rows for found in _occurrence(coming.series, one)]
    return entries + await worker_entries(database, "materialize_due")


def _rule(series: Series) -> Iterator[ExplanationEntry]:
    counted = "the last completion" if series.anchor == "completion" else "the schedule"
    why = f"Counted from {counted}; {POLICIES[series.on_missed]}."
    yield entry("rule", sentence_of(series), why, of=("series", series.id))
    if series.status != "active":
        why = "No task comes up until it is resumed." if series.status == "paused" else "No more tasks come up."
        yield entry("rule", f"The series is {series.status}", why, blocks=True)
    if series.failures:
        what = f"The series is set aside after {series.failures} failures"
        yield entry("worker", what, series.last_error or "", blocks=True)
    plan = _plan(series)
    if plan and (until := pause_ends_at(plan, now())):
        yield entry("rule", "A pause or vacation ends", "Nothing comes up before.", until, blocks=True)


def _next(coming: Coming) -> Iterator[ExplanationEntry]:
    series, plan = coming.series, _plan(coming.series)
    start = series.next_original_start
    if plan is None or start is None or series.status != "active":
        return
    name = written(start, all_day=series.kind == "day")
    yield entry("occurrence", f"Occurrence {name} is to open", _note(plan, start), opens_at(plan, start))
    if series.next_run_at:
        yield entry("worker", "The worker evaluates the series", at=series.next_run_at)
    if series.next_run_at is None or coming.blocked_by():
        what = f"Occurrence {name} waits until the open one is closed"
        yield entry("occurrence", what, f"For missed occurrences: {POLICIES[series.on_missed]}.", blocks=True)


def _occurrence(series: Series, one: OccurrenceRow) -> Iterator[ExplanationEntry]:
    start = written(one.original_start, all_day=series.kind == "day")
    of = ("occurrences", one.id)
    if one.task_id is None and one.status in WITHOUT_TASK:
        yield entry("occurrence", f"Occurrence {start} {one.status}", WITHOUT_TASK[one.status], one.created_at, of=of)
        return
    yield entry("occurrence", f"Occurrence {start} opened as a task", _timeliness(series, one), one.created_at, of=of)
    if one.closed_at:
        yield entry("occurrence", f"Occurrence {start} {one.status}", CLOSED.get(one.status, ""), one.closed_at, of=of)


def _timeliness(series: Series, one: OccurrenceRow) -> str:
    """Say whether an occurrence opened when its rule says."""
    plan = _plan(series)
    if plan is None:
        return ""
    distance = one.created_at - opens_at(plan, one.original_start)
    if distance > ON_TIME:
        why = f"{_span(distance)} late: no worker ran, the one before was open, or the series began later."
    elif distance < -ON_TIME:
        why = f"{_span(-distance)} early: the one before it was closed, or the series began with it."
    else:
        why = "On time."
    words = [why, _note(plan, one.original_start), f"Moved to {one.moved_to:%Y-%m-%d}." if one.moved_to else ""]
    return " ".join(filter(None, words))


def _note(plan: Plan, start: datetime) -> str:
    """Say in the language of the request what moved an occurrence."""
    return note(plan, start, phrases_of(spoken())) or ""


def _span(distance: timedelta) -> str:
    minutes = int(distance.total_seconds() // 60)
    size, unit = next((size, unit) for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")) if minutes >= size)
    number = minutes // size
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _plan(series: Series) -> Plan | None:
    """The plan of a series; None for a rule that cannot be read, which its sentence says."""
    try:
        return series.plan()
    except RuleError:
        return None
