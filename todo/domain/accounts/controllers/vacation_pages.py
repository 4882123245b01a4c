"""`/admin/account/vacation`: begin and end the vacation of the signed-in user."""

from typing import Any

from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency

from todo.access import requires
from todo.admin.actions import sentence
from todo.admin.pages.forms import sent_by
from todo.admin.pages.renderer import Pages
from todo.database import WriteSession
from todo.domain.accounts.schemas.vacations import VacationIn
from todo.domain.accounts.services.vacations import VacationService
from todo.errors import Conflict, Invalid
from todo.schema import read_form

ACCOUNT = "/admin/account"


class VacationPages(Controller):
    """Forms on the page of the own account."""

    path = "/account/vacation"

    @post(operation_id="begin_admin_vacation", status_code=303, guards=[requires("accounts.change")])
    async def begin(
        self, pages: NamedDependency[Pages], session: NamedDependency[WriteSession], request: Request[Any, Any, Any]
    ) -> Response[Any]:
        """Pause all your series on some days.

        Example: `POST /admin/account/vacation` with the fields `from`, `until`
        """
        sent = await sent_by(request)
        days = {name: sent[name][-1] for name in ("from", "until") if sent.get(name, [""])[-1]}
        try:
            vacation = read_form(days, VacationIn)
            vacations = VacationService(session, request.user)
            await vacations.begin(request.user.user_id, vacation, "accounts.begin_vacation")
        except Invalid as problem:
            return pages.go(ACCOUNT, refused=sentence(problem))
        say = pages.language(request.scope)
        return pages.go(ACCOUNT, done=say.gettext("All your series are paused until %(day)s.", day=vacation.until))

    @post("/end", operation_id="end_admin_vacation", status_code=303, guards=[requires("accounts.change")])
    async def end(
        self, pages: NamedDependency[Pages], session: NamedDependency[WriteSession], request: Request[Any, Any, Any]
    ) -> Response[Any]:
        """End your vacation, or cancel a planned one.

        Example: `POST /admin/account/vacation/end`
        """
        try:
            await VacationService(session, request.user).end(request.user.user_id, "accounts.end_vacation")
        except Conflict as problem:
            return pages.go(ACCOUNT, refused=sentence(problem))
        return pages.go(ACCOUNT, done="Your series go on.")
