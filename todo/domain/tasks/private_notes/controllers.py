"""`/api/tasks/{task_id}/private-note`."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.private_notes.queries import read_private_note
from todo.domain.tasks.private_notes.schemas import PrivateNoteIn, PrivateNoteOut
from todo.domain.tasks.private_notes.services import PrivateNoteService
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of

ActorRequest = Request[Actor, Any, State]
Session = NamedDependency[WriteSession]


class PrivateNoteController(Controller):
    """Private notes: what you write about a task for yourself, also about one of somebody else."""

    path = "/api/tasks/{task_id:uuid}/private-note"
    tags = ["Tasks"]

    @get(operation_id="get_private_note", guards=[requires("tasks.view")])
    async def get_private_note(
        self,
        database: NamedDependency[Database],
        request: ActorRequest,
        task_id: FromPath[UUID],
        if_none_match: IfNoneMatch = None,
    ) -> Response[PrivateNoteOut]:
        """Your note about a task, which nobody else sees; 404 where there is none.

        Example: `GET /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/private-note`
        """
        note = await read_private_note(database.reads, request.user, task_id)
        return versioned(note, if_none_match=if_none_match)

    @patch(operation_id="write_private_note", guards=[requires("tasks.change")])
    async def write_private_note(
        self,
        session: Session,
        request: ActorRequest,
        task_id: FromPath[UUID],
        data: JSONBody[PrivateNoteIn],
        if_match: IfMatch = None,
    ) -> Response[PrivateNoteOut]:
        """Write or replace your note about a task that you see, whatever your role. You can have 5,000.

        It stays with this occurrence of a series, and is deleted with the task.

        Example: `{"text": "Ask Bob before Friday."}`
        """
        notes = PrivateNoteService(session, request.user)
        return versioned(await notes.write(task_id, data, versions_of(if_match)))

    @delete(operation_id="delete_private_note", guards=[requires("tasks.change")])
    async def delete_private_note(
        self, session: Session, request: ActorRequest, task_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Delete your note about a task.

        Example: `DELETE /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/private-note`
        """
        await PrivateNoteService(session, request.user).remove(task_id, versions_of(if_match))
