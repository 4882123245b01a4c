"""`/api/auth/email/change`: change of the e-mail address."""

from functools import partial

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.types import Scope

from todo.access import Origin, requires
from todo.database import Database
from todo.domain.accounts.controllers.email_tokens import network
from todo.domain.accounts.controllers.second_factor import REAUTHENTICATION
from todo.domain.accounts.schemas.email_tokens import EmailChange, EmailConfirmation, MailRequested
from todo.domain.accounts.services import email_change
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.http.limits import check
from todo.http.transactions import transaction_for

SENT = MailRequested("Confirm the new address by the e-mail sent to it. Until then your account keeps its address.")
Databases = NamedDependency[Database]
Origins = NamedDependency[Origin]


class EmailChangeController(Controller):
    """Change of the e-mail address."""

    path = "/api/auth/email/change"
    tags = ["Accounts"]

    @post(
        operation_id="change_email",
        status_code=202,
        guards=[requires("accounts.change")],
        dependencies=REAUTHENTICATION,
    )
    async def change_email(
        self,
        database: Databases,
        origin: Origins,
        reauthentication: NamedDependency[Reauthentication],
        scope: Scope,
        data: JSONBody[EmailChange],
    ) -> MailRequested:
        """Request another e-mail address. It takes effect once you follow the link in the e-mail to it, within an hour.

        The present address gets a notice. The response is the same whether or not the new address has an account.
        Requires your password, and your second factor if you have one: in this request, or at the sign-in of this
        session.

        Example: `{"email": "ada@example.org", "password": "correct horse battery staple"}`
        """
        begin = partial(transaction_for, database, scope)
        await email_change.request(database, origin, begin, reauthentication, data)
        return SENT

    @post("/confirm", operation_id="confirm_email_change", status_code=204, opt={"no_key": "the token works once."})
    async def confirm_email_change(
        self, database: Databases, origin: Origins, data: JSONBody[EmailConfirmation]
    ) -> None:
        """Confirm a new e-mail address with the token of an e-mail. Signs out every device but the one that asked.

        Links in e-mails to the old address stop working. 409 means that the address has an account by now.

        Example: `{"token": "2uUqkVhB4pJ9w0mYx7cQ3tZr5sNf8aLd1eGh6iKoPvM"}`
        """
        await check(database, "reset", network(origin))
        async with database.session(origin) as session:
            await email_change.confirm(session, data.token)
