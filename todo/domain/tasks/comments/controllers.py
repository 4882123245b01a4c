"""`/api/tasks/{id}/comments`."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.comments.queries import CommentReads
from todo.domain.tasks.comments.schemas import CommentIn, CommentOut, CommentPatch
from todo.domain.tasks.comments.services import CommentService
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]
SortBy = Annotated[
    Literal["created_at", "-created_at"] | None,
    QueryParameter(description="`-created_at` has the newest first; by default the oldest are."),
]


def comment_reads(database: NamedDependency[Database], request: ActorRequest) -> CommentReads:
    return CommentReads(database.reads, request.user)


def comment_service(session: NamedDependency[WriteSession], request: ActorRequest) -> CommentService:
    return CommentService(session, request.user)


class CommentController(Controller):
    """Comments of a task: everybody who sees it reads them; who may comment in its project writes them."""

    path = "/api/tasks/{task_id:uuid}/comments"
    tags = ["Tasks"]
    dependencies = {
        "comment_reads": Provide(comment_reads, sync_to_thread=False),
        "comments": Provide(comment_service, sync_to_thread=False),
    }

    @get(operation_id="list_comments", guards=[requires("comments.view")])
    async def list_comments(
        self,
        comment_reads: NamedDependency[CommentReads],
        task_id: FromPath[UUID],
        sort: SortBy = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[CommentOut]:
        """The comments of a task that you see.

        Example: `GET /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/comments?sort=-created_at`
        """
        return await comment_reads.page(task_id, sort=sort, limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_comment", guards=[requires("comments.add")])
    async def add_comment(
        self, comments: NamedDependency[CommentService], task_id: FromPath[UUID], data: JSONBody[CommentIn]
    ) -> Response[CommentOut]:
        """Comment on a task, up to 5,000 times in all. `@` and a name or id mentions somebody who sees the task.

        Needs at least the role `commenter` in its project.

        Example: `{"text": "@Ada the paint is here."}`
        """
        return versioned(await comments.add(task_id, data), status_code=201, checksum=True)

    @get("/{comment_id:uuid}", operation_id="get_comment", guards=[requires("comments.view")])
    async def get_comment(
        self,
        comment_reads: NamedDependency[CommentReads],
        task_id: FromPath[UUID],
        comment_id: FromPath[UUID],
        if_none_match: IfNoneMatch = None,
    ) -> Response[CommentOut]:
        """One comment.

        Example: `GET /api/tasks/0190f5f0-7c1d-7000-8000-00000000000a/comments/0190f5f0-7c1d-7000-8000-00000000000b`
        """
        comment = await comment_reads.one(task_id, comment_id)
        return versioned(comment, if_none_match=if_none_match, checksum=True)

    @patch("/{comment_id:uuid}", operation_id="change_comment", guards=[requires("comments.change")])
    async def change_comment(
        self,
        comments: NamedDependency[CommentService],
        task_id: FromPath[UUID],
        comment_id: FromPath[UUID],
        data: JSONBody[CommentPatch],
        if_match: IfMatch = None,
    ) -> Response[CommentOut]:
        """Give a comment of yours another text; `edited_at` says when.

        Example: `{"text": "The paint is not here yet."}`
        """
        return versioned(await comments.change_text(task_id, comment_id, data, versions_of(if_match)), checksum=True)

    @delete("/{comment_id:uuid}", operation_id="delete_comment", guards=[requires("comments.delete")])
    async def delete_comment(
        self,
        comments: NamedDependency[CommentService],
        task_id: FromPath[UUID],
        comment_id: FromPath[UUID],
        if_match: IfMatch = None,
    ) -> None:
        """Delete a comment of yours, or anybody's where you manage the project. This cannot be undone.

        Example: `DELETE /api/tasks/{task_id}/comments/0190f5f0-7c1d-7000-8000-00000000000b`
        """
        await comments.remove(task_id, comment_id, versions_of(if_match))
