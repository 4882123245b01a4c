"""The schema: from nothing, in step with the models, and every step down and up again."""

import asyncio
import json
import re
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from conftest import create_database, settings_for
from sqlalchemy import Connection
from support.releases import NEXT, use_next_release

from todo import migrate
from todo.cli.installation import is_current, opened
from todo.database import metadata
from todo.migration_plan import Step, compatible_with, steps
from todo.revisions import REVISION, head, known


@pytest.fixture
async def empty_url(worker_id_or_main: str) -> str:
    return await create_database(f"todo_empty_{worker_id_or_main}")


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows}


def test_the_head_read_from_file_names_is_the_head_of_alembic() -> None:
    assert head() == ScriptDirectory.from_config(migrate.config()).get_current_head()


async def test_an_upgrade_from_nothing_leaves_no_drift(empty_url: str) -> None:
    settings = settings_for(empty_url)

    changed = await migrate.upgrade(settings)

    def drift(connection: Connection) -> list[object]:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, _: kind != "table" or migrate.is_ours(name),
        }
        found: list[object] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        return found

    assert changed
    assert await migrate.run(settings, drift) == []
    async with opened(settings, empty_url) as database:
        assert await is_current(database)
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

    with pytest.raises(migrate.MigrationError, match="migrated by a newer version"):
        await migrate.upgrade(settings)


async def declared(url: str) -> tuple[str, str | None]:
    connection = await asyncpg.connect(url)
    (row,) = await connection.fetch(REVISION)
    await connection.close()
    return tuple(row)


