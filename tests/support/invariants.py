"""Runs the invariants on a test's database."""

from uuid import UUID

import asyncpg

from todo.domain.tasks.series.invariants import INVARIANTS


async def broken(sql: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[UUID]]:
    """The ids of the rows that break an invariant, by its name; empty when all hold."""
    found = {rule.name: [row["id"] for row in await sql.fetch(rule.violations)] for rule in INVARIANTS}
    return {name: ids for name, ids in found.items() if ids}
