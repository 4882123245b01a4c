"""`/api/shared`: what read-only links show, to everybody who has their secret."""

from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from todo.database import Database
from todo.domain.tasks.controllers import list_parameters as query
from todo.domain.tasks.linked import LinkedTasks, linked_by
from todo.schema import Count, Cursor, Limit

# Search engines leave it out, caches ask each time, and `Referrer-Policy`, which all answers have, hides the address.
HEADERS = {"X-Robots-Tag": "noindex, nofollow", "Cache-Control": "private, no-cache"}


class LinkedController(Controller):
    """Shared projects, read by a link. Requests count for the address they come from."""

    path = "/api/shared/{secret:str}"
    tags = ["Projects"]

    @get(operation_id="get_shared_project")
    async def get_shared_project(
        self,
        database: NamedDependency[Database],
        secret: FromPath[str],
        project_id: Annotated[
            UUID | None, QueryParameter(description="Of this one of `projects`; otherwise of the first.")
        ] = None,
        status: query.StatusFilter = None,
        sort: query.SortBy = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Response[LinkedTasks]:
        """A project that a link shows, those below it, and a page of the tasks of one of them. Needs no account.

        Archived projects and the trash are not shown, and nothing about people. A link that was revoked or has expired
        is answered like one that never was.

        Example: `GET /api/shared/0v8mJ6Q2kX3b7wq1TgY4nZ5sR9cLpD-fHaVeKuWiOxM`
        """
        linked = await linked_by(database, secret)
        page = await linked.page(project_id, status, sort=sort, limit=limit, cursor=cursor, count=count)
        return Response(page, headers=HEADERS)

    @get("/calendar.ics", operation_id="get_shared_calendar", media_type="text/calendar")
    async def get_shared_calendar(
        self,
        database: NamedDependency[Database],
        secret: FromPath[str],
        shown_as: Annotated[
            Literal["tasks", "events"],
            QueryParameter(name="as", description="`events` (VEVENT) for programs that show no tasks (VTODO)."),
        ] = "tasks",
    ) -> Response[str]:
        """The open tasks with a due date that a link shows, as a calendar to subscribe to. Needs no account.

        At most 1,000 tasks, due since a year ago, the soonest first.

        Example: `GET /api/shared/0v8mJ6Q2kX3b7wq1TgY4nZ5sR9cLpD-fHaVeKuWiOxM/calendar.ics?as=events`
        """
        linked = await linked_by(database, secret)
        host = urlsplit(database.settings.public_url).hostname or "todo"
        text = await linked.calendar(host, as_events=shown_as == "events")
        return Response(text, headers=HEADERS, media_type="text/calendar")
