"""Sharing projects in tests without an invitation."""

from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from support.factories import Person

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def project(person: Person, name: str = "House", **fields: Any) -> str:
    """Add a project and return its id."""
    answer = await person.http.post("/api/projects", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def share(sql: Sql, project_id: str, user_id: UUID, role: str = "viewer") -> None:
    """Make somebody a member of a project, as the service does."""
    await sql.execute(
        """INSERT INTO project_members (id, created_at, updated_at, version, project_id, user_id, role)
        VALUES (gen_random_uuid(), now(), now(), 1, $1, $2, $3)""",
        UUID(project_id), user_id, role,
    )  # fmt: skip
    await sql.execute("SELECT rewrite_project_access($1)", UUID(project_id))
