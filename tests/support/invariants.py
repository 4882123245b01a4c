"""Runs the invariants on a test's database, and breaks them."""

from uuid import UUID

import asyncpg

from todo.domain.tasks.invariants import INVARIANTS as TASKS
from todo.domain.tasks.series.invariants import INVARIANTS


async def broken(sql: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[UUID]]:
    """The ids of the rows that break an invariant, by its name; empty when all hold."""
    found = {rule.name: [row["id"] for row in await sql.fetch(rule.violations)] for rule in (*INVARIANTS, *TASKS)}
    return {name: ids for name, ids in found.items() if ids}


async def spoil(sql: "asyncpg.Connection[asyncpg.Record]", statement: str) -> None:
    """Write what the database would refuse."""
    await sql.execute("SET session_replication_role = replica")
    try:
        await sql.execute(statement)
    finally:
        await sql.execute("RESET session_replication_role")