async def test_a_migration_declares_whose_code_works_with_its_schema(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(empty_url)
    await migrate.upgrade(settings)
    now = head()
    before = await declared(empty_url)
    use_next_release(tmp_path, monkeypatch, 'compatible_with = "{head}"')
    await migrate.upgrade(settings)
    after = await declared(empty_url)
    monkeypatch.undo()
    known.cache_clear()

    assert (before, after) == ((now, compatible_with(now)), (NEXT, now))
    assert not await migrate.upgrade(settings), "left as it is by the version before"
    async with opened(settings, empty_url) as database:
        assert await is_current(database)


REMOVES = re.compile(
    r"\b(DROP (TABLE|COLUMN)|RENAME|SET NOT NULL|ALTER COLUMN \w+ TYPE)\b"
    r"|\bADD COLUMN (?![^;]*\bDEFAULT\b)[^;]*\bNOT NULL\b",
    re.IGNORECASE,
)
DECLARING = [one for one in steps(None, head()) if one.revision > "0036"]


@pytest.mark.parametrize("step", DECLARING, ids=lambda step: step.revision)
def test_a_migration_says_whose_code_works_with_its_schema_and_removes_nothing_from_it(step: Step) -> None:
    script = ScriptDirectory.from_config(migrate.config()).get_revision(step.revision)
    assert script
    assert hasattr(script.module, "compatible_with"), "Declare the oldest revision whose code works with it, or None."
    declared = script.module.compatible_with

    if declared is not None:
        assert declared in known() and declared <= (step.before or ""), "an older revision"
        assert REMOVES.search(step.sql()) is None, "what older code reads or writes ends a release later"


@pytest.mark.parametrize(
    ("sql", "removes"),
    [
        ("ALTER TABLE tasks ADD COLUMN a text;", False),
        ("ALTER TABLE tasks ADD COLUMN a int DEFAULT '0' NOT NULL;", False),
        ("ALTER TABLE tasks ADD COLUMN a int NOT NULL; ALTER TABLE tasks ALTER COLUMN a SET DEFAULT 0;", True),
        ("ALTER TABLE tasks DROP COLUMN notes;", True),
        ("ALTER TABLE tasks RENAME notes TO text;", True),
        ("ALTER TABLE tasks ALTER COLUMN notes SET NOT NULL;", True),
        ("CREATE TABLE a (id uuid NOT NULL);", False),
    ],
)
def test_what_removes_something_is_recognized(sql: str, removes: bool) -> None:
    assert (REMOVES.search(sql) is not None) == removes


async def test_without_a_declaration_a_newer_schema_is_refused(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(empty_url)
    use_next_release(tmp_path, monkeypatch)
    await migrate.upgrade(settings)
    after = await declared(empty_url)
    monkeypatch.undo()
    known.cache_clear()

    assert after == (NEXT, NEXT)
    async with opened(settings, empty_url) as database:
        with pytest.raises(migrate.MigrationError, match="migrated by a newer version"):
            await is_current(database)


BEFORE_0010 = """
    INSERT INTO users (id, created_at, updated_at, version, email, name, timezone, kind, status)
    VALUES ({user}, now(), now(), 1, 'ada@example.com', '', 'UTC', 'person', 'active');
    INSERT INTO series (id, created_at, updated_at, version, owner_id, owner_timezone, status, rrule, start, kind,
        anchor, on_invalid_date, on_missed, opens, lead_seconds, max_open, holidays, pauses, exceptions, template, n,
        last_nominal, next_nominal, next_n, next_run_at, failures)
    SELECT {series}, now(), now(), 1, {user}, 'UTC', status, 'FREQ=DAILY', '2031-03-01', 'day', 'schedule',
        'backward', 'keep_one', 'on_time', 0, 50, '{{}}', '[]', '{{}}', '{{"title": ""}}', 1, '2031-03-01',
        '2031-03-02', 2, '2031-03-02', 0
    FROM (VALUES (1, 'active'), (2, 'active'), (3, 'ended'), (4, 'active'), (5, 'active')) AS given (n, status);
    INSERT INTO tasks (id, created_at, updated_at, version, owner_id, title, notes, status, priority, series_id,
        occurrence, deleted_at)
    SELECT {task}, now(), now(), 1, {user}, '', '', 'open', 0, {series}, '2031-03-01', deleted_at
    FROM (VALUES (2, NULL::timestamptz), (3, NULL), (4, now()), (5, NULL)) AS given (n, deleted_at);
    INSERT INTO occurrences (id, created_at, updated_at, version, series_id, nominal, task_id, status)
    SELECT gen_random_uuid(), now(), now(), 1, {series}, nominal, ('00000000-0000-0000-0002-00000000000' || task)::uuid,
        'open'
    FROM (VALUES (1, '2031-03-01'::timestamp, 2), (2, '2031-03-01', 2),  -- two live series of one task
        (3, '2031-03-01', 3), (3, '2031-03-02', 3),  -- a task that is open twice
        (4, '2031-03-01', 4),  -- a series that was deleted, and lives
        (5, '2031-03-01', 5), (5, '2031-03-05', 3)  -- a task of another series that has ended
    ) AS given (n, nominal, task)""".format(
    user="'00000000-0000-0000-0000-000000000001'::uuid",
    series="('00000000-0000-0000-0001-00000000000' || n)::uuid",
    task="('00000000-0000-0000-0002-00000000000' || n)::uuid",
)


async def test_series_that_share_a_task_are_parted_before_the_database_forbids_it(empty_url: str) -> None:
    settings = settings_for(empty_url)
    await migrate.upgrade(settings, revision="0009")
    connection = await asyncpg.connect(empty_url)
    await connection.execute(BEFORE_0010)

    await migrate.upgrade(settings, revision="0010")
    series = [row["status"] for row in await connection.fetch("SELECT status FROM series ORDER BY id")]
    open_ones = await connection.fetch(
        "SELECT right(series_id::text, 1) || right(task_id::text, 1) AS pair, nominal::date::text AS day"
        " FROM occurrences WHERE status = 'open' ORDER BY 1"
    )
    await connection.close()

    assert series == ["ended", "active", "ended", "ended", "active"]
    assert [tuple(row) for row in open_ones] == [("22", "2031-03-01"), ("33", "2031-03-01"), ("55", "2031-03-01")]


BEFORE_TEMPLATE_DATES = """
    INSERT INTO users (id, created_at, updated_at, version, email, name, timezone, kind, status)
    VALUES ({id}, now(), now(), 1, 'ada@example.com', '', 'UTC', 'person', 'active');
    INSERT INTO series (id, created_at, updated_at, version, owner_id, owner_timezone, status, rrule, start, kind,
        anchor, on_invalid_date, on_missed, opens, lead_seconds, max_open, holidays, pauses, exceptions, template, n,
        failures)
    VALUES ({id}, now(), now(), 1, {id}, 'UTC', 'active', 'FREQ=DAILY', '2031-03-01', 'floating', 'schedule',
        'backward', 'keep_one', 'on_time', 0, 50, '{{}}', '[]', '{{}}', '{{"title": "Water"}}', 1, 0);
    INSERT INTO tasks (id, created_at, updated_at, version, owner_id, title, notes, status, priority, series_id,
        occurrence, due, start, deadline)
    VALUES ({id}, now(), now(), 1, {id}, 'Water', '', 'open', 0, {id}, '2031-03-01T09:00',
        '{{"kind": "floating", "at": "2031-03-01T09:00"}}', {start}, '2031-03-03');
    INSERT INTO occurrences (id, created_at, updated_at, version, series_id, nominal, task_id, status)
    VALUES ({id}, now(), now(), 1, {id}, '2031-03-01T09:00', {id}, 'open')"""


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ({"kind": "day", "date": "2031-02-27"}, {"kind": "day", "timezone": None, "seconds": -2 * 86_400}),
        (
            {"kind": "zoned", "at": "2031-02-28T18:00", "timezone": "Europe/Berlin"},
            {"kind": "zoned", "timezone": "Europe/Berlin", "seconds": -15 * 3600},
        ),
        (None, None),
    ],
    ids=["day", "time", "none"],
)
async def test_series_begun_before_take_over_the_dates_of_their_open_occurrence(
    empty_url: str, start: object, expected: object
) -> None:
    settings = settings_for(empty_url)
    await migrate.upgrade(settings, revision="0010")
    connection = await asyncpg.connect(empty_url)
    json_start = f"'{json.dumps(start)}'" if start else "NULL"
    await connection.execute(BEFORE_TEMPLATE_DATES.format(id=f"'{UUID(int=1)}'", start=json_start))

    await migrate.upgrade(settings, revision="0011")
    template = json.loads(await connection.fetchval("SELECT template FROM series"))
    await connection.close()

    assert template == {"title": "Water", "start_offset": expected, "deadline_offset_days": 2}


