"""`/api/auth/tokens`: personal access tokens."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from todo.access import Actor, requires, signed_in_recently
from todo.database import Database, WriteSession
from todo.domain.accounts.schemas.personal_tokens import TokenIn, TokenMade, TokenOut
from todo.domain.accounts.services.personal_tokens import TOKENS, TokenService
from todo.http.etags import versioned
from todo.http.idempotency import ShownOnce
from todo.schema import Count, Cursor, Limit, Page

REVOKE = "find the token with `GET /api/auth/tokens`, revoke it, and add another with another key"
ActorRequest = Request[Actor, Any, State]


class TokenController(Controller):
    """Personal access tokens for scripts, each limited to its scopes."""

    path = "/api/auth/tokens"
    tags = ["Accounts"]
    guards = [requires("accounts.tokens")]

    @get(operation_id="list_tokens")
    async def list_tokens(
        self,
        database: NamedDependency[Database],
        request: ActorRequest,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[TokenOut]:
        """List your tokens, newest first, including ended ones. Secrets are not stored.

        Example: `GET /api/auth/tokens`
        """
        mine = request.user.user_id
        return await TOKENS.page(database.reads, {}, actor=mine, limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_token", guards=[signed_in_recently], opt={"shown_once": ShownOnce(("id", "name"), REVOKE)})
    async def add_token(
        self, session: NamedDependency[WriteSession], request: ActorRequest, data: JSONBody[TokenIn]
    ) -> Response[TokenMade]:
        """Create a token, shown only once. `scopes` are permissions you have, e.g. `tasks.view` to read tasks.

        A token can never manage your account, grant permissions, reset a second factor or impersonate users.

        Example: `{"name": "Backup script", "scopes": ["tasks.view"], "expires_in_days": 30}`
        """
        made = await TokenService(session, request.user).add(data, request.user)
        return versioned(made, status_code=201)

    @delete("/{token_id:uuid}", operation_id="revoke_token")
    async def revoke_token(
        self, session: NamedDependency[WriteSession], request: ActorRequest, token_id: FromPath[UUID]
    ) -> None:
        """Revoke a token. It stops working within seconds.

        Example: `DELETE /api/auth/tokens/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await TokenService(session, request.user).revoke(token_id)
