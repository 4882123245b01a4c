"""`/api/auth/token` and `/api/auth/scopes`: the credential of a request, and what tokens may be limited to."""

from typing import Any

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency

from todo.access import Actor, signed_in
from todo.domain.accounts.schemas.personal_tokens import CurrentToken, ScopeOut
from todo.domain.accounts.services.sign_in import SignIn
from todo.domain.accounts.services.token_info import current_token, scopes_for
from todo.schema import Page

ActorRequest = Request[Actor, Any, State]


@get("/api/auth/token", operation_id="get_token", tags=["Accounts"], guards=[signed_in])
async def get_token(sign_in: NamedDependency[SignIn], request: ActorRequest) -> CurrentToken:
    """Get whose token this is, what it may do, and when it expires. Any valid token may ask, whatever its scopes.

    Example: `GET /api/auth/token`
    """
    return current_token(request.user, await sign_in.me(request.user))


@get("/api/auth/scopes", operation_id="list_scopes", tags=["Accounts"], guards=[signed_in], sync_to_thread=False)
def list_scopes(request: ActorRequest) -> Page[ScopeOut]:
    """List the scopes that your personal access tokens may have, all on one page.

    Example: `GET /api/auth/scopes`
    """
    return Page(scopes_for(request.user), None)