BEFORE_CONSTRAINTS = """
    INSERT INTO users (id, created_at, updated_at, version, email, name, timezone, kind, status,
        credential_version)
    VALUES ({id}, now(), now(), 1, 'ada@example.com', '', 'UTC', 'person', 'active', 1);
    INSERT INTO series (id, created_at, updated_at, version, owner_id, owner_timezone, status, rrule, start, kind,
        anchor, on_invalid_date, on_missed, opens, lead_seconds, max_open, holidays, pauses, exceptions, template, n,
        count, next_original_start, next_n, next_run_at, failures)
    SELECT gen_random_uuid(), now(), now(), 1, {id}, 'UTC', status, 'FREQ=DAILY', '2031-03-01', 'day', 'schedule',
        'backward', 'keep_one', 'either', 0, 50, '{{}}', '[]', '{{}}', template, 1, count, '2031-03-02', 2, run_at, 0
    FROM (VALUES
        ('paused', '{{"title": "Water"}}'::jsonb, NULL::int, now()),
        ('active', '{{"title": "Water"}}', 1, now()),
        ('active', '{{}}', NULL, now()),
        ('active', '{{"title": "Water"}}', NULL, NULL)
    ) AS given (status, template, count, run_at)"""


async def test_series_in_contradiction_are_repaired_before_the_database_refuses_them(empty_url: str) -> None:
    settings = settings_for(empty_url)
    await migrate.upgrade(settings, revision="0021")
    connection = await asyncpg.connect(empty_url)
    await connection.execute(BEFORE_CONSTRAINTS.format(id=f"'{UUID(int=1)}'"))

    await migrate.upgrade(settings, revision="0022")
    rows = await connection.fetch(
        "SELECT status, next_run_at IS NOT NULL AS goes_on, next_n FROM series ORDER BY 1, 2, 3"
    )
    await connection.close()

    assert [tuple(row) for row in rows] == [
        ("active", True, 2),
        ("ended", False, None),
        ("ended", False, None),
        ("paused", False, 2),
    ]
