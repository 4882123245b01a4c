"""The transaction of a request: its own, or the one that an `Idempotency-Key` has opened around it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar.types import Scope
from sqlalchemy.ext.asyncio import AsyncSession

from todo.database import Database

SHARED: Any = "shared_session"


def share(scope: Scope, session: AsyncSession) -> None:
    """Let everything this request writes be part of `session`'s transaction."""
    scope["state"][SHARED] = session


def is_shared(scope: Scope) -> bool:
    """Whether the request's writes must be part of a larger transaction."""
    return SHARED in scope["state"]


@asynccontextmanager
async def session_for(database: Database, scope: Scope) -> AsyncIterator[AsyncSession]:
    """Committed before the answer is sent, rolled back when the handler raises; a shared one is left to its owner."""
    if is_shared(scope):
        yield scope["state"][SHARED]
        return
    async with database.session() as session:
        yield session
