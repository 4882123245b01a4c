"""`/api/views`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.views.queries import BUILT_IN, ViewReads
from todo.domain.tasks.views.schemas import ViewIn, ViewOut, ViewPage, ViewPatch
from todo.domain.tasks.views.services import ViewService
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit

ActorRequest = Request[Actor, Any, State]
ProjectFilter = Annotated[UUID | None, QueryParameter(description="Of this project. Otherwise yours, and of all.")]


def view_reads(database: NamedDependency[Database], request: ActorRequest) -> ViewReads:
    return ViewReads(database.reads, request.user)


def view_service(session: NamedDependency[WriteSession], request: ActorRequest) -> ViewService:
    return ViewService(session, request.user)


class ViewController(Controller):
    """Views: filters of tasks that are kept. `GET /api/tasks?view=` lists the tasks of one."""

    path = "/api/views"
    tags = ["Tasks"]
    dependencies = {
        "view_reads": Provide(view_reads, sync_to_thread=False),
        "views": Provide(view_service, sync_to_thread=False),
    }

    @get(operation_id="list_views", guards=[requires("views.view")])
    async def list_views(
        self,
        view_reads: NamedDependency[ViewReads],
        project_id: ProjectFilter = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> ViewPage:
        """Your views and those of the projects you see, in the order of `position`, and the built-in ones.

        Example: `GET /api/views`
        """
        page = await view_reads.page(project_id, limit=limit, cursor=cursor, count=count)
        return ViewPage(page.items, page.next_cursor, [*BUILT_IN.values()], page.total, page.total_is_exact)

    @post(operation_id="add_view", guards=[requires("views.add")])
    async def add_view(self, views: NamedDependency[ViewService], data: JSONBody[ViewIn]) -> Response[ViewOut]:
        """Save a view: for you, up to 200, or for all who see a project whose tasks you may edit, up to 100.

        Example: `{"name": "This week", "filter": "due < today+7d and not closed"}`
        """
        return versioned(await views.add(data), status_code=201)

    @get("/{view_id:uuid}", operation_id="get_view", guards=[requires("views.view")])
    async def get_view(
        self,
        view_reads: NamedDependency[ViewReads],
        view_id: FromPath[UUID],
        if_none_match: IfNoneMatch = None,
    ) -> Response[ViewOut]:
        """One view.

        Example: `GET /api/views/0190f5f0-7c1d-7000-8000-000000000000`
        """
        return versioned(await view_reads.one(view_id), if_none_match=if_none_match)

    @patch("/{view_id:uuid}", operation_id="change_view", guards=[requires("views.change")])
    async def change_view(
        self,
        views: NamedDependency[ViewService],
        view_id: FromPath[UUID],
        data: JSONBody[ViewPatch],
        if_match: IfMatch = None,
    ) -> Response[ViewOut]:
        """Change the fields you send: of your views, and of those of a project whose tasks you may edit.

        Example: `{"filter": "due < today+14d and not closed"}`
        """
        return versioned(await views.change_fields(view_id, data, versions_of(if_match)))

    @delete("/{view_id:uuid}", operation_id="delete_view", guards=[requires("views.delete")])
    async def delete_view(
        self, views: NamedDependency[ViewService], view_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Delete a view. Its tasks stay.

        Example: `DELETE /api/views/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await views.remove(view_id, versions_of(if_match))
