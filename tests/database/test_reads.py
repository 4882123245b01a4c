"""Compiled reads: every column type comes out as the wire wants it, values never become SQL."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from sqlalchemy import (
    ARRAY,
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Uuid,
    bindparam,
    cast,
    literal,
    select,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from todo.database import Database, Query
from todo.errors import problem_of
from todo.listing import Key, Sort, beyond

MOMENT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
TYPES: list[tuple[Any, Any, bytes]] = [
    (String(), "a 'quoted' $1 text", b"\"a 'quoted' $1 text\""),
    (AutoString(), "plain", b'"plain"'),
    (Integer(), 7, b"7"),
    (Float(), 1.5, b"1.5"),
    (Numeric(), 2, b'"2"'),
    (Boolean(), True, b"true"),
    (Uuid(), UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
    (Date(), date(2026, 3, 29), b'"2026-03-29"'),
    (DateTime(timezone=True), MOMENT, b'"2026-03-29T01:30:00Z"'),
    (UTCDateTime(), MOMENT, b'"2026-03-29T01:30:00Z"'),
    (DateTime(timezone=False), datetime(2026, 3, 29, 2, 30), b'"2026-03-29T02:30:00"'),
    (ARRAY(String), ["a", "b"], b'["a","b"]'),
    (LargeBinary(), b"\x00\xff", b'"AP8="'),
    (JSONB(), {"kind": "day"}, b'{"kind": "day"}'),
]


@pytest.mark.parametrize(("kind", "value", "wire"), TYPES, ids=lambda item: str(item)[:30])
async def test_a_column_reaches_the_wire(kind: Any, value: Any, wire: bytes, database: Database) -> None:
    query = Query(lambda found: found, select(cast(bindparam("given", type_=kind), kind)))

    found = await database.reads.one_or_none(query, given=value)

    assert msgspec.json.encode(found) == wire


async def test_a_missing_value_is_null(database: Database) -> None:
    query = Query(lambda found: (found,), select(bindparam("given", type_=UTCDateTime())))

    assert await database.reads.one_or_none(query, given=None) == (None,)


async def test_no_row_is_none(database: Database) -> None:
    query = Query(int, select(literal(1)).where(literal(1) == bindparam("given")))

    assert await database.reads.one_or_none(query, given=2) is None
    assert await database.reads.all(query, given=1) == [1]


def test_a_value_never_becomes_sql() -> None:
    query = Query(str, select(bindparam("given", "x'; DROP TABLE tasks; --", type_=String())))

    assert "DROP" not in query.sql
    assert query.arguments({}) == ["x'; DROP TABLE tasks; --"]


def test_mixed_directions_keep_a_leading_bound_for_the_index() -> None:
    sorts = [Sort(literal(n), int, int) for n in range(2)]

    clause = str(beyond([Key("a", True, sorts[0]), Key("b", False, sorts[1])]))

    assert clause.startswith(":param_1 <= :after_a AND (:param_1 < :after_a OR ")


def test_what_nobody_foresaw_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    problem = problem_of(RuntimeError("the password is hunter2"))

    assert problem.status == 500
    assert "hunter2" not in problem.detail
    assert "hunter2" in caplog.text


async def test_a_lost_pool_is_reported_as_such(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> list[asyncpg.Record]:
        raise ConnectionRefusedError

    monkeypatch.setattr(database.reads, "_fetch", away)

    with pytest.raises(ConnectionRefusedError):
        await database.reads.all(Query(int, select(literal(1))))
