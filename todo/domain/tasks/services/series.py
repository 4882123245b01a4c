"""Seeing series and their ledgers; changing, pausing, resuming and ending them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, String, any_, bindparam, case, select
from sqlalchemy.dialects.postgresql import ARRAY

from todo.access import Actor
from todo.database import ACTOR, Direct, Query, WriteSession, now, table_of
from todo.domain.recurrence.guards import visible_to
from todo.domain.recurrence.models import SERIES, Series
from todo.domain.recurrence.rules.clock import to_local, written
from todo.domain.recurrence.rules.explain import sentence
from todo.domain.recurrence.rules.grammar import END_OF_DAY, RuleError
from todo.domain.recurrence.rules.plan import PlannedOccurrence
from todo.domain.recurrence.rules.timing import due_at
from todo.domain.recurrence.schemas import Pause
from todo.domain.recurrence.services.planning import plan_of, rule_problems
from todo.domain.tasks.models import OCCURRENCE, Occurrence
from todo.domain.tasks.schemas import EndSeries, OccurrenceOut, PauseSeries, SeriesOut, SeriesPatch, Template
from todo.domain.tasks.services.occurrences import OccurrenceService
from todo.domain.tasks.services.series_edit import SeriesChanges
from todo.domain.tasks.template import AS_THEY_ARE
from todo.errors import Conflict, Invalid, NotFound, Stale
from todo.listing import Listing, Sort
from todo.schema import Page

DAY = timedelta(days=1)
NAMES = tuple(column.name for column in table_of(Series).c)


def series_out(series: Series) -> SeriesOut:
    """A row as the wire shows it; also one whose rule cannot be read any more."""
    all_day = series.kind == "day"
    sent, next_due_at = "", None
    try:
        plan = plan_of(series)
        sent = sentence(replace(plan, timezone=series.timezone))
        next_due_at = due_at(plan, series.next_original_start) if series.next_original_start else None
    except RuleError as error:
        sent = error.message
    same = {name: getattr(series, name) for name in SeriesOut.__struct_fields__ if name in NAMES}
    computed = {
        "sentence": sent,
        "template": Template(**{name: series.template.get(name) for name in Template.__struct_fields__}),  # type: ignore[arg-type]  # from JSON of ours
        "start": written(series.start, all_day),
        "until": written(series.until, all_day or series.until.time() == END_OF_DAY) if series.until else None,
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
SERIES_LIST = Listing(
    _listed,
    COLUMNS.where(visible_to(ACTOR)),
    filters={"status": SERIES.status == any_(bindparam("status", type_=ARRAY(String)))},
    sorts={"id": Sort(SERIES.id, UUID, lambda series: series.id)},
    default="-id",
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


class SeriesVerbs:
    """Changes those series that `within` lets through, inside the caller's transaction."""

    def __init__(self, session: WriteSession, actor: Actor, within: ColumnElement[bool]):
        self.session = session
        self.within = within
        self.occurrences = OccurrenceService(session, actor)
        self.series = self.occurrences.series

    async def change(self, series_id: UUID, data: SeriesPatch, if_match: frozenset[int] | None) -> SeriesOut:
        """Change rule and template; what is open stays as it is. Raises NotFound, Stale, Invalid, Conflict."""
        series = await self._going(series_id, if_match)
        with rule_problems("body"):
            sent = data.columns()
        template = {name: value for name, value in data.sent().items() if name in AS_THEY_ARE}
        await self._replan(series, sent | {"template": series.template | template})
        return series_out(series)

    async def pause(self, series_id: UUID, data: PauseSeries, if_match: frozenset[int] | None) -> SeriesOut:
        """Let nothing come for some days, or until resumed; raises NotFound, Stale, Invalid, Conflict."""
        series = await self._going(series_id, if_match)
        if data.until is None:
            if data.begin is not None:
                raise Invalid.field("body.until", "Say until when; without days the pause begins now.")
            if series.status == "paused":
                raise Conflict("This series is paused already.")
            await self.series.pause(series)
        else:
            window = [str(data.begin or today_of(series)), str(data.until)]
            if data.until < today_of(series):
                raise Invalid.field("body.until", "This day is over.")
            since = str(
                (series.last_original_start or series.start).date()
            )  # no occurrence to come asks for older ones
            kept = [pause for pause in series.pauses if pause[1] >= since]
            await self._replan(series, {"pauses": [*kept, window]})
        return series_out(series)

    async def resume(self, series_id: UUID, if_match: frozenset[int] | None) -> SeriesOut:
        """End a pause; what came meanwhile is up to `on_missed`. Raises NotFound, Stale, Conflict."""
        series = await self._going(series_id, if_match)
        today = today_of(series)
        windows = [[begin, min(end, str(today - DAY))] if begin <= str(today) else [begin, end]
                   for begin, end in series.pauses]  # fmt: skip
        windows = [window for window in windows if window[0] <= window[1]]
        if series.status != "paused" and windows == series.pauses:
            raise Conflict("This series is not paused.")
        if series.status == "paused":
            await self.series.resume(series, await self.occurrences.open_starts(series))
        if windows != series.pauses:
            await self._replan(series, {"pauses": windows})
        return series_out(series)

    async def end(self, series_id: UUID, data: EndSeries, if_match: frozenset[int] | None) -> SeriesOut:
        """Let nothing more come; open occurrences stay or go to the trash. Raises NotFound, Stale, Conflict."""
        series = await self._going(series_id, if_match)
        await self.series.stop(series)
        if data.open == "cancel":
            await SeriesChanges(self.occurrences).cancel_open(series)
        return series_out(series)

    async def evaluate(self, series_id: UUID) -> SeriesOut:
        """Have the worker look at a series now, also one that was set aside; raises NotFound, Conflict."""
        series = await self._going(series_id, None)
        if series.status == "paused":
            raise Conflict("This series is paused: resume it first.")
        await self.series.keep(series, {"next_run_at": now(), "failures": 0, "last_error": None})
        return series_out(series)

    async def _replan(self, series: Series, sent: dict[str, Any]) -> None:
        last = PlannedOccurrence(series.last_original_start or series.start, series.n)
        await self.series.replan(series, sent, last, await self.occurrences.open_starts(series), "body")

    async def _going(self, series_id: UUID, if_match: frozenset[int] | None) -> Series:
        series = await self.series.locked(self.within, SERIES.id == series_id)
        if if_match is not None and series.version not in if_match:
            raise Stale(series_out(series))
        if series.status == "ended":
            raise Conflict("This series has ended; give its last task a `recurrence` to go on.")
        return series


def today_of(series: Series) -> date:
    """The day it is where a series counts its days."""
    return to_local(now(), series.timezone or series.owner_timezone).date()
