"""API schemas of sessions."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from todo.domain.accounts.schemas.users import Password
from todo.schema import Schema

Secret = Annotated[str, Meta(min_length=1, max_length=8192, pattern=r"^[\x21-\x7e]*$")]


class AccessToken(Struct):
    """Send the access token as `Authorization: Bearer ...`. It expires after `expires_in` seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class Tokens(AccessToken):
    """The tokens of a session: an access token, and a refresh token for `/api/auth/refresh`."""

    refresh_token: str


class MfaRequired(Struct):
    """A second factor is required: send `mfa_token` with a code to `/api/auth/login/mfa` within five minutes."""

    mfa_token: str


class Refresh(Schema):
    """The refresh token of the previous response."""

    refresh_token: Secret


class SecondFactor(Schema):
    """The `mfa_token` of the first step, and a code of the authenticator app or a recovery code."""

    mfa_token: Secret
    code: Annotated[str, Meta(min_length=6, max_length=64, pattern=r"^[A-Za-z0-9 -]*$", examples=["123456"])]


class PasswordChange(Schema):
    """The current and the new password."""

    current_password: Password
    new_password: Password


class SessionOut(Struct):
    """A sign-in on one device."""

    id: UUID
    current: bool
    amr: list[str]
    address: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
