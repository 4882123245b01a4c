"""An import at the command line whose process is killed: no row is lost or added twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from conftest import SECRET, settings_for
from support.factories import PASSWORD
from support.processes import Process
from support.waiting import waiting_for_locks

from todo.database import Database

ROWS, FIRST = 230, 100
BEGUN = "SELECT count(*) FROM admin_runs WHERE done = $1"
FOUND = "SELECT count(*), count(DISTINCT title) FROM tasks"


@pytest.fixture
def users(todo, url: str) -> None:
    for name in ("ada", "bob"):
        made = todo("createsuperuser", "--email", f"{name}@example.com", "--password", PASSWORD, TODO_DATABASE_URL=url)
        assert made.exit_code == 0, made.output


@pytest.fixture
def command(users: None, tmp_path: Path) -> list[str]:
    """The first hundred tasks, which one transaction adds, are Ada's; one of Bob's has no title."""
    rows = [f"Task {n},{'ada' if n <= FIRST else 'bob'}@example.com" for n in range(1, ROWS)]
    (tmp_path / "plan.csv").write_text("\n".join(["title,owner_id", *rows, ",bob@example.com", ""]))
    return ["admin", "import", "tasks", str(tmp_path / "plan.csv"), "--apply", "--refused", str(tmp_path / "rest.csv")]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = await Database(settings_for(url)).open()
    yield database
    await database.close()


def started(url: str, tmp_path: Path, command: list[str]) -> Process:
    found = {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET, "TODO_DATA_DIR": str(tmp_path)}
    return Process(tmp_path, *command, **found, PYTHONPYCACHEPREFIX="")


async def killed(url: str, tmp_path: Path, command: list[str]) -> None:
    """Kill an import while it waits in the middle of its second transaction."""
    async with opened(url) as database, database.primary.pool.use() as sql:
        async with sql.transaction():
            await sql.execute("SELECT FROM users WHERE email = 'bob@example.com' FOR UPDATE")
            process = started(url, tmp_path, command)
            try:
                async with asyncio.timeout(60):
                    while not await sql.fetchval(BEGUN, FIRST):  # noqa: ASYNC110 -- another process
                        await asyncio.sleep(0.02)
                await waiting_for_locks(sql, 1)
            finally:
                process.popen.kill()
                process.popen.wait()
        assert tuple(await sql.fetchrow(FOUND)) == (FIRST, FIRST)
        assert tuple(await sql.fetchrow("SELECT status, done FROM admin_runs")) == ("running", FIRST)


async def rows_in(url: str) -> tuple[int, int]:
    async with opened(url) as database, database.primary.pool.use() as sql:
        return tuple(await sql.fetchrow(FOUND))


def test_an_import_that_is_killed_is_continued_by_the_same_command(
    todo, url: str, command: list[str], tmp_path: Path
) -> None:
    asyncio.run(killed(url, tmp_path, command))

    again = todo(*command, TODO_DATABASE_URL=url)

    what = f"continues after {FIRST} of {ROWS} rows"
    assert f"An import of this file has begun before, and {what}.\n" in again.stderr
    assert f"{ROWS - 1} added, 0 changed, 0 unchanged, 1 refused." in again.stdout
    assert (again.exit_code, asyncio.run(rows_in(url))) == (1, (ROWS - 1, ROWS - 1))
    assert len((tmp_path / "rest.csv").read_text().splitlines()) == 2
    assert todo(*command, TODO_DATABASE_URL=url).exit_code == 1  # its result is known: this is another import
    assert asyncio.run(rows_in(url)) == (2 * (ROWS - 1), ROWS - 1)


@pytest.mark.parametrize("rows", [50, ROWS])
def test_two_commands_at_the_same_time_import_a_file_once(
    url: str, command: list[str], tmp_path: Path, rows: int
) -> None:
    """Fifty rows are imported in the transaction that begins the import, more of them in those that follow."""
    file = tmp_path / "plan.csv"
    file.write_text("\n".join(file.read_text().splitlines()[: rows + 1]).replace("bob@", "ada@") + "\n")

    first, second = asyncio.run(at_the_same_time(url, tmp_path, command))

    assert "An import of this file has begun before, and " in first + second
    added = rows if rows < ROWS else rows - 1
    assert f"{added} added, 0 changed" in first and f"{added} added, 0 changed" in second
    assert asyncio.run(rows_in(url)) == (added, added)


async def at_the_same_time(url: str, tmp_path: Path, command: list[str]) -> list[str]:
    """Run a command twice: both have read the file before either begins to import it."""
    async with opened(url) as database, database.primary.pool.use() as sql, sql.transaction():
        await sql.execute("LOCK TABLE admin_import_rows IN SHARE MODE")
        processes = [started(url, tmp_path, command) for _ in range(2)]
        await waiting_for_locks(sql, 2, seconds=60)
    for process in processes:
        await asyncio.to_thread(process.popen.wait, 60)
    return [process.output for process in processes]
