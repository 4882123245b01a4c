"""Database access: compiled reads on a pool, write sessions, and the base class of all tables."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import UUID

from sqlalchemy import BindParameter, Column, DateTime, Executable, FromClause, MetaData, Table, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from todo.access import Origin
from todo.batches import Batch
from todo.connection import Route, find_route
from todo.database_errors import sqlstate_of
from todo.direct import DIALECT as DIALECT
from todo.direct import Direct as Direct
from todo.direct import Query as Query
from todo.direct import connect
from todo.engine import SlowLog, create_engine
from todo.engine import to_json as to_json
from todo.pool import Gate, Load, Pool
from todo.replica import Replica
from todo.settings import Settings
from todo.watch import Monitor, Watch

ACTOR: BindParameter[Any] = bindparam("actor", type_=None)

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata


def now() -> datetime:
    """Return this instant, in UTC: the one clock of this process."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """Return a UUIDv7. A Python function: pydantic inspects a default factory for each row, slowly for a built-in."""
    return uuid7()


T = TypeVar("T")
Begin = Callable[[], AbstractAsyncContextManager["WriteSession"]]  # opens the transaction of a change


class WriteSession(AsyncSession):
    """A transaction that may change rows, with the origin of its changes and the settings it runs under."""

    def __init__(self, engine: AsyncEngine, origin: Origin, settings: Settings):
        super().__init__(engine, expire_on_commit=False)
        self.origin = origin
        self.settings = settings
        self.batch: Batch | None = None  # while several rows are processed together

    async def write(self, statement: Executable, parameters: Mapping[str, Any]) -> None:
        """Run a statement that returns nothing: in a batch later, together with those of other rows."""
        if self.batch is None:
            await self.execute(statement, parameters)
        else:
            self.batch.write(statement, parameters)

    async def once(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Return what `read` returns; in a batch it is called once for each key."""
        return await (read() if self.batch is None else self.batch.once(key, read))

    @asynccontextmanager
    async def together(self) -> AsyncIterator[Batch]:
        """Open a savepoint for several rows, whose writes are sent together: all are kept, or none when it raises."""
        async with self.begin_nested():
            outer = self.batch
            self.batch = batch = Batch(await self.run_sync(lambda session: session.connection()))
            try:
                with batch.listening(self.sync_session):
                    yield batch
                    await self.run_sync(batch.send)
            finally:
                self.batch = outer
                if outer:
                    outer.written += batch.written


class Database:
    """The connections of one process: a third for write sessions, the rest for statements run directly.

    `primary` takes changes. `reads` may use the `replica`; without one it is the same pool.
    """

    reads: Direct
    primary: Direct
    replica: Replica | None = None
    engine: AsyncEngine
    url: str

    def __init__(self, settings: Settings, url: str | None = None):
        self.settings = settings
        self.url = url or settings.database_url
        self._slow = SlowLog(settings.slow_statement_seconds)
        self._tasks: list[asyncio.Task[None]] = []

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
            self.reads = self.replica = self._open_replica(max(1, most - 2 * write_most))
        else:
            self.primary = self.reads = await self._direct(route, most - write_most)
        self.engine = create_engine(route, write_most, self.watch, self._slow)
        self._gate = Gate(write_most, settings.database_wait)
        self._outer = Gate(max(1, write_most - 1), settings.database_wait)
        self.watch.gates.append(self._gate)
        self._tasks.append(asyncio.create_task(self.watch.run()))
        return self

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.monitor.close()
        await self.engine.dispose()
        for pool in self.watch.pools:
            await pool.close()

    @property
    def is_busy(self) -> bool:
        """Return whether requests are timing out waiting for a connection."""
        return any(one.is_stuck for one in (*self.watch.gates, self.primary.pool))

    @property
    def loads(self) -> dict[str, Load]:
        """Return the pools of connections by name; `replica` only when there is one."""
        names = ("direct", "replica")
        return {"write": self._gate, **dict(zip(names, self.watch.pools, strict=False))}

    async def _direct(self, route: Route, most: int) -> Direct:
        """Open a pool that keeps its share of `database_pool` and closes additional connections when idle."""
        pool = Pool(
            partial(connect, self.watch, route), keep=self._keep(most), most=most, wait=self.settings.database_wait
        )
        self.watch.pools.append(pool)
        await pool.open()
        return Direct(pool, self.watch, self._slow, prepared=route.prepared)

    def _open_replica(self, most: int) -> Replica:
        """Begin to use the replica as soon as it can be used: a server also starts without it."""
        replica = Replica(self.settings, self.primary, self.watch, self._slow, keep=self._keep(most), most=most)
        self.watch.pools.append(replica.pool)
        self._tasks.append(asyncio.create_task(replica.run()))
        return replica

    def _keep(self, most: int) -> int:
        return min(max(1, self.settings.database_pool * 2 // 3), most)

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
            """A new row was changed last when it was created, unless both are given.

            Values are taken as they are. So does SQLModel's constructor, which takes a fifth of the time of adding a
            task: it passes each to SQLAlchemy's events, which no table has, and inspects the factories of defaults.
            """
            if "created_at" not in values:
                values["created_at"] = values.setdefault("updated_at", now())
            for name, default in defaults_of(type(self)).items():
                if name not in values:
                    values[name] = default()
            self.__dict__.update(values)

    if TYPE_CHECKING:  # SQLModel sets these on tables; advanced-alchemy needs them
        __table__: ClassVar[FromClause]
        __mapper__: ClassVar[Mapper[Any]]
        __name__: ClassVar[str]

        def to_dict(self, exclude: set[str] | None = None) -> dict[str, Any]: ...


M = TypeVar("M", bound=Row)


@cache
def defaults_of(model: type[Row]) -> Mapping[str, Callable[[], Any]]:
    """Return what makes the default of each field that has one."""
    fields: Mapping[str, Any] = model.model_fields
    return {
        name: field.default_factory or partial(copy, field.default)
        for name, field in fields.items()
        if not field.is_required()
    }


def table_of(model: type[SQLModel] | SQLModel) -> Table:
    """Return the Core table of a model."""
    table: Table = model.__table__  # type: ignore[union-attr]  # SQLModel sets it on table classes only
    return table


def columns(model: type[SQLModel]) -> ReadOnlyColumnCollection[str, Column[Any]]:
    """Return the columns of a model for use in queries."""
    return table_of(model).columns
