"""A database of its own for a test that changes the schema, locks tables, or has settings of its own."""

from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import pytest
from conftest import create_database

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def own_url(worker_id_or_main: str) -> str:
    return await create_database(f"todo_own_{worker_id_or_main}", "todo_template")


@pytest.fixture
async def own_sql(own_url: str) -> AsyncIterator[Sql]:
    connection = await asyncpg.connect(own_url)
    yield connection
    await connection.close()
