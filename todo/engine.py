"""SQLAlchemy's engine for write sessions, and the log of slow statements."""

import logging
from time import perf_counter
from typing import Any

import msgspec
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from todo import tracing
from todo.connection import Route
from todo.watch import Watch

log = logging.getLogger(__name__)


def to_json(value: Any) -> str:
    """Serialize a column to JSON with msgspec, including instants, ids and structs."""
    return msgspec.json.encode(value).decode()


class SlowLog:
    """Trace statements, and log those that take longer than `seconds` (0: none).

    Their parameters are left out: they are user data.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds or float("inf")

    def note(self, statement: str, began: float) -> None:
        """Trace a statement that ended now, and log it if it was slow. `began` is of `perf_counter`."""
        tracing.note_statement(statement, began)
        seconds = perf_counter() - began
        if seconds > self._seconds:
            log.warning("slow statement: %s", statement[:1000], extra={"seconds": round(seconds, 3)})


def create_engine(route: Route, most: int, watch: Watch, slow: SlowLog) -> AsyncEngine:
    """Create SQLAlchemy's engine for writes. It opens up to `most` connections on demand and keeps them.

    Closing surplus connections after each use would cost more than their work.
    """
    unnamed: dict[str, Any] = {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: ""}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda **_: watch.connect(**route.arguments),
        pool_size=most,
        hide_parameters=True,  # keep user data out of logs
        max_overflow=0,
        connect_args={} if route.prepared else unnamed,
        json_serializer=to_json,
        json_deserializer=msgspec.json.decode,
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_unusable(connection: Any, *_: Any) -> None:
        """Replace a connection that died while idle, without the round trip of a ping."""
        if not watch.is_usable(connection.driver_connection):
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def begin(_: Any, __: Any, ___: str, ____: Any, context: Any, _____: bool) -> None:
        context.began = perf_counter()

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def end(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: bool) -> None:
        slow.note(statement, context.began)

    return engine
