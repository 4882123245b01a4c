"""`/api/me/vacation`."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.accounts.schemas.vacations import VacationIn, VacationOut
from todo.domain.accounts.services.vacations import VacationService, read_vacation
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of

ActorRequest = Request[Actor, Any, State]
Session = NamedDependency[WriteSession]


class VacationController(Controller):
    """Your vacation: days on which none of your series creates a task."""

    path = "/api/me/vacation"
    tags = ["Series"]

    @get(operation_id="get_vacation", guards=[requires("accounts.me")])
    async def get_vacation(
        self, database: NamedDependency[Database], request: ActorRequest, if_none_match: IfNoneMatch = None
    ) -> Response[VacationOut]:
        """Get your running or planned vacation.

        Example: `GET /api/me/vacation`
        """
        found = await read_vacation(database.reads, request.user)
        return versioned(found, if_none_match=if_none_match, checksum=True)

    @post(operation_id="begin_vacation", status_code=200, guards=[requires("accounts.change")])
    async def begin_vacation(
        self, session: Session, request: ActorRequest, data: JSONBody[VacationIn], if_match: IfMatch = None
    ) -> Response[VacationOut]:
        """Pause all your series on some days, those you begin meanwhile included. You can have one vacation at a time.

        The days are local to each series. Their occurrences are `paused`, and none of them is missed. Tasks that are
        open already stay open, with their reminders. Repeat the request to change the last day of a running vacation,
        or to replace a planned one.

        Example: `{"from": "2026-12-24", "until": "2027-01-06"}`
        """
        vacations = VacationService(session, request.user)
        begun = await vacations.begin(request.user.user_id, data, "accounts.begin_vacation", versions_of(if_match))
        return versioned(begun, checksum=True)

    @delete(operation_id="end_vacation", guards=[requires("accounts.change")])
    async def end_vacation(self, session: Session, request: ActorRequest, if_match: IfMatch = None) -> None:
        """End your vacation: all your series go on from today. A planned one is cancelled.

        Example: `DELETE /api/me/vacation`
        """
        vacations = VacationService(session, request.user)
        await vacations.end(request.user.user_id, "accounts.end_vacation", versions_of(if_match))
