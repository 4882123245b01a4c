"""Compiled statements, and running them on a pool of connections, each in one round trip."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from time import perf_counter
from typing import Any, Generic, TypeAlias, TypeVar

import asyncpg
import msgspec
from sqlalchemy import CompoundSelect, Insert, Select, TextClause, Update
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from todo.connection import AWAY, Connection, Route
from todo.database_errors import sqlstate_of
from todo.engine import SlowLog, to_json
from todo.pool import Pool
from todo.watch import Watch

S = TypeVar("S")
DIALECT = asyncpg_dialect(json_serializer=to_json)  # type: ignore[no-untyped-call]  # SQLAlchemy has no annotations there

Statement: TypeAlias = Select[Any] | CompoundSelect[Any] | Insert | Update | TextClause


class Query(Generic[S]):
    """A Core statement compiled once, at its first run. Each row it returns becomes `into(*columns)`.

    Build it at import, or cache it by shape: compiling costs more than running. Values are passed at each run by the
    names of the statement's `bindparam`s.
    """

    def __init__(self, into: Callable[..., S], statement: Statement):
        self.into = into
        self._statement = statement

    @cached_property
    def _compiled(self) -> Any:
        return self._statement.compile(dialect=DIALECT)

    @cached_property
    def sql(self) -> str:
        return str(self._compiled)

    @cached_property
    def _parameters(self) -> list[tuple[str, Any, Any]]:
        compiled = self._compiled
        return [
            (name, compiled.binds[name].value, compiled.binds[name].type.dialect_impl(DIALECT).bind_processor(DIALECT))
            for name in compiled.positiontup or []
        ]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the statement's `$1`, `$2` ..."""
        return [
            process(value)
            if process and (value := values.get(name, default)) is not None
            else values.get(name, default)
            for name, default, process in self._parameters
        ]


class Direct:
    """Run compiled statements on a pool, each in one round trip: no transaction, no reset, no ping."""

    def __init__(self, pool: Pool, watch: Watch, slow: SlowLog, *, prepared: bool):
        self.pool = pool
        self._slow = slow
        self._watch = watch
        self._prepared = prepared

    async def all(self, query: Query[S], **values: Any) -> list[S]:
        into = query.into
        return [into(*row) for row in await self._rows(query, values)]

    async def one_or_none(self, query: Query[S], **values: Any) -> S | None:
        rows = await self._rows(query, values)
        return query.into(*rows[0]) if rows else None

    async def write(self, query: Query[Any], **values: Any) -> bool:
        """Run a statement that changes rows, as its own transaction, never retried.

        Return whether it returned a row.
        """
        return bool(await self._fetch(query.sql, query.arguments(values)))

    async def returning(self, query: Query[S], seconds: float, **values: Any) -> list[S]:
        """Run a statement that changes rows, as `write` does, and return its rows.

        Raise TimeoutError when the database does not answer within `seconds`.
        """
        rows = await self._fetch(query.sql, query.arguments(values), seconds)
        return [query.into(*row) for row in rows]

    async def one_within(self, query: Query[S], seconds: float, **values: Any) -> S:
        """Run a statement that returns one row and may take up to `seconds`, in its own transaction."""
        arguments = query.arguments(values)
        async with self.pool.use() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
            # The server should cancel first, as in `find_route`.
            (row,) = await connection.fetch(query.sql, *arguments, timeout=seconds + 1)
            return query.into(*row)

    async def _rows(self, query: Query[Any], values: Mapping[str, Any]) -> list[asyncpg.Record]:
        arguments = query.arguments(values)
        try:
            return await self._fetch(query.sql, arguments)
        except AWAY as error:
            if self._watch.is_silent or isinstance(error, TimeoutError):
                raise
            # The connection may have died while idle. A read can be repeated on a new connection.
            self.pool.expire()
            return await self._fetch(query.sql, arguments)

    async def _fetch(self, sql: str, arguments: Sequence[Any], seconds: float | None = None) -> list[asyncpg.Record]:
        self._watch.check()
        try:
            async with self.pool.use() as connection:
                return await self._run(connection, sql, arguments, seconds)
        except asyncpg.PostgresError as error:
            await self._watch.note(sqlstate_of(error))
            raise

    async def _run(
        self, connection: Connection, sql: str, arguments: Sequence[Any], seconds: float | None = None
    ) -> list[asyncpg.Record]:
        began = perf_counter()
        try:
            if self._prepared:
                return await connection.fetch(sql, *arguments, timeout=seconds)
            async with connection.transaction():
                return await connection.fetch(sql, *arguments, timeout=seconds)
        finally:
            self._slow.note(sql, began)


async def connect(watch: Watch, route: Route) -> Connection:
    """Open a connection that passes JSON columns through as text. Raise what connecting raises."""
    connection = await watch.connect(**route.arguments)
    try:
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=_raw, format="text")
    except BaseException:
        connection.terminate()
        raise
    return connection


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())
