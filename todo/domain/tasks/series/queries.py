"""Reading series, what became of their occurrences, and the occurrences to come."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import String, any_, bindparam, case, select
from sqlalchemy.dialects.postgresql import ARRAY

from todo.access import Actor
from todo.database import ACTOR, Direct, Query, table_of
from todo.domain.projects.queries import SHARED_PROJECTS
from todo.domain.recurrence.rules.clock import written
from todo.domain.recurrence.rules.explain import sentence
from todo.domain.recurrence.rules.grammar import END_OF_DAY, RuleError
from todo.domain.recurrence.rules.languages import phrases_of
from todo.domain.recurrence.rules.occurrences import due_at
from todo.domain.recurrence.schemas import Pause
from todo.domain.tasks.schemas import SeriesSummary
from todo.domain.tasks.series.guards import visible_to
from todo.domain.tasks.series.models import OCCURRENCE, SERIES, Occurrence, Series
from todo.domain.tasks.series.schemas import OccurrenceOut, SeriesOut, Template
from todo.errors import NotFound
from todo.language import spoken
from todo.listing import Listing, Shared, Sort
from todo.schema import Page

NAMES = tuple(column.name for column in table_of(Series).c)


def sentence_of(series: Series) -> str:
    """The rule of a series in words, in the language of the request, or why it cannot be read."""
    try:
        return sentence(replace(series.plan(), timezone=series.timezone), phrases_of(spoken()))
    except RuleError as error:
        return error.message


def series_summary(series: Series) -> SeriesSummary:
    """What a task shows of its series."""
    same = {name: getattr(series, name) for name in SeriesSummary.__struct_fields__ if name in NAMES}
    return SeriesSummary(**(same | {"sentence": sentence_of(series), "until": _until(series)}))


def _until(series: Series) -> str | None:
    return written(series.until, series.kind == "day" or series.until.time() == END_OF_DAY) if series.until else None


def series_out(series: Series) -> SeriesOut:
    """A row as the wire shows it; also one whose rule cannot be read any more."""
    all_day, template = series.kind == "day", {"labels": [], "assignee_ids": []} | series.template
    next_due_at = None
    try:
        plan = series.plan()
        next_due_at = due_at(plan, series.next_original_start) if series.next_original_start else None
    except RuleError:
        pass
    same = {name: getattr(series, name) for name in SeriesOut.__struct_fields__ if name in NAMES}
    computed = {
        "sentence": sentence_of(series),
        "template": Template(**{name: template.get(name) for name in Template.__struct_fields__}),  # type: ignore[arg-type]  # from JSON of ours
        "start": written(series.start, all_day),
        "until": _until(series),
        "holidays": [date.fromisoformat(day) for day in series.holidays],
        "pauses": [Pause(date.fromisoformat(begin), date.fromisoformat(end)) for begin, end in series.pauses],
        "occurrence_count": series.n,
        "last_occurrence": written(series.last_original_start, all_day) if series.last_original_start else None,
        "next_occurrence": written(series.next_original_start, all_day) if series.next_original_start else None,
        "next_due_at": next_due_at,
    }
    return SeriesOut(**(same | computed))


def row_of(*values: Any) -> Series:
    """A series from a compiled read, which leaves JSON unread."""
    read = (msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value for value in values)
    return Series(**dict(zip(NAMES, read, strict=True)))


def _listed(*values: Any) -> SeriesOut:
    return series_out(row_of(*values))


def _entry(id: UUID, original_start: datetime, kind: str, *values: Any) -> OccurrenceOut:
    return OccurrenceOut(id, written(original_start, kind == "day"), *values)


COLUMNS = select(*table_of(Series).c)
# An occurrence with another due is open, whatever it is called.
STATUS = case(((OCCURRENCE.status == "open") & OCCURRENCE.moved_to.is_not(None), "moved"), else_=OCCURRENCE.status)
READ = Query(_listed, COLUMNS.where(visible_to(ACTOR), SERIES.id == bindparam("series")))
_in_project = COLUMNS.where(SERIES.project_id == SHARED_PROJECTS.c.project_id).correlate(SHARED_PROJECTS)
SERIES_LIST = Listing(
    _listed,
    COLUMNS.where(SERIES.owner_id == ACTOR),
    filters={"status": SERIES.status == any_(bindparam("status", type_=ARRAY(String)))},
    sorts={"id": Sort(SERIES.id, UUID, lambda series: series.id)},
    default="-id",
    shared=Shared(SHARED_PROJECTS, _in_project),
)
OCCURRENCES = Listing(
    _entry,
    select(
        OCCURRENCE.id, OCCURRENCE.original_start, SERIES.kind, STATUS, OCCURRENCE.task_id, OCCURRENCE.moved_to,
        OCCURRENCE.closed_at, OCCURRENCE.created_at,
    )
    .join_from(Occurrence, Series, SERIES.id == OCCURRENCE.series_id)
    .where(visible_to(ACTOR), OCCURRENCE.series_id == bindparam("series")),
    filters={"status": any_(bindparam("status", type_=ARRAY(String))) == STATUS},
    sorts={
        "id": Sort(OCCURRENCE.id, UUID, lambda entry: entry.id),
        "occurrence": Sort(OCCURRENCE.original_start, datetime, lambda entry: datetime.fromisoformat(entry.occurrence)),
    },
    default="-occurrence",
)  # fmt: skip


class SeriesReads:
    """What one person can see of the series."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor.user_id

    async def one(self, series_id: UUID) -> SeriesOut:
        """Raises NotFound."""
        series = await self._reads.one_or_none(READ, actor=self._actor, series=series_id)
        if series is None:
            raise NotFound
        return series

    async def page(self, filters: Mapping[str, Any], **options: Any) -> Page[SeriesOut]:
        """Raises Invalid for a cursor that is none of ours."""
        return await SERIES_LIST.page(self._reads, filters, actor=self._actor, **options)

    async def occurrences(self, series_id: UUID, filters: Mapping[str, Any], **options: Any) -> Page[OccurrenceOut]:
        """Raises NotFound, and Invalid for a cursor that is none of ours. Only an empty page asks twice."""
        page = await OCCURRENCES.page(self._reads, filters, actor=self._actor, series=series_id, **options)
        if not page.items:
            await self.one(series_id)
        return page
