"""`/api/auth/password` and `/api/auth/email`: password reset and e-mail confirmation."""

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from todo.access import Origin
from todo.database import Database
from todo.domain.accounts.schemas.email_tokens import EmailConfirmation, MailAddress, MailRequested, PasswordReset
from todo.domain.accounts.services import email_tokens
from todo.domain.accounts.services.sign_in import SignIn
from todo.email_address import normalize_email
from todo.http.limits import check

SENT = MailRequested("If this address has an account that needs it, a mail is on its way.")
ONCE = {"no_key": "the token works once."}
REPLACED = {"no_key": "the link of a repeat replaces the first."}
Databases = NamedDependency[Database]
Origins = NamedDependency[Origin]


def network(origin: Origin) -> str:
    """Return the network of the request, as rate limits count it."""
    return origin.address or "unknown"


class EmailTokenController(Controller):
    """Password reset and e-mail confirmation."""

    path = "/api/auth"
    tags = ["Accounts"]

    @post("/password/forgot", operation_id="forget_password", status_code=202, opt=REPLACED)
    async def forget_password(self, database: Databases, origin: Origins, data: JSONBody[MailAddress]) -> MailRequested:
        """Request an e-mail with a link to choose a new password, valid for an hour.

        The response is the same whether or not the address has an account.
        Example: `{"email": "ada@example.com"}`
        """
        await check(database, "mail", network(origin), f"mail to {normalize_email(data.email)}")
        async with database.session(origin) as session:
            await email_tokens.ask(session, database.settings, data.email, "reset")
        return SENT

    @post("/password/reset", operation_id="reset_password", status_code=204, opt=ONCE)
    async def reset_password(
        self,
        database: Databases,
        sign_in: NamedDependency[SignIn],
        origin: Origins,
        data: JSONBody[PasswordReset],
    ) -> None:
        """Set a new password with the token of an e-mail. Signs out every device and does not sign in.

        Example: `{"token": "2uUqkVhB4pJ9w0mYx7cQ3tZr5sNf8aLd1eGh6iKoPvM", "password": "correct horse battery staple"}`
        """
        await check(database, "reset", network(origin))
        await email_tokens.reset(database, origin, sign_in.passwords, data.token, data.password)

    @post("/email/verify", operation_id="verify_email", status_code=204, opt=ONCE)
    async def verify_email(self, database: Databases, origin: Origins, data: JSONBody[EmailConfirmation]) -> None:
        """Confirm your e-mail address with the token of an e-mail.

        Example: `{"token": "2uUqkVhB4pJ9w0mYx7cQ3tZr5sNf8aLd1eGh6iKoPvM"}`
        """
        await check(database, "reset", network(origin))
        async with database.session(origin) as session:
            await email_tokens.verify(session, data.token)

    @post("/email/verify/again", operation_id="ask_to_verify_email", status_code=202, opt=REPLACED)
    async def ask_to_verify_email(
        self, database: Databases, origin: Origins, data: JSONBody[MailAddress]
    ) -> MailRequested:
        """Request another e-mail to confirm your address. The previous link stops working.

        The response is the same whether or not the address has an account.
        Example: `{"email": "ada@example.com"}`
        """
        await check(database, "mail", network(origin), f"mail to {normalize_email(data.email)}")
        async with database.session(origin) as session:
            await email_tokens.ask(session, database.settings, data.email, "verify")
        return SENT
