"""What goes with mailed tokens and invitations, on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from todo.domain.accounts.schemas.users import Email, Password
from todo.schema import Schema

EmailToken = Annotated[str, Meta(min_length=1, max_length=64, description="From the mail, the part after `#`.")]
RoleName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$", examples=["member"])]


class MailAddress(Schema):
    """The e-mail address of an account."""

    email: Email


class MailRequested(Struct):
    """The same answer whether or not there is an account, so that nobody can find out."""

    message: str


class EmailConfirmation(Schema):
    """A token from a mail."""

    token: EmailToken


class PasswordReset(Schema):
    """A token from a mail, and the password to have from now on."""

    token: EmailToken
    password: Password


class Invite(Schema):
    """Who is to come in, and with which roles; without any it is `member`."""

    email: Email
    roles: Annotated[list[RoleName], Meta(max_length=20)] = []


class InvitationOut(Struct):
    """Leave to register. `accepted_at` is set once it was used."""

    id: UUID
    email: str
    roles: list[str]
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None


class DeletionScheduled(Struct):
    """When the account is erased; signing in before that keeps it."""

    deletion_at: datetime
