"""What second factors and passkeys look like on the wire."""

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
    """What proves who you are besides the password: an authenticator app, unused recovery codes, passkeys."""

    totp: bool
    recovery_codes: int
    passkeys: int


class Enrolment(Struct):
    """The secret of a new authenticator app; it counts once it is confirmed. The URI is what a QR code shows."""

    secret: str
    otpauth_uri: str


class FirstCode(Schema):
    """What the app shows now."""

    code: Code


class RecoveryCodes(Struct):
    """Each stands in for the second factor once. Shown this one time."""

    recovery_codes: list[str]


class PasskeyOptions(Struct):
    """`options` are for the browser (`PublicKeyCredential.parse...FromJSON`), `state` comes back with its answer."""

    options: dict[str, Any]
    state: str


class PasskeyIn(Schema):
    """A new passkey: the state of the options, and the browser's answer to them."""

    name: PasskeyName
    state: State
    credential: Credential


class PasskeyAnswer(Schema):
    """Signing in by a passkey: the state of the options, and the browser's answer to them."""

    state: State
    credential: Credential


class ReauthenticationIn(Schema):
    """Who you are, once more: your password, a code of the authenticator app or a recovery code, or a passkey.

    The answer of a passkey is to the options of `POST /api/auth/login/passkey/options`.
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
