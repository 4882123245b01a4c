"""`/api/auth`: registration, sign-in, sign-out and the own account."""

from functools import partial
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, QueryParameter
from litestar.types import Scope

from todo.access import Actor, Origin, requires
from todo.database import Database
from todo.domain.accounts.controllers.second_factor import REAUTHENTICATION
from todo.domain.accounts.schemas.second_factor import PasskeyAnswer, PasskeyOptions, ReauthenticationIn
from todo.domain.accounts.schemas.sessions import (
    AccessToken,
    MfaRequired,
    PasswordChange,
    Refresh,
    SecondFactor,
    Tokens,
)
from todo.domain.accounts.schemas.users import Login, Me, MePatch, Registered, Registration
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.domain.accounts.services.sign_in import SignIn
from todo.domain.accounts.services.users import AccountService
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.http.transactions import session_for, transaction_for

SignInDependency = NamedDependency[SignIn]
ActorRequest = Request[Actor, Any, State]
OriginDependency = NamedDependency[Origin]
UserAgent = Annotated[str, HeaderParameter(name="User-Agent")]


class AuthController(Controller):
    """Registration, sign-in, sign-out and the signed-in account."""

    path = "/api/auth"
    tags = ["Accounts"]

    @post("/register", operation_id="register", opt={"no_key": "a repeat registers nobody twice."})
    async def register(
        self, sign_in: SignInDependency, origin: OriginDependency, data: JSONBody[Registration]
    ) -> Registered:
        """Create an account.

        The response is the same whether or not the address already has an account.
        Example: `{"email": "ada@example.com", "password": "correct horse battery staple", "timezone": "Europe/London"}`
        """
        await sign_in.register(origin, data)
        return Registered(data.email, "If this address was free, it now has an account: sign in.")

    @post("/login", operation_id="login", status_code=200, opt={"no_key": "a repeat begins another session."})
    async def login(
        self, sign_in: SignInDependency, origin: OriginDependency, data: JSONBody[Login], user_agent: UserAgent = ""
    ) -> Tokens | MfaRequired:
        """Exchange e-mail and password for tokens, or for an `mfa_token` when a second factor is required.

        Example: `{"email": "ada@example.com", "password": "correct horse battery staple"}`
        """
        return await sign_in.login(origin, data, user_agent)

    @post(
        "/login/mfa",
        operation_id="login_second_factor",
        status_code=200,
        opt={"no_key": "an `mfa_token` works once."},
    )
    async def login_second_factor(
        self,
        sign_in: SignInDependency,
        origin: OriginDependency,
        data: JSONBody[SecondFactor],
        user_agent: UserAgent = "",
    ) -> Tokens:
        """Complete a sign-in with a code of the authenticator app, or a recovery code.

        Example: `{"mfa_token": "...", "code": "123456"}`
        """
        return await sign_in.second_step(origin, data, user_agent)

    @post(
        "/login/passkey/options",
        operation_id="begin_passkey_login",
        status_code=200,
        opt={"no_key": "it changes nothing."},
    )
    async def begin_passkey_login(self, sign_in: SignInDependency, origin: OriginDependency) -> PasskeyOptions:
        """Get the WebAuthn options to sign in by passkey. They expire after five minutes.

        Example: `POST /api/auth/login/passkey/options`
        """
        return await sign_in.passkey_options(origin)

    @post(
        "/login/passkey",
        operation_id="login_passkey",
        status_code=200,
        opt={"no_key": "a repeat begins another session."},
    )
    async def login_passkey(
        self,
        sign_in: SignInDependency,
        origin: OriginDependency,
        data: JSONBody[PasskeyAnswer],
        user_agent: UserAgent = "",
    ) -> Tokens:
        """Exchange a passkey assertion for tokens. A passkey needs no password and no second factor.

        Example: `{"state": "...", "credential": {"id": "...", "type": "public-key"}}`
        """
        return await sign_in.passkey(origin, data, user_agent)

    @post(
        "/refresh",
        operation_id="refresh",
        status_code=200,
        opt={"no_key": "a repeat within ten seconds returns the same refresh token."},
    )
    async def refresh(self, sign_in: SignInDependency, origin: OriginDependency, data: JSONBody[Refresh]) -> Tokens:
        """Exchange a refresh token for new tokens. It works once; using it again ends the session.

        Example: `{"refresh_token": "todo_rt_..."}`
        """
        return await sign_in.refresh(origin, data.refresh_token)

    @post(
        "/logout",
        operation_id="logout",
        status_code=204,
        guards=[requires("accounts.sessions")],
        opt={"no_key": "it ends the session that would repeat it."},
    )
    async def logout(
        self,
        sign_in: SignInDependency,
        origin: OriginDependency,
        everywhere: Annotated[bool, QueryParameter(description="End all your sessions, not just this one.")] = False,
    ) -> None:
        """End this session, or all of them.

        Example: `POST /api/auth/logout?everywhere=true`
        """
        await sign_in.logout(origin, everywhere=everywhere)

    @post("/password", operation_id="change_password", status_code=204, guards=[requires("accounts.password")])
    async def change_password(
        self,
        sign_in: SignInDependency,
        origin: OriginDependency,
        database: NamedDependency[Database],
        scope: Scope,
        data: JSONBody[PasswordChange],
    ) -> None:
        """Change your password, sign out every other device, and revoke e-mailed links and unfinished sign-ins.

        Example: `{"current_password": "correct horse battery staple", "new_password": "a newer one, and longer"}`
        """
        begin = partial(transaction_for, database, scope)
        await sign_in.change_password(origin, begin, data.current_password, data.new_password)

    @post(
        "/reauthenticate",
        operation_id="reauthenticate",
        status_code=200,
        guards=[requires("accounts.sessions")],
        dependencies=REAUTHENTICATION,
        opt={"no_key": "a repeat changes the time of the sign-in only."},
    )
    async def reauthenticate(
        self,
        sign_in: SignInDependency,
        reauthentication: NamedDependency[Reauthentication],
        data: JSONBody[ReauthenticationIn],
    ) -> AccessToken:
        """Reauthenticate by password, code or passkey, and get an access token with the new time.

        For ten minutes it is accepted where older ones get 401 `insufficient_user_authentication` (RFC 9470). A code or
        passkey counts as second factor of the session from then on. The refresh token does not change.
        Example: `{"password": "correct horse battery staple"}`
        """
        return await sign_in.access_token_of(await reauthentication.reauthenticate(data))

    @get("/me", operation_id="get_me", guards=[requires("accounts.me")])
    async def me(
        self, sign_in: SignInDependency, request: ActorRequest, if_none_match: IfNoneMatch = None
    ) -> Response[Me]:
        """Get your account.

        Example: `GET /api/auth/me`
        """
        return versioned(await sign_in.me(request.user), if_none_match=if_none_match, checksum=True)

    @patch("/me", operation_id="change_me", guards=[requires("accounts.change")])
    async def change_me(
        self,
        sign_in: SignInDependency,
        database: NamedDependency[Database],
        request: ActorRequest,
        data: JSONBody[MePatch],
        if_match: IfMatch = None,
    ) -> Response[Me]:
        """Change your name or time zone. Tasks due at a floating time move to the new zone within seconds.

        Example: `{"timezone": "America/New_York"}`
        """
        async with session_for(database, request.scope) as session:
            await AccountService(session, request.user).change_own(data, versions_of(if_match))
        return versioned(await sign_in.me(request.user), checksum=True)


@get("/.well-known/jwks.json", operation_id="get_jwks", tags=["Accounts"])
async def jwks(sign_in: SignInDependency) -> Response[dict[str, Any]]:
    """Get the public keys for access tokens (RFC 7517).

    Example: `GET /.well-known/jwks.json`
    """
    cache = {"Cache-Control": "public, max-age=300, stale-while-revalidate=600"}
    return Response(await sign_in.keys.published(), headers=cache)
