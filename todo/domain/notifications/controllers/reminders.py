"""`/api/reminders` and `/api/tasks/{task_id}/reminders`."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.notifications.schemas import ReminderIn, ReminderOut, ReminderPatch, Snooze
from todo.domain.notifications.services.reminders import ReminderReads, ReminderService
from todo.http.etags import IfMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]
Session = NamedDependency[WriteSession]
Db = NamedDependency[Database]


class ReminderController(Controller):
    """Reminders: before, at or after a task's due or start, or at a fixed time."""

    path = "/api"
    tags = ["Notifications"]

    @get("/tasks/{task_id:uuid}/reminders", operation_id="list_task_reminders", guards=[requires("reminders.view")])
    async def list_task_reminders(
        self, database: Db, request: ActorRequest, task_id: FromPath[UUID], limit: Limit = 50, cursor: Cursor = None,
        count: Count = False,
    ) -> Page[ReminderOut]:  # fmt: skip
        """List your reminders of a task, sent or not, in the order of creation.

        Example: `GET /api/tasks/0190f5f0-7c1d-7000-8000-000000000000/reminders`
        """
        reminders = ReminderReads(database.reads, request.user)
        return await reminders.of_task(task_id, limit=limit, cursor=cursor, count=count)

    @post("/tasks/{task_id:uuid}/reminders", operation_id="add_reminder", guards=[requires("reminders.add")])
    async def add_reminder(
        self, session: Session, request: ActorRequest, task_id: FromPath[UUID], data: JSONBody[ReminderIn]
    ) -> Response[ReminderOut]:
        """Add a reminder; a task can have twenty. It moves with the task's dates, and pauses while the task is closed.

        A fixed time must be in the future. A reminder relative to a date that the task does not have waits for it:
        `state` is `waiting_for_due` or `waiting_for_start`. One whose time has passed is not sent (`past`), until the
        date moves.

        Example: `{"timing": {"kind": "relative", "to": "due", "days": -1, "time": "18:00"}}`
        """
        reminders = ReminderService(session, request.user)
        return versioned(await reminders.add(task_id, data), status_code=201)

    @get("/reminders", operation_id="list_reminders", guards=[requires("reminders.view")])
    async def list_reminders(
        self, database: Db, request: ActorRequest, limit: Limit = 50, cursor: Cursor = None, count: Count = False
    ) -> Page[ReminderOut]:
        """List your upcoming reminders, the next one first.

        Example: `GET /api/reminders?limit=10`
        """
        return await ReminderReads(database.reads, request.user).upcoming(limit=limit, cursor=cursor, count=count)

    @patch("/reminders/{reminder_id:uuid}", operation_id="change_reminder", guards=[requires("reminders.change")])
    async def change_reminder(
        self,
        session: Session,
        request: ActorRequest,
        reminder_id: FromPath[UUID],
        data: JSONBody[ReminderPatch],
        if_match: IfMatch = None,
    ) -> Response[ReminderOut]:
        """Change the given fields. A reminder for every occurrence changes in all open and future occurrences.

        Example: `{"timing": {"kind": "relative", "to": "due", "minutes": -30}, "urgent": true}`
        """
        reminders = ReminderService(session, request.user)
        return versioned(await reminders.change_fields(reminder_id, data, versions_of(if_match)))

    @delete("/reminders/{reminder_id:uuid}", operation_id="delete_reminder", guards=[requires("reminders.delete")])
    async def delete_reminder(
        self,
        session: Session,
        request: ActorRequest,
        reminder_id: FromPath[UUID],
        reach: Annotated[
            Literal["this", "all"],
            QueryParameter(name="scope", description="`this` occurrence only, or `all` of its occurrences."),
        ] = "all",
        if_match: IfMatch = None,
    ) -> None:
        """Delete a reminder. One for every occurrence is also deleted from later occurrences, unless `scope` is `this`.

        Example: `DELETE /api/reminders/0190f5f0-7c1d-7000-8000-000000000000?scope=this`
        """
        reminders = ReminderService(session, request.user)
        await reminders.discard(reminder_id, versions_of(if_match), every_occurrence=reach == "all")

    @post(
        "/reminders/{reminder_id:uuid}/snooze",
        operation_id="snooze_reminder",
        status_code=200,
        guards=[requires("reminders.change")],
    )
    async def snooze_reminder(
        self,
        session: Session,
        request: ActorRequest,
        reminder_id: FromPath[UUID],
        data: JSONBody[Snooze],
        if_match: IfMatch = None,
    ) -> Response[ReminderOut]:
        """Snooze a reminder for some minutes, or until a time within a year. Quiet hours do not delay it.

        Example: `{"minutes": 10}`
        """
        reminders = ReminderService(session, request.user)
        return versioned(await reminders.snooze(reminder_id, data, versions_of(if_match)))
