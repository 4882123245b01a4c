"""`/api/series`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.schemas import SeriesStatus
from todo.domain.tasks.series.queries import SeriesReads
from todo.domain.tasks.series.schemas import (
    EndSeries,
    OccurrenceOut,
    OccurrenceStatus,
    PauseSeries,
    SeriesOut,
    SeriesPatch,
    SkippedMissed,
)  # fmt: skip
from todo.domain.tasks.series.services.missed import MissedWork
from todo.domain.tasks.series.services.series import SeriesVerbs
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit, Page

Series = NamedDependency[SeriesVerbs]


def series_reads(database: NamedDependency[Database], request: Request[Actor, Any, State]) -> SeriesReads:
    return SeriesReads(database.reads, request.user)


def series_service(session: NamedDependency[WriteSession], request: Request[Actor, Any, State]) -> SeriesVerbs:
    return SeriesVerbs(session, request.user, request.user.user_id)


def missed_work(session: NamedDependency[WriteSession], request: Request[Actor, Any, State]) -> MissedWork:
    return MissedWork(session, request.user, request.user.user_id)


may_view, may_change = requires("series.view"), requires("series.change")


class SeriesController(Controller):
    """Series: rules and templates that make tasks come back. A series begins with a task that has a `recurrence`."""

    path = "/api/series"
    tags = ["Series"]
    dependencies = {
        "series_reads": Provide(series_reads, sync_to_thread=False),
        "series": Provide(series_service, sync_to_thread=False),
        "missed_work": Provide(missed_work, sync_to_thread=False),
    }

    @get(operation_id="list_series", guards=[may_view])
    async def list_series(
        self,
        series_reads: NamedDependency[SeriesReads],
        status: Annotated[
            list[SeriesStatus] | None, QueryParameter(max_items=3, description="One or more of these.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[SeriesOut]:
        """Your series, newest first.

        Example: `GET /api/series?status=active`
        """
        return await series_reads.page({"status": status}, limit=limit, cursor=cursor, count=count)

    @get("/{series_id:uuid}", operation_id="get_series", guards=[may_view])
    async def get_series(
        self, series_reads: NamedDependency[SeriesReads], series_id: FromPath[UUID], if_none_match: IfNoneMatch = None
    ) -> Response[SeriesOut]:
        """One series, with its rule in words and its place: which occurrence came last, and which is next.

        New occurrences do not change `version`, which counts the changes people make; they change `updated_at` and
        the `ETag`. `If-Match` compares the version alone.

        Example: `GET /api/series/0190f5f0-7c1d-7000-8000-000000000000`
        """
        return versioned(await series_reads.one(series_id), if_none_match=if_none_match, checksum=True)

    @patch("/{series_id:uuid}", operation_id="change_series", guards=[may_change])
    async def change_series(
        self,
        series: Series,
        series_id: FromPath[UUID],
        data: JSONBody[SeriesPatch],
        if_match: IfMatch = None,
    ) -> Response[SeriesOut]:
        """Change the rule, or what every occurrence begins with, for all that is not open yet.

        An end that you send, in `rrule` or as `count` or `until`, replaces the old one; `count` counts from the first
        occurrence of the series. Start and time of day are changed by the due of an occurrence: `PATCH
        /api/tasks/{id}?scope=all`.

        Example: `{"rrule": "FREQ=WEEKLY;BYDAY=MO,TH", "title": "Water the plants"}`
        """
        return versioned(await series.change(series_id, data, versions_of(if_match)), checksum=True)

    @get("/{series_id:uuid}/occurrences", operation_id="list_occurrences", guards=[may_view])
    async def list_occurrences(
        self,
        series_reads: NamedDependency[SeriesReads],
        series_id: FromPath[UUID],
        status: Annotated[
            list[OccurrenceStatus] | None, QueryParameter(max_items=7, description="One or more of these.")
        ] = None,
        sort: Annotated[
            str | None,
            QueryParameter(
                max_length=20,
                schema_extra={"pattern": "^(-?(occurrence|id))?$"},
                description="`occurrence`, or `-occurrence` for the latest first, which is the default.",
            ),
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[OccurrenceOut]:
        """Every occurrence that has come, and its status.

        `open`; `moved`: open, with another due than its rule says; `done`; `skipped` on request; `missed`: its time
        went by; `paused`: it was due in a pause; `cancelled` with its series.

        Example: `GET /api/series/0190f5f0-7c1d-7000-8000-000000000000/occurrences?status=missed`
        """
        filters = {"status": status}
        return await series_reads.occurrences(series_id, filters, sort=sort, limit=limit, cursor=cursor, count=count)

    @post("/{series_id:uuid}/pause", operation_id="pause_series", status_code=200, guards=[may_change])
    async def pause_series(
        self,
        series: Series,
        series_id: FromPath[UUID],
        data: JSONBody[PauseSeries],
        if_match: IfMatch = None,
    ) -> Response[SeriesOut]:
        """Open nothing from one day to another, or from now until it is resumed (`{}`); open occurrences stay.

        What is due meanwhile does not happen: it becomes `paused`, never `missed`, and the first occurrence after the
        pause opens as if there had been none.

        Example: `{"from": "2026-12-24", "until": "2027-01-06"}`
        """
        return versioned(await series.pause(series_id, data, versions_of(if_match)), checksum=True)

    @post("/{series_id:uuid}/resume", operation_id="resume_series", status_code=200, guards=[may_change])
    async def resume_series(
        self, series: Series, series_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[SeriesOut]:
        """End a pause now. What was due meanwhile stays `paused`; today's work, if its time is not over, opens.

        Example: `POST /api/series/0190f5f0-7c1d-7000-8000-000000000000/resume`
        """
        return versioned(await series.resume(series_id, versions_of(if_match)), checksum=True)

    @post("/{series_id:uuid}/end", operation_id="end_series", status_code=200, guards=[may_change])
    async def end_series(
        self,
        series: Series,
        series_id: FromPath[UUID],
        data: JSONBody[EndSeries],
        if_match: IfMatch = None,
    ) -> Response[SeriesOut]:
        """Open nothing more; open occurrences stay, or are moved to the trash (`{"open": "cancel"}`). The past stays.

        Example: `{"open": "keep"}`
        """
        return versioned(await series.end(series_id, data, versions_of(if_match)), checksum=True)

    @post("/{series_id:uuid}/skip-missed", operation_id="skip_missed", status_code=200, guards=[may_change])
    async def skip_missed(
        self, missed_work: NamedDependency[MissedWork], series_id: FromPath[UUID], if_match: IfMatch = None
    ) -> SkippedMissed:
        """Skip every overdue occurrence of a series, and go on with the next one that is still to come.

        Open occurrences that are not overdue stay. Each skipped task can be opened again by its own `reopen`.

        Example: `POST /api/series/0190f5f0-7c1d-7000-8000-000000000000/skip-missed`
        """
        return await missed_work.skip(series_id, versions_of(if_match))

    @post("/skip-missed", operation_id="skip_all_missed", status_code=200, guards=[may_change])
    async def skip_all_missed(
        self, missed_work: NamedDependency[MissedWork], request: Request[Actor, Any, State]
    ) -> SkippedMissed:
        """Skip every overdue occurrence of all your series, and go on with the next ones: a fresh start after a break.

        At most 200 series at a time; when `more` is true, repeat the request.

        Example: `POST /api/series/skip-missed`
        """
        return await missed_work.skip_all(request.user.user_id)
