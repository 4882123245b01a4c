"""Every table is bounded: what the service itself adds is deleted in time, the rest is what people keep."""

import re
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from database.test_cleanup import EVERYTHING
from sqlalchemy import Table
from support.factories import OPERATOR, Person, job_context, origin_for

from todo.admin.models import Run
from todo.database import Database, metadata, table_of
from todo.modules import delete_old_runs

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
DOCUMENT = (Path(__file__).parents[2] / "docs/operations.md").read_text()
EXPIRES = {table_of(rows.model).name for rows in EVERYTHING}
# What is deleted by its own rule: a loop or a job, each with a test of its own.
WORKED_OFF = {"activities", "audit_events", "heartbeats", "signing_keys", "usage_changes", "waiting_jobs"}
# Rows that people add, and that go with them.
KEPT = {
    "admin_import_rows",
    "comment_mentions", "comments", "dependencies", "identities", "labels", "notification_preferences", "occurrences",
    "passkeys", "private_notes", "project_access", "project_members", "projects", "recovery_codes", "reminders",
    "saved_views", "sections", "series", "tasks", "totp", "user_roles", "users", "views",
}  # fmt: skip
CONSTANT = {"job_runs", "quota_defaults", "roles"}  # as many rows as the service has functions, quotas and roles


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_has_one_bound(table: Table) -> None:
    bounds = [names for names in (EXPIRES, WORKED_OFF, KEPT, CONSTANT) if table.name in names]

    assert len(bounds) == 1, "Name the bound of a new table here, and in docs/operations.md."


@pytest.mark.parametrize("name", sorted(KEPT))
def test_what_people_keep_is_erased_with_them(name: str) -> None:
    reached = {"users"}
    while (
        grown := {
            key.table.name
            for table in metadata.sorted_tables
            for key in table.foreign_key_constraints
            if key.ondelete == "CASCADE" and key.referred_table.name in reached
        }
        - reached
    ):
        reached |= grown

    assert name in reached


async def test_the_documentation_names_every_table(sql: Sql) -> None:
    section = DOCUMENT.partition("## What grows")[2].partition("\n## ")[0]
    named = {
        name for row in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }

    tables = await sql.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition"
    )
    ours = {name for (name,) in tables if not name.startswith("saq_")}
    assert named - {"saq_jobs"} == ours
    assert ours - {"alembic_version"} == {table.name for table in metadata.sorted_tables}


async def test_a_background_action_is_kept_for_three_months(database: Database, ada: Person, sql: Sql) -> None:
    for days in (89, 91):
        values = {"actor_id": ada.id, "resource": "tasks", "action": "complete", "target": {}, "status": "running"}
        async with database.session(origin_for(OPERATOR)) as session:
            session.add(Run(**values, reason=str(days)))
        await sql.execute(
            "UPDATE admin_runs SET updated_at = now() - make_interval(days => $1) WHERE reason = $2", days, str(days)
        )

    await delete_old_runs(job_context(database))

    assert [row["reason"] for row in await sql.fetch("SELECT reason FROM admin_runs")] == ["89"]
