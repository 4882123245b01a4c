"""`/api/auth/mfa` and `/api/auth/passkeys`."""

from functools import partial
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from litestar.types import Scope

from todo.access import Actor, Origin, requires, signed_in_recently
from todo.database import Database, WriteSession
from todo.domain.accounts.schemas.second_factor import (
    Enrollment,
    FirstCode,
    PasskeyIn,
    PasskeyOptions,
    PasskeyOut,
    ReauthenticationIn,
    RecoveryCodes,
    SecondFactors,
)
from todo.domain.accounts.services.passkeys import PASSKEYS, PasskeyService, Site
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.domain.accounts.services.second_factor import SecondFactorService
from todo.domain.accounts.services.sign_in import SignIn
from todo.http.etags import versioned
from todo.http.idempotency import ShownOnce
from todo.http.transactions import transaction_for
from todo.schema import Count, Cursor, Limit, Page
from todo.settings import secret_key

ActorRequest = Request[Actor, Any, State]
Factors = NamedDependency[SecondFactorService]
Proofs = NamedDependency[Reauthentication]
Session = NamedDependency[WriteSession]


BEGIN_AGAIN = "begin again with another key, and a new secret replaces it"
RENEW_CODES = "get new recovery codes with `POST /api/auth/mfa/recovery-codes` and another key"


def reauthentication_of(
    database: NamedDependency[Database], sign_in: NamedDependency[SignIn], origin: NamedDependency[Origin]
) -> Reauthentication:
    return Reauthentication(database, sign_in.passwords, secret_key(database.settings), origin)


REAUTHENTICATION = {"reauthentication": Provide(reauthentication_of, sync_to_thread=False)}


def factors_of(
    database: NamedDependency[Database], reauthentication: Proofs, origin: NamedDependency[Origin], scope: Scope
) -> SecondFactorService:
    begin = partial(transaction_for, database, scope)
    return SecondFactorService(database, secret_key(database.settings), origin.actor, reauthentication, begin)


def site_of(database: NamedDependency[Database]) -> Site:
    return Site.of(database.settings, secret_key(database.settings))


class SecondFactorController(Controller):
    """The second factor: an authenticator app and recovery codes."""

    path = "/api/auth/mfa"
    tags = ["Accounts"]
    guards = [requires("accounts.second_factor")]
    dependencies = {**REAUTHENTICATION, "factors": Provide(factors_of, sync_to_thread=False)}

    @get(operation_id="get_second_factors")
    async def get_second_factors(self, factors: Factors) -> SecondFactors:
        """Get your second factors and the number of unused recovery codes.

        Example: `GET /api/auth/mfa`
        """
        return await factors.state()

    @post("/totp", operation_id="begin_totp", opt={"shown_once": ShownOnce((), BEGIN_AGAIN)})
    async def begin_totp(self, factors: Factors, data: JSONBody[ReauthenticationIn]) -> Enrollment:
        """Begin to set up an authenticator app: show `otpauth_uri` as a QR code, then confirm with a code.

        Requires your password, and your passkey if you have one: in this request, or at the sign-in of this session.

        Example: `{"password": "correct horse battery staple"}`
        """
        return await factors.begin(data)

    @post("/totp/confirm", operation_id="confirm_totp", status_code=200, opt={"shown_once": ShownOnce((), RENEW_CODES)})
    async def confirm_totp(self, factors: Factors, data: JSONBody[FirstCode]) -> RecoveryCodes:
        """Confirm the app with a code. From now on a code is required to sign in. Keep the recovery codes safe.

        Your other devices are signed out.

        Example: `{"code": "123456"}`
        """
        return await factors.confirm(data.code)

    @delete("/totp", operation_id="remove_totp")
    async def remove_totp(self, factors: Factors, data: JSONBody[ReauthenticationIn]) -> None:
        """Remove the authenticator app and its recovery codes, and sign out your other devices.

        Requires a code, or your password in a session that began with a second factor.

        Example: `{"code": "123456"}`
        """
        await factors.remove(data)

    @post(
        "/recovery-codes",
        operation_id="renew_recovery_codes",
        status_code=200,
        opt={"shown_once": ShownOnce((), RENEW_CODES)},
    )
    async def renew_recovery_codes(self, factors: Factors, data: JSONBody[ReauthenticationIn]) -> RecoveryCodes:
        """Replace the recovery codes. Your other devices are signed out.

        Requires a code, or your password in a session that began with a second factor.
        Example: `{"code": "123456"}`
        """
        return await factors.renew(data)


class PasskeyController(Controller):
    """Passkeys, to sign in without a password."""

    path = "/api/auth/passkeys"
    tags = ["Accounts"]
    guards = [requires("accounts.passkeys")]
    dependencies = {**REAUTHENTICATION, "site": Provide(site_of, sync_to_thread=False)}

    @get(operation_id="list_passkeys")
    async def list_passkeys(
        self,
        database: NamedDependency[Database],
        request: ActorRequest,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[PasskeyOut]:
        """Your passkeys, newest first.

        Example: `GET /api/auth/passkeys`
        """
        mine = request.user.user_id
        return await PASSKEYS.page(database.reads, {}, actor=mine, limit=limit, cursor=cursor, count=count)

    @post("/options", operation_id="begin_passkey", status_code=200, opt={"no_key": "it changes nothing."})
    async def begin_passkey(
        self,
        reauthentication: Proofs,
        site: NamedDependency[Site],
        database: NamedDependency[Database],
        origin: NamedDependency[Origin],
        data: JSONBody[ReauthenticationIn],
    ) -> PasskeyOptions:
        """Get the WebAuthn options for a new passkey. They expire after five minutes.

        Requires your password, and your second factor if you have one: in this request, or at the sign-in of this
        session.

        Example: `{"password": "correct horse battery staple"}`
        """
        reauthenticated = await reauthentication.check_factor(data)
        async with database.session(origin) as session:
            await reauthentication.require_current(session, reauthenticated)
            return await PasskeyService(session, origin.actor).options(site)

    @post(operation_id="add_passkey")
    async def add_passkey(
        self, session: Session, site: NamedDependency[Site], request: ActorRequest, data: JSONBody[PasskeyIn]
    ) -> Response[PasskeyOut]:
        """Store a new passkey, and sign out your other devices.

        Example: `{"name": "My laptop", "state": "...", "credential": {"id": "...", "type": "public-key"}}`
        """
        return versioned(await PasskeyService(session, request.user).add(site, data), status_code=201)

    @delete("/{passkey_id:uuid}", operation_id="delete_passkey", guards=[signed_in_recently])
    async def delete_passkey(
        self, reauthentication: Proofs, session: Session, request: ActorRequest, passkey_id: FromPath[UUID]
    ) -> None:
        """Delete a passkey, and sign out your other devices.

        Requires a recent sign-in with a second factor: call `POST /api/auth/reauthenticate` with a code or passkey.
        Example: `DELETE /api/auth/passkeys/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await reauthentication.require_factor()
        await PasskeyService(session, request.user).revoke(passkey_id)
