"""`/api/notifications` and `/api/me/notifications` (preferences)."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.notifications.schemas import Marked, NotificationOut, PreferencesOut, PreferencesPatch, Unread
from todo.domain.notifications.services.inbox import NotificationReads, NotificationService
from todo.domain.notifications.services.preferences import PreferencesService
from todo.http.etags import IfMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]
Session = NamedDependency[WriteSession]
Db = NamedDependency[Database]


class NotificationController(Controller):
    """Your notifications."""

    path = "/api/notifications"
    tags = ["Notifications"]

    @get(operation_id="list_notifications", guards=[requires("notifications.view")])
    async def list_notifications(
        self,
        database: Db,
        request: ActorRequest,
        unread: Annotated[
            bool | None, QueryParameter(description="Only unread (`true`) or only read (`false`) notifications.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[NotificationOut]:
        """List your notifications, newest first.

        Example: `GET /api/notifications?unread=true&count=true`
        """
        notifications = NotificationReads(database.reads, request.user)
        return await notifications.page(unread, limit=limit, cursor=cursor, count=count)

    @get("/unread", operation_id="count_unread_notifications", guards=[requires("notifications.view")])
    async def count_unread_notifications(self, database: Db, request: ActorRequest) -> Unread:
        """Count your unread notifications.

        Example: `GET /api/notifications/unread`
        """
        return await NotificationReads(database.reads, request.user).unread()

    @post(
        "/{notification_id:uuid}/read",
        operation_id="read_notification",
        status_code=200,
        guards=[requires("notifications.change")],
    )
    async def read_notification(
        self, session: Session, request: ActorRequest, notification_id: FromPath[UUID]
    ) -> Response[NotificationOut]:
        """Mark a notification as read. Repeating the request changes nothing.

        Example: `POST /api/notifications/0190f5f0-7c1d-7000-8000-000000000000/read`
        """
        return versioned(await NotificationService(session, request.user).read(notification_id))

    @post("/read", operation_id="read_all_notifications", status_code=200, guards=[requires("notifications.change")])
    async def read_all_notifications(self, session: Session, request: ActorRequest) -> Marked:
        """Mark all of your notifications as read.

        Example: `POST /api/notifications/read`
        """
        return await NotificationService(session, request.user).read_all()


class PreferencesController(Controller):
    """Your notification preferences."""

    path = "/api/me/notifications"
    tags = ["Notifications"]

    @get(operation_id="get_notification_preferences", guards=[requires("notifications.view")])
    async def get_notification_preferences(self, session: Session, request: ActorRequest) -> Response[PreferencesOut]:
        """Get your notification preferences: channels, hours, quiet hours. Times are local to your time zone.

        Example: `GET /api/me/notifications`
        """
        return versioned(await PreferencesService(session, request.user).read(), checksum=True)

    @patch(operation_id="change_notification_preferences", guards=[requires("notifications.change")])
    async def change_notification_preferences(
        self, session: Session, request: ActorRequest, data: JSONBody[PreferencesPatch], if_match: IfMatch = None
    ) -> Response[PreferencesOut]:
        """Change the given preferences. `"quiet_hours": null` turns quiet hours off.

        Example: `{"digest": ["email"], "digest_time": "07:30", "quiet_hours": {"begin": "22:00", "end": "07:00"}}`
        """
        preferences = PreferencesService(session, request.user)
        return versioned(await preferences.change_fields(data, versions_of(if_match)), checksum=True)
