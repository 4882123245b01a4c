"""The schema: from nothing, in step with the models, and every step down and up again."""

import asyncio

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from conftest import create_database, settings_for
from sqlalchemy import Connection

from todo import migrate
from todo.database import metadata


@pytest.fixture
async def empty_url(worker_id_or_main: str) -> str:
    return await create_database(f"todo_empty_{worker_id_or_main}")


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows}


async def test_an_upgrade_from_nothing_leaves_no_drift(empty_url: str) -> None:
    settings = settings_for(empty_url)

    changed = await migrate.upgrade(settings)

    def drift(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        found: list[object] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        return found

    assert changed
    assert await migrate.run(settings, drift) == []
    assert await migrate.is_current(settings)
    assert not await migrate.upgrade(settings)


async def test_every_migration_goes_down_and_up_again(empty_url: str) -> None:
    settings = settings_for(empty_url)
    await migrate.upgrade(settings)
    full = await tables(empty_url)
    steps = [script.revision for script in ScriptDirectory.from_config(migrate.config()).walk_revisions()]

    for _ in steps:
        await migrate.run(settings, lambda connection: command.downgrade(migrate.config(connection), "-1"))
    bare = await tables(empty_url)
    for _ in steps:
        await migrate.upgrade(settings, revision="+1")

    assert bare == {"alembic_version"}
    assert await tables(empty_url) == full


async def test_instances_that_start_together_migrate_once(empty_url: str) -> None:
    settings = settings_for(empty_url)

    changed = await asyncio.gather(*(migrate.upgrade(settings) for _ in range(4)))

    assert sorted(changed) == [False, False, False, True]


async def test_a_database_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    settings = settings_for(empty_url)
    await migrate.upgrade(settings)
    connection = await asyncpg.connect(empty_url)
    await connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    await connection.close()

    with pytest.raises(migrate.MigrationError, match="used by a newer version"):
        await migrate.upgrade(settings)
