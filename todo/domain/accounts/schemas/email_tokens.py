"""API schemas of e-mail tokens, invitations and account deletion."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from todo.domain.accounts.schemas.second_factor import ReauthenticationIn
from todo.domain.accounts.schemas.users import Email, Password
from todo.schema import Schema

TokenText = Annotated[str, Meta(min_length=1, max_length=64, description="From the mail, the part after `#`.")]
RoleName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$", examples=["member"])]


class MailAddress(Schema):
    """The e-mail address of an account."""

    email: Email


class MailRequested(Struct):
    """The same response whether or not there is an account, so that accounts cannot be enumerated."""

    message: str


class EmailConfirmation(Schema):
    """The token of a confirmation e-mail."""

    token: TokenText


class EmailChange(ReauthenticationIn, kw_only=True):
    """Your new e-mail address, and your password, a code or a passkey."""

    email: Email


class PasswordReset(Schema):
    """The token of an e-mail, and the new password."""

    token: TokenText
    password: Password


class Invite(Schema):
    """The address to invite, and the roles of the new account; by default `member`."""

    email: Email
    roles: Annotated[list[RoleName], Meta(max_length=20)] = []


class InvitationOut(Struct):
    """An invitation. `accepted_at` is set once it was used."""

    id: UUID
    email: str
    roles: list[str]
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None


class DeletionScheduled(Struct):
    """When the account will be erased. Signing in before cancels the deletion."""

    deletion_at: datetime
