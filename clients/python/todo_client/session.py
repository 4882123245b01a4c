"""The session of one account: it signs in, refreshes tokens, and raises errors."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import httpx

from todo_client.api.accounts import login, login_second_factor, logout, refresh
from todo_client.client import AuthenticatedClient
from todo_client.models import Login, MfaRequired, Refresh, SecondFactor, Tokens
from todo_client.problems import ProblemError, problem_of, unwrap

OnTokens = Callable[[Tokens | None], None]


class TodoClient:
    """A client of one account, to be used as `async with TodoClient("https://todo.example.com") as todo`.

    Pass `todo.api` as `client` to the functions of `todo_client.api`; `todo.http` sends any other request. Both send
    the access token, get a new one when that has expired and repeat the request, and raise ProblemError.

    `tokens` are those of an earlier session, or a personal access token. `on_tokens` is called with new tokens, and
    with None once the session has ended: store them there.
    """

    def __init__(
        self,
        base_url: str,
        *,
        tokens: Tokens | str | None = None,
        on_tokens: OnTokens | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ):
        plain = _Http(base_url=base_url, transport=transport)
        self._plain = _generated(base_url, plain)
        self._auth = _Bearer(self._plain, tokens, on_tokens)
        self.http: httpx.AsyncClient = _Http(base_url=base_url, transport=transport, auth=self._auth)
        self.api = _generated(base_url, self.http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.http.aclose()
        await self._plain.get_async_httpx_client().aclose()

    async def sign_in(self, email: str, password: str, code: Callable[[], Awaitable[str]] | None = None) -> None:
        """Sign in. `code` is asked for the second factor of an account that has one."""
        answer = await login.asyncio(client=self._plain, body=Login(email, password))
        if isinstance(answer, MfaRequired):
            if code is None:
                raise ValueError("The account has a second factor: pass `code` to sign_in.")
            second = SecondFactor(answer.mfa_token, await code())
            answer = await login_second_factor.asyncio(client=self._plain, body=second)
        self._auth.keep(unwrap(answer))

    async def sign_out(self) -> None:
        """End the session."""
        await logout.asyncio(client=self.api)
        self._auth.keep(None)


class _Http(httpx.AsyncClient):
    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = await super().send(request, **options)
        if response.is_error:
            await response.aread()
            raise ProblemError(problem_of(response), response)
        return response


class _Bearer(httpx.Auth):
    """Sends the access token. A refresh token works once, so all requests wait for the same exchange."""

    def __init__(self, plain: AuthenticatedClient, tokens: Tokens | str | None, on_tokens: OnTokens | None):
        self._plain = plain
        self._tokens = tokens
        self._on_tokens = on_tokens
        self._exchanging = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        used = self._tokens
        self._authorize(request)
        response = yield request
        if isinstance(used, Tokens) and await _is_expired(response):
            async with self._exchanging:
                if self._tokens is used:  # no other request has done it
                    await self._exchange(used)
            self._authorize(request)
            yield request

    def keep(self, tokens: Tokens | None) -> None:
        self._tokens = tokens
        if self._on_tokens:
            self._on_tokens(tokens)

    def _authorize(self, request: httpx.Request) -> None:
        token = self._tokens.access_token if isinstance(self._tokens, Tokens) else self._tokens
        if token:
            request.headers["Authorization"] = f"Bearer {token}"

    async def _exchange(self, used: Tokens) -> None:
        try:
            self.keep(unwrap(await refresh.asyncio(client=self._plain, body=Refresh(used.refresh_token))))
        except ProblemError as error:
            if error.status == httpx.codes.UNAUTHORIZED:  # the session has ended
                self.keep(None)
            raise


async def _is_expired(response: httpx.Response) -> bool:
    """Other errors with 401, such as a wrong password or a sign-in that is too old, need the user, not a new token."""
    if response.status_code != httpx.codes.UNAUTHORIZED:
        return False
    await response.aread()
    return problem_of(response).code in {"token-expired", "invalid-token"}


def _generated(base_url: str, http: httpx.AsyncClient) -> AuthenticatedClient:
    return AuthenticatedClient(base_url, token="").set_async_httpx_client(http)  # which sends the token
