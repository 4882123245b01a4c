"""`/api/auth`: coming in, and who I am."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody

from todo.access import Actor, requires
from todo.domain.accounts.schemas.people import Login, Me, Registered, Registration, Tokens
from todo.domain.accounts.services.sign_in import SignIn
from todo.http.versions import IfNoneMatch, versioned

SignInDependency = NamedDependency[SignIn]
ActorRequest = Request[Actor, Any, State]


class AuthController(Controller):
    """Accounts: registering, signing in, the signed-in account."""

    path = "/api/auth"
    tags = ["Accounts"]

    @post("/register", operation_id="register")
    async def register(self, sign_in: SignInDependency, data: JSONBody[Registration]) -> Registered:
        """Open an account.

        The answer is the same whether or not the address has an account already.
        Example: `{"email": "ada@example.com", "password": "correct horse battery staple", "timezone": "Europe/London"}`
        """
        await sign_in.register(data)
        return Registered(data.email, "If this address was free, it now has an account: sign in.")

    @post("/login", operation_id="login", status_code=200)
    async def login(self, sign_in: SignInDependency, data: JSONBody[Login]) -> Tokens:
        """Exchange e-mail and password for an access token.

        Example: `{"email": "ada@example.com", "password": "correct horse battery staple"}`
        """
        return await sign_in.login(data)

    @get("/me", operation_id="get_me", guards=[requires("accounts.me")])
    async def me(
        self, sign_in: SignInDependency, request: ActorRequest, if_none_match: IfNoneMatch = None
    ) -> Response[Me]:
        """The account that is signed in.

        Example: `GET /api/auth/me`
        """
        return versioned(await sign_in.me(request.user), if_none_match=if_none_match)
