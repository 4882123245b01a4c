"""Changing, pausing, resuming and ending series."""

from collections.abc import Collection
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select, true

from todo.access import Actor
from todo.database import WriteSession, now
from todo.domain.projects.rules import Verb
from todo.domain.projects.services.places import lock_access, problem_of_row
from todo.domain.recurrence.rules.clock import to_local
from todo.domain.recurrence.schemas import rule_problems
from todo.domain.tasks.assignees import check_assignees
from todo.domain.tasks.labels.rules import clean_labels
from todo.domain.tasks.series.guards import allowed_to, visible_to
from todo.domain.tasks.series.locks import lock_owner_of
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.queries import series_out
from todo.domain.tasks.series.rules import AS_THEY_ARE
from todo.domain.tasks.series.schemas import EndSeries, PauseSeries, SeriesOut, SeriesPatch
from todo.domain.tasks.series.services.edit import SeriesChanges
from todo.domain.tasks.series.services.occurrences import SeriesService
from todo.errors import Conflict, Contention, Invalid, NotFound, Stale
from todo.titles import clean_title

DAY = timedelta(days=1)


class SeriesVerbs:
    """Changes series on behalf of a person, inside the caller's transaction; without one, those of everybody."""

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None):
        self.session = session
        self.person = person
        self.series = SeriesService(session, actor)

    async def change(self, series_id: UUID, data: SeriesPatch, if_match: frozenset[int] | None) -> SeriesOut:
        """Change rule and template; what is open stays as it is. Raises NotFound, Stale, Invalid, Conflict."""
        series = await self._going(series_id, if_match)
        with rule_problems("body"):
            sent = data.columns()
        template = {name: value for name, value in data.sent().items() if name in AS_THEY_ARE}
        if "title" in template:
            template["title"] = clean_title(template["title"])
        if "labels" in template:
            template["labels"] = clean_labels(template["labels"])
        if "assignee_ids" in template:
            template["assignee_ids"] = await self._assignees(series, template["assignee_ids"] or ())
        await self.series.replan(series, sent | {"template": series.template | template}, series.last, "body")
        return series_out(series)

    async def pause(self, series_id: UUID, data: PauseSeries, if_match: frozenset[int] | None) -> SeriesOut:
        """Open nothing for some days, or until the series is resumed; raises NotFound, Stale, Invalid, Conflict."""
        series = await self._going(series_id, if_match)
        if data.until is None:
            if data.begin is not None:
                raise Invalid.field("body.until", "Say until when; without days the pause begins now.")
            if series.status == "paused":
                raise Conflict("This series is paused already.", slug="series-paused")
            await self.series.catch_up(series, now())
            await self.series.pause(series)
        else:
            window = [str(data.begin or today_of(series)), str(data.until)]
            if data.until < today_of(series):
                raise Invalid.field("body.until", "This day is over.")
            since = str(series.last.original_start.date())  # no occurrence to come asks for older ones
            kept = [pause for pause in series.pauses if pause[1] >= since]
            await self.series.replan(series, {"pauses": [*kept, window]}, series.last, "body")
        return series_out(series)

    async def resume(self, series_id: UUID, if_match: frozenset[int] | None) -> SeriesOut:
        """End a pause; what was due meanwhile does not happen. Raises NotFound, Stale, Conflict."""
        series = await self._going(series_id, if_match)
        today = today_of(series)
        windows = [[begin, min(end, str(today - DAY))] if begin <= str(today) else [begin, end]
                   for begin, end in series.pauses]  # fmt: skip
        windows = [window for window in windows if window[0] <= window[1]]
        if series.status != "paused" and windows == series.pauses:
            raise Conflict("This series is not paused.", slug="series-not-paused")
        if series.status == "paused":
            await self.series.resume(series)
        if windows != series.pauses:
            await self.series.replan(series, {"pauses": windows}, series.last, "body")
        return series_out(series)

    async def end(self, series_id: UUID, data: EndSeries, if_match: frozenset[int] | None) -> SeriesOut:
        """Open nothing more; open occurrences stay or are moved to the trash. Raises NotFound, Stale, Conflict."""
        series = await self._going(series_id, if_match)
        await self.series.stop(series)
        if data.open == "cancel":
            await SeriesChanges(self.series).cancel_open(series)
        return series_out(series)

    async def evaluate(self, series_id: UUID) -> SeriesOut:
        """Have the worker evaluate a series now, also one that was set aside; raises NotFound, Conflict."""
        series = await self._going(series_id, None)
        if series.status == "paused":
            raise Conflict("This series is paused: resume it first.", slug="series-paused")
        await self.series.save_state(series, series.state.due(now()))
        return series_out(series)

    async def _assignees(self, series: Series, people: Collection[UUID]) -> list[str]:
        """Whom its occurrences are to be assigned to, as a template has them. Raises Invalid."""
        before = [UUID(person) for person in series.template.get("assignee_ids", ())]
        await check_assignees(self.session, series.project_id, series.owner_id, before, people)
        return [str(person) for person in sorted(set(people))]

    async def _going(self, series_id: UUID, if_match: frozenset[int] | None) -> Series:
        series, _ = await lock_series(self.series, self.person, "edit", series_id)
        if if_match is not None and series.version not in if_match:
            raise Stale(series_out(series))
        if series.status == "ended":
            raise Conflict("This series has ended; give its last task a `recurrence` to go on.", slug="series-ended")
        return series


async def lock_series(
    service: SeriesService, person: UUID | None, verb: Verb, series_id: UUID
) -> tuple[Series, str]:  # fmt: skip
    """A series that a person may change, and the time zone of its owner, both locked.

    Raises NotFound, Forbidden.
    """
    session = service.session
    there = (allowed_to(person, verb) if person else true(), SERIES.id == series_id)
    try:
        owner_id, timezone = await lock_owner_of(session, select(SERIES.owner_id).where(*there))
        series = await service.locked(*there)
    except NotFound:
        visible = visible_to(person) if person else true()
        raise await problem_of_row(session, there[0], visible, there[1]) from None
    if series.owner_id != owner_id:
        raise Contention  # it has changed hands
    if person:
        await lock_access(session, person, owner_id, series.project_id, verb)
    return series, timezone


def today_of(series: Series) -> date:
    """The day it is where a series counts its days."""
    return to_local(now(), series.timezone or series.owner_timezone).date()
