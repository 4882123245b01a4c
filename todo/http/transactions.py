"""The transaction of a request: its own, or the one opened for its `Idempotency-Key`."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar.di import NamedDependency
from litestar.types import Scope

from todo.access import Actor, Origin
from todo.contention import is_contention
from todo.database import Database, WriteSession
from todo.http.middleware import ask_restart

SHARED: Any = "shared_session"
OPENED: Any = "opened_session"


def origin_of(scope: Scope) -> Origin:
    """Return the origin of this request for the audit log."""
    origin: Origin = scope["state"]["origin"]
    actor = scope.get("user")
    return origin.by(actor) if isinstance(actor, Actor) else origin


def share(scope: Scope, session: WriteSession) -> None:
    """Make everything this request writes part of `session`'s transaction."""
    scope["state"][SHARED] = session


def unshare(scope: Scope) -> None:
    """Let a request write in transactions of its own again."""
    scope["state"].pop(SHARED, None)


def is_shared(scope: Scope) -> bool:
    """Return whether the request writes in a shared transaction."""
    return SHARED in scope["state"]


@asynccontextmanager
async def transaction_for(database: Database, scope: Scope) -> AsyncIterator[WriteSession]:
    """Yield the session of the change that a request is about, for requests that cannot be restarted.

    A shared session is left to its owner.
    """
    if is_shared(scope):
        yield scope["state"][SHARED]
        return
    async with database.session(origin_of(scope)) as session:
        yield session


@asynccontextmanager
async def session_for(database: Database, scope: Scope) -> AsyncIterator[WriteSession]:
    """Yield the session of a request, committed before the response is sent and rolled back when the handler raises.

    As `transaction_for`, but after a conflict with another transaction the request is restarted, so all its writes must
    go through this session.
    """
    try:
        async with transaction_for(database, scope) as session:
            yield session
    except Exception as error:
        if is_contention(error):
            ask_restart(scope)
        raise


async def session_of(database: NamedDependency[Database], scope: Scope) -> AsyncGenerator[WriteSession, None]:
    """Provide the request's transaction, for handlers that only write."""
    async with AsyncExitStack() as opened:
        scope["state"][OPENED] = opened
        yield await opened.enter_async_context(session_for(database, scope))


async def roll_back(error: BaseException, scope: Scope) -> None:
    """End the transaction of a request that failed before its handler ran.

    Litestar 2.25 drops the generators of a request when one of its dependencies raises; their sessions would stay open
    until they are garbage collected.
    """
    if opened := scope["state"].get(OPENED):
        await opened.__aexit__(type(error), error, error.__traceback__)
