"""The transaction of a request: its own, or the one that an `Idempotency-Key` has opened around it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar.di import NamedDependency
from litestar.types import Scope

from todo.access import Actor, Origin
from todo.contention import is_contention
from todo.database import Database, WriteSession
from todo.http.restarts import ask_restart

SHARED: Any = "shared_session"
OPENED: Any = "opened_session"


def origin_of(scope: Scope) -> Origin:
    """Who sends this request, and through what."""
    origin: Origin = scope["state"]["origin"]
    actor = scope.get("user")
    return origin.by(actor) if isinstance(actor, Actor) else origin


def share(scope: Scope, session: WriteSession) -> None:
    """Let everything this request writes be part of `session`'s transaction."""
    scope["state"][SHARED] = session


def is_shared(scope: Scope) -> bool:
    """Whether the request's writes must be part of a larger transaction."""
    return SHARED in scope["state"]


@asynccontextmanager
async def session_for(database: Database, scope: Scope) -> AsyncIterator[WriteSession]:
    """Committed before the answer is sent, rolled back when the handler raises; a shared one is left to its owner.

    When it met another one on the same rows, the request is handled again: this is all that it writes.
    """
    try:
        if is_shared(scope):
            yield scope["state"][SHARED]
            return
        async with database.session(origin_of(scope)) as session:
            yield session
    except Exception as error:
        if is_contention(error):
            ask_restart(scope)
        raise


async def session_of(database: NamedDependency[Database], scope: Scope) -> AsyncGenerator[WriteSession, None]:
    """The request's transaction, for handlers that only write."""
    async with AsyncExitStack() as opened:
        scope["state"][OPENED] = opened
        yield await opened.enter_async_context(session_for(database, scope))


async def roll_back(error: BaseException, scope: Scope) -> None:
    """End the transaction of a request that failed before its handler began.

    Litestar 2.25 forgets the generators of a request when one of its dependencies is refused; their sessions would stay
    open until somebody collects the garbage.
    """
    if opened := scope["state"].get(OPENED):
        await opened.__aexit__(type(error), error, error.__traceback__)
