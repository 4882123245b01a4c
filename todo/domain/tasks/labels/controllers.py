"""`/api/labels`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.labels.queries import LabelReads
from todo.domain.tasks.labels.schemas import LabelIn, LabelOut, LabelPatch
from todo.domain.tasks.labels.services import LabelService
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]


def label_reads(database: NamedDependency[Database], request: ActorRequest) -> LabelReads:
    return LabelReads(database.reads, request.user)


def label_service(session: NamedDependency[WriteSession], request: ActorRequest) -> LabelService:
    return LabelService(session, request.user)


class LabelController(Controller):
    """Labels: your own names and colors for what tasks are about."""

    path = "/api/labels"
    tags = ["Tasks"]
    dependencies = {
        "label_reads": Provide(label_reads, sync_to_thread=False),
        "labels": Provide(label_service, sync_to_thread=False),
    }

    @get(operation_id="list_labels", guards=[requires("labels.view")])
    async def list_labels(
        self,
        label_reads: NamedDependency[LabelReads],
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[LabelOut]:
        """Your labels, in the order of `position`. Tasks can also have others, which you have not added here.

        Example: `GET /api/labels`
        """
        return await label_reads.page(limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_label", guards=[requires("labels.add")])
    async def add_label(self, labels: NamedDependency[LabelService], data: JSONBody[LabelIn]) -> Response[LabelOut]:
        """Add a label to your palette, up to 500.

        Example: `{"name": "home", "color": "#3b82f6"}`
        """
        return versioned(await labels.add(data), status_code=201)

    @get("/{label_id:uuid}", operation_id="get_label", guards=[requires("labels.view")])
    async def get_label(
        self,
        label_reads: NamedDependency[LabelReads],
        label_id: FromPath[UUID],
        if_none_match: IfNoneMatch = None,
    ) -> Response[LabelOut]:
        """One label.

        Example: `GET /api/labels/0190f5f0-7c1d-7000-8000-000000000000`
        """
        return versioned(await label_reads.one(label_id), if_none_match=if_none_match)

    @patch("/{label_id:uuid}", operation_id="change_label", guards=[requires("labels.change")])
    async def change_label(
        self,
        labels: NamedDependency[LabelService],
        label_id: FromPath[UUID],
        data: JSONBody[LabelPatch],
        if_match: IfMatch = None,
    ) -> Response[LabelOut]:
        """Change the fields you send. A new `name` also replaces the old one on every task and series you may edit.

        All of them change at once, or none; tasks in the trash keep the old name.

        Example: `{"name": "house"}`
        """
        return versioned(await labels.change_fields(label_id, data, versions_of(if_match)))

    @delete("/{label_id:uuid}", operation_id="delete_label", guards=[requires("labels.delete")])
    async def delete_label(
        self,
        labels: NamedDependency[LabelService],
        label_id: FromPath[UUID],
        from_tasks: Annotated[
            bool,
            QueryParameter(description="Also take it off every task and series that you may edit; otherwise it stays."),
        ] = False,
        if_match: IfMatch = None,
    ) -> None:
        """Delete a label from your palette; tasks keep it unless `from_tasks=true`.

        Example: `DELETE /api/labels/0190f5f0-7c1d-7000-8000-000000000000?from_tasks=true`
        """
        await labels.remove(label_id, versions_of(if_match), from_tasks=from_tasks)
