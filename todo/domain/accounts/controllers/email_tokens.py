"""`/api/auth/password` and `/api/auth/email`: what is proven by mail."""

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from todo.access import Origin
from todo.database import Database
from todo.domain.accounts.rules import normalise_email
from todo.domain.accounts.schemas.email_tokens import EmailConfirmation, MailAddress, MailRequested, PasswordReset
from todo.domain.accounts.services import email_tokens
from todo.domain.accounts.services.sign_in import SignIn
from todo.http.limits import check

SENT = MailRequested("If this address has an account that needs it, a mail is on its way.")
Databases = NamedDependency[Database]
Origins = NamedDependency[Origin]


def network(origin: Origin) -> str:
    """The network that asks, as the limits count it."""
    return origin.address or "unknown"


class EmailTokenController(Controller):
    """Accounts: a forgotten password, a confirmed address."""

    path = "/api/auth"
    tags = ["Accounts"]

    @post("/password/forgot", operation_id="forget_password", status_code=202)
    async def forget_password(self, database: Databases, origin: Origins, data: JSONBody[MailAddress]) -> MailRequested:
        """Ask for a mail that lets you choose a new password within an hour.

        The answer is the same whether or not the address has an account.
        Example: `{"email": "ada@example.com"}`
        """
        await check(database, "mail", network(origin), f"mail to {normalise_email(data.email)}")
        async with database.session(origin) as session:
            await email_tokens.ask(session, database.settings, data.email, "reset")
        return SENT

    @post("/password/reset", operation_id="reset_password", status_code=204)
    async def reset_password(
        self,
        database: Databases,
        sign_in: NamedDependency[SignIn],
        origin: Origins,
        data: JSONBody[PasswordReset],
    ) -> None:
        """Choose a new password with the token from a mail; signs out every device and signs in none.

        Example: `{"token": "2uUqkVhB4pJ9w0mYx7cQ3tZr5sNf8aLd1eGh6iKoPvM", "password": "correct horse battery staple"}`
        """
        await check(database, "reset", network(origin))
        await email_tokens.reset(database, origin, sign_in.passwords, data.token, data.password)

    @post("/email/verify", operation_id="verify_email", status_code=204)
    async def verify_email(self, database: Databases, origin: Origins, data: JSONBody[EmailConfirmation]) -> None:
        """Confirm your e-mail address with the token from a mail.

        Example: `{"token": "2uUqkVhB4pJ9w0mYx7cQ3tZr5sNf8aLd1eGh6iKoPvM"}`
        """
        await check(database, "reset", network(origin))
        async with database.session(origin) as session:
            await email_tokens.verify(session, data.token)

    @post("/email/verify/again", operation_id="ask_to_verify_email", status_code=202)
    async def ask_to_verify_email(
        self, database: Databases, origin: Origins, data: JSONBody[MailAddress]
    ) -> MailRequested:
        """Ask for another mail to confirm your address; the one before is worth nothing then.

        The answer is the same whether or not the address has an account.
        Example: `{"email": "ada@example.com"}`
        """
        await check(database, "mail", network(origin), f"mail to {normalise_email(data.email)}")
        async with database.session(origin) as session:
            await email_tokens.ask(session, database.settings, data.email, "verify")
        return SENT
