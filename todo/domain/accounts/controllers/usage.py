"""`/api/me/usage`."""

from typing import Any

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency

from todo.access import Actor, requires
from todo.database import Database
from todo.domain.accounts.schemas.usage import UsageOut
from todo.domain.accounts.services.quotas import read_usage


@get("/api/me/usage", operation_id="get_usage", guards=[requires("accounts.me")], tags=["Accounts"])
async def get_usage(database: NamedDependency[Database], request: Request[Actor, Any, State]) -> UsageOut:
    """Get how much your account stores, and its limits.

    A request that would pass a limit is refused with 409 and the code `quota-reached`; `violated-policies` names the
    limit. Occurrences of your series still open, up to twice the limit.

    Example: `GET /api/me/usage`
    """
    return await read_usage(database.reads, request.user)
