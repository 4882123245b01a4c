"""A row of any table, made from its columns and its declaration, so that a new resource needs nothing here.

Where a room wants more of a value than its type says, SPECIAL names it: by table and column.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, get_args
from uuid import UUID, uuid4

from conftest import SECRET_KEY
from msgspec import Struct
from pydantic_core import PydanticUndefined
from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    UniqueConstraint,
    Uuid,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from support.factories import Person
from uuid_utils.compat import uuid7

from todo.access import worker_origin
from todo.admin.declaration import ModelAdmin
from todo.admin.fields import Field, bare, longest
from todo.admin.registry import Registry
from todo.database import Database, metadata, table_of
from todo.domain.accounts.services.keys import new_signing_key

NUMBERS = count(1)
FUTURE = datetime(2031, 1, 31, 12, tzinfo=UTC)
SIGNING_KEY = new_signing_key(SECRET_KEY, "pending")
SPECIAL: dict[tuple[str, str], Any] = {
    ("users", "timezone"): "Europe/Berlin",
    ("users", "status"): "active",
    ("audit_events", "source"): "api",
    ("roles", "permissions"): [],
    ("signing_keys", "status"): "retired",  # so that nobody signs with it
    ("signing_keys", "public_key"): SIGNING_KEY.public_key,
    ("signing_keys", "private_key"): SIGNING_KEY.private_key,
    ("project_invitations", "user_id"): None,  # it has an address
    ("views", "project_id"): None,  # it is somebody's
    ("series", "rrule"): "FREQ=MONTHLY",
    ("series", "template"): {"title": "Water the plants"},
    ("series", "status"): "paused",  # an active one goes on at some time
    ("occurrences", "status"): "done",  # an open one has an open task
}
IN_INBOX = {(table, "project_id") for table in ("tasks", "series", "project_invitations", "project_links")}


class Rows:
    """Makes rows that belong to somebody."""

    def __init__(self, registry: Registry, database: Database, owner_id: UUID):
        self._admins = {str(one.model.__tablename__): one for one in registry if isinstance(one, ModelAdmin)}
        self._database = database
        self._owner_id = owner_id
        self._owned: set[Column[Any]] = set()

    async def of(self, admin: ModelAdmin[Any], **values: Any) -> UUID:
        """A new row, and what it refers to."""
        async with self._database.session(worker_origin()) as session:
            found: UUID = await self._insert(session, table_of(admin.model), values)
            return found

    async def _insert(self, session: AsyncSession, table: Table, given: dict[str, Any]) -> Any:
        values = dict(given)
        for column in table.columns:
            if column.name not in values and (value := await self._value(session, table, column)) is not None:
                values[column.name] = value
        await session.execute(insert(table).values(values))
        return values.get("id")

    async def _value(self, session: AsyncSession, table: Table, column: Column[Any]) -> Any:
        if (table.name, column.name) in {("users", "email"), ("project_invitations", "email")}:
            return f"somebody-{next(NUMBERS)}@example.com"
        if (table.name, column.name) in SPECIAL:
            return SPECIAL[table.name, column.name]
        if (table.name, column.name) in IN_INBOX:
            return self._owner_id  # the inbox
        if table.name in {"project_members", "dependencies"} and column.foreign_keys:  # a pair that is not there yet
            (key,) = column.foreign_keys
            return await self._insert(session, key.column.table, {})
        for key in (one for one in column.foreign_keys if one.column.primary_key):
            return await self._reference(session, key.column.table, column)
        if column.name.endswith("timezone"):
            return "Europe/Berlin"
        if column.nullable and not column.primary_key:
            return None
        admin = self._admins.get(table.name)
        if admin is None:
            return _value_of(column, None)
        usual = admin.model.model_fields[column.name].get_default(call_default_factory=True)
        return _value_of(column, admin.fields.get(column.name)) if usual in (PydanticUndefined, None, "") else usual

    async def _reference(self, session: AsyncSession, there: Table, column: Column[Any]) -> Any:
        """Whoever owns it; else a row that is made for it, where one is needed."""
        if there.name == "users" and not (_alone(column) and column in self._owned):
            self._owned.add(column)
            return self._owner_id
        if column.nullable and not column.primary_key:
            return None
        found = None if _alone(column) else await session.scalar(select(there.c.id).limit(1))
        return found or await self._insert(session, there, {})


def _alone(column: Column[Any]) -> bool:
    """Whether no two rows of its table can have the same value."""
    unique = [one for one in column.table.constraints if isinstance(one, UniqueConstraint)]
    return bool(column.unique) or any(set(one.columns) == {column} for one in unique)


def _value_of(column: Column[Any], field: Field | None) -> Any:
    number = next(NUMBERS)
    if field is not None and field.kind == "choice":
        return field.choices[0]
    match column.type:
        case Uuid():
            return uuid7()
        case Boolean():
            return False
        case DateTime(timezone=True):
            return FUTURE if "expires" in column.name or "ends" in column.name else FUTURE.replace(year=2026)
        case DateTime():
            return datetime(2031, 1, 31, 12) + timedelta(minutes=number)
        case Date():
            return date(2031, 1, 31) + timedelta(days=number % 1000)
        case Integer() | Numeric() | Float():
            return 1
        case LargeBinary():
            return uuid4().bytes
        case JSONB():
            return {}
        case ARRAY():
            return []
    return f"text-{number}"


def values_for(field: Field, number: int) -> Iterator[Any]:
    """JSON values that a field may take, the likeliest first."""
    if field.nullable:
        yield None
    kind: Any = bare(field.type)
    match field.kind:
        case "choice":
            yield from reversed(field.choices)
        case "boolean":
            yield from (True, False)
        case "integer" | "number":
            yield from (2, 3)
        case "text" | "long_text":
            yield from (
                f"Other {uuid4()}"[: longest(field.type)],
                "overdue",
                "Europe/Paris",
                f"other{number}@example.com",
            )
        case "instant":
            yield f"{FUTURE + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        case "day":
            yield "2031-02-01"
        case "local":
            yield "2031-02-01T09:00:00"
        case "list":
            yield from ([], ["tasks.view"])
        case "json" if any(isinstance(one, type) and issubclass(one, Struct) for one in get_args(kind)):
            yield {"kind": "day", "date": "2031-02-01"}


def tables() -> set[str]:
    return set(metadata.tables)


async def many(sql: Any, ada: Person, number: int) -> None:
    """Tasks as fast as they can be made."""
    await sql.execute(
        """INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,
            status, priority)
        SELECT gen_random_uuid(), now(), now(), 1, $1, $1, $1, 'Task ' || n, '', 'open', n % 5
        FROM generate_series(1, $2) AS n""",
        ada.id, number,
    )  # fmt: skip
