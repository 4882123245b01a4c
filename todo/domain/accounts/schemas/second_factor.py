"""API schemas of second factors and passkeys."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from todo.domain.accounts.schemas.users import Password
from todo.schema import ONE_LINE, Schema

Code = Annotated[str, Meta(min_length=6, max_length=64, pattern=r"^[A-Za-z0-9 -]*$", examples=["123456"])]
State = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[A-Za-z0-9_=-]*$")]
Credential = Annotated[
    dict[str, Any], Meta(max_length=20, description="What `navigator.credentials` answered, by its `toJSON()`.")
]
PasskeyName = Annotated[str, Meta(min_length=1, max_length=100, pattern=ONE_LINE, examples=["My laptop"])]


class SecondFactors(Struct):
    """Your second factors: authenticator app, unused recovery codes, passkeys."""

    totp: bool
    recovery_codes: int
    passkeys: int


class Enrollment(Struct):
    """The secret of a new authenticator app, active once confirmed. Show the URI as a QR code."""

    secret: str
    otpauth_uri: str


class FirstCode(Schema):
    """The code that the app shows."""

    code: Code


class RecoveryCodes(Struct):
    """Recovery codes. Each replaces the second factor once. Shown only once."""

    recovery_codes: list[str]


class PasskeyOptions(Struct):
    """`options` are for the browser (`PublicKeyCredential.parse...FromJSON`); send `state` back with the credential."""

    options: dict[str, Any]
    state: str


class PasskeyIn(Schema):
    """A new passkey: the state of the options, and the credential of the browser."""

    name: PasskeyName
    state: State
    credential: Credential


class PasskeyAnswer(Schema):
    """Sign-in by passkey: the state of the options, and the credential of the browser."""

    state: State
    credential: Credential


class ReauthenticationIn(Schema):
    """Your password, a code of the authenticator app or a recovery code, or a passkey.

    For a passkey, use the options of `POST /api/auth/login/passkey/options`.
    """

    password: Password | None = None
    code: Code | None = None
    passkey: PasskeyAnswer | None = None


class PasskeyOut(Struct):
    """A passkey."""

    id: UUID
    version: int
    name: str
    created_at: datetime
    used_at: datetime | None
