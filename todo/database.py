"""Database access: compiled reads on a pool, write sessions, and the base class of all tables."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import (
    BindParameter,
    Column,
    CompoundSelect,
    DateTime,
    FromClause,
    Insert,
    MetaData,
    Select,
    Table,
    TextClause,
    Update,
    bindparam,
)
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from todo.access import Origin
from todo.connection import AWAY, Connection, Route, find_route
from todo.database_errors import sqlstate_of
from todo.engine import SlowLog, create_engine
from todo.engine import to_json as to_json
from todo.pool import Gate, Load, Pool
from todo.settings import Settings
from todo.watch import Monitor, Watch

S = TypeVar("S")

ACTOR: BindParameter[Any] = bindparam("actor", type_=None)

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata


DIALECT = asyncpg_dialect(json_serializer=to_json)  # type: ignore[no-untyped-call]  # SQLAlchemy has no annotations there


def now() -> datetime:
    """Return this instant, in UTC: the one clock of this process."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """Return a UUIDv7. A Python function: pydantic inspects a default factory for each row, slowly for a built-in."""
    return uuid7()


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
        self._pool = pool
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
        async with self._pool.use() as connection, connection.transaction():
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
            self._pool.expire()
            return await self._fetch(query.sql, arguments)

    async def _fetch(self, sql: str, arguments: Sequence[Any], seconds: float | None = None) -> list[asyncpg.Record]:
        self._watch.check()
        try:
            async with self._pool.use() as connection:
                began = perf_counter()
                try:
                    if self._prepared:
                        return await connection.fetch(sql, *arguments, timeout=seconds)
                    async with connection.transaction():
                        return await connection.fetch(sql, *arguments, timeout=seconds)
                finally:
                    self._slow.note(sql, began)
        except asyncpg.PostgresError as error:
            await self._watch.note(sqlstate_of(error))
            raise


async def _prepare_types(connection: Any) -> None:
    """Pass JSON columns through as text."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=_raw, format="text")


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


Begin = Callable[[], AbstractAsyncContextManager["WriteSession"]]  # opens the transaction of a change


class WriteSession(AsyncSession):
    """A transaction that may change rows, with the origin of its changes and the settings it runs under."""

    def __init__(self, engine: AsyncEngine, origin: Origin, settings: Settings):
        super().__init__(engine, expire_on_commit=False)
        self.origin = origin
        self.settings = settings


class Database:
    """The connections of one process: a third for write sessions, the rest for statements run directly.

    `primary` takes changes. `reads` may be a replica; without one it is the same pool.
    """

    reads: Direct
    primary: Direct
    engine: AsyncEngine
    url: str

    def __init__(self, settings: Settings, url: str | None = None):
        self.settings = settings
        self.url = url or settings.database_url
        self._slow = SlowLog(settings.slow_statement_seconds)

    async def open(self) -> "Database":
        """Connect. Raise OSError or asyncpg's errors when the database cannot be reached."""
        settings = self.settings
        most = settings.database_pool + settings.database_overflow
        write_most = max(min(2, most - 1), most // 3)
        route = await find_route(self.url, settings)
        self.monitor = Monitor(route)
        self.watch = Watch(self.monitor, settings.database_wait)
        if settings.database_read_url:
            write_most = max(min(2, (most - 1) // 2), write_most // 2)
            self.primary = await self._direct(route, write_most)
            replica = await find_route(settings.database_read_url, settings)
            self.reads = await self._direct(replica, max(1, most - 2 * write_most))
        else:
            self.primary = self.reads = await self._direct(route, most - write_most)
        self.engine = create_engine(route, write_most, self.watch, self._slow)
        self._gate = Gate(write_most, settings.database_wait)
        self._outer = Gate(max(1, write_most - 1), settings.database_wait)
        self.watch.gates.append(self._gate)
        self._watching = asyncio.create_task(self.watch.run())
        return self

    async def close(self) -> None:
        self._watching.cancel()
        self.monitor.close()
        await self.engine.dispose()
        for pool in self.watch.pools:
            await pool.close()

    @property
    def is_busy(self) -> bool:
        """Return whether requests are timing out waiting for a connection."""
        return any(one.is_stuck for one in (*self.watch.gates, *self.watch.pools))

    @property
    def loads(self) -> dict[str, Load]:
        """Return the pools of connections by name; `replica` only when there is one."""
        names = ("direct", "replica")
        return {"write": self._gate, **dict(zip(names, self.watch.pools, strict=False))}

    async def _direct(self, route: Route, most: int) -> Direct:
        """Open a pool that keeps its share of `database_pool` and closes additional connections when idle."""

        async def connect() -> Connection:
            connection = await self.watch.connect(**route.arguments)
            try:
                await _prepare_types(connection)
            except BaseException:
                connection.terminate()
                raise
            return connection

        keep = min(max(1, self.settings.database_pool * 2 // 3), most)
        pool = Pool(connect, keep=keep, most=most, wait=self.settings.database_wait)
        self.watch.pools.append(pool)
        await pool.open()
        return Direct(pool, self.watch, self._slow, prepared=route.prepared)

    @asynccontextmanager
    async def session(self, origin: Origin) -> AsyncIterator[WriteSession]:
        """Open a transaction: committed at the end of the block, rolled back when the block raises.

        `origin` is stored in the audit events of its changes.
        """
        async with self._gate:
            self.watch.check()
            session = WriteSession(self.engine, origin, self.settings)
            try:
                yield session
                if session.in_transaction():  # nothing has begun when all was done by single statements
                    await session.commit()
            except BaseException as error:
                await asyncio.shield(session.close())
                if isinstance(error, DBAPIError):
                    await self.watch.note(sqlstate_of(error))
                raise

    @asynccontextmanager
    async def outer_session(self, origin: Origin) -> AsyncIterator[WriteSession]:
        """Open a transaction during which others are opened.

        One connection is left for those, so that outer transactions do not all wait for one.
        """
        async with self._outer, self.session(origin) as session:
            yield session


class Row(SQLModel):
    """Base class of all tables. `version` counts changes and is the row's ETag. `SECRET` columns are never shown."""

    SECRET: ClassVar[frozenset[str]] = frozenset()

    id: UUID = Field(default_factory=new_id, primary_key=True)
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    version: int = 1

    if not TYPE_CHECKING:  # else the fields of each table would not be checked any more

        def __init__(self, **values: Any):
            """A new row was changed last when it was created, unless both are given."""
            if "created_at" not in values:
                values["created_at"] = values.setdefault("updated_at", now())
            super().__init__(**values)

    if TYPE_CHECKING:  # SQLModel sets these on tables; advanced-alchemy needs them
        __table__: ClassVar[FromClause]
        __mapper__: ClassVar[Mapper[Any]]
        __name__: ClassVar[str]

        def to_dict(self, exclude: set[str] | None = None) -> dict[str, Any]: ...


M = TypeVar("M", bound=Row)


def table_of(model: type[SQLModel] | SQLModel) -> Table:
    """Return the Core table of a model."""
    table: Table = model.__table__  # type: ignore[union-attr]  # SQLModel sets it on table classes only
    return table


def columns(model: type[SQLModel]) -> ReadOnlyColumnCollection[str, Column[Any]]:
    """Return the columns of a model for use in queries."""
    return table_of(model).columns
