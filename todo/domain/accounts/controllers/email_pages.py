"""`/admin/account/email`: change of the e-mail address of the signed-in user."""

from functools import partial
from typing import Any

from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency

from todo.access import requires
from todo.admin.actions import sentence
from todo.admin.pages.forms import sent_by
from todo.admin.pages.renderer import Pages
from todo.database import Database
from todo.domain.accounts.controllers.second_factor import REAUTHENTICATION
from todo.domain.accounts.schemas.email_tokens import EmailChange
from todo.domain.accounts.services import email_change
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.errors import Problem
from todo.http.transactions import origin_of
from todo.schema import read_form

ACCOUNT = "/admin/account"


class EmailPages(Controller):
    """The form on the page of the own account."""

    path = "/account/email"

    @post(
        operation_id="change_admin_email",
        status_code=303,
        guards=[requires("accounts.change")],
        dependencies=REAUTHENTICATION,
    )
    async def change(
        self, pages: NamedDependency[Pages], database: NamedDependency[Database],
        reauthentication: NamedDependency[Reauthentication], request: Request[Any, Any, Any],
    ) -> Response[Any]:  # fmt: skip
        """Request another e-mail address. It takes effect once it is confirmed.

        Example: `POST /admin/account/email` with the fields `email`, `password`
        """
        sent, origin = await sent_by(request), origin_of(request.scope)
        given = {name: values[-1] for name, values in sent.items() if name in {"email", "password"}}
        try:
            change = read_form(given, EmailChange)
            begin = partial(database.session, origin)
            await email_change.request(database, origin, begin, reauthentication, change)
        except Problem as problem:
            return pages.go(ACCOUNT, refused=sentence(problem))
        say = pages.language(request.scope)
        done = say.gettext("Confirm %(email)s by the e-mail that is on its way to it.", email=change.email)
        return pages.go(ACCOUNT, done=done)
