"""`todo migrate`."""

import asyncio
import subprocess
import sys
from urllib.parse import urlsplit

import asyncpg
from conftest import SECRET
from support.processes import started


def test_migrating_twice_changes_nothing_the_second_time(todo, empty_url: str) -> None:
    first = todo("migrate", TODO_DATABASE_URL=empty_url)
    second = todo("migrate", TODO_DATABASE_URL=empty_url)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.output.startswith("Upgraded to ")
    assert second.output.startswith("Nothing to do: ")


def test_check_says_what_is_pending_and_changes_nothing(todo, empty_url: str) -> None:
    pending = todo("migrate", "--check", TODO_DATABASE_URL=empty_url)
    again = todo("migrate", "--check", TODO_DATABASE_URL=empty_url)

    assert (pending.exit_code, again.exit_code) == (1, 1)
    assert pending.output == "Error: Migrations are pending: run `todo migrate`.\n"


def test_check_is_content_with_a_migrated_database(todo, url: str) -> None:
    assert todo("migrate", "--check", TODO_DATABASE_URL=url).exit_code == 0


def test_several_instances_may_migrate_at_once(tmp_path, empty_url: str) -> None:
    settings = {"TODO_DATABASE_URL": empty_url, "TODO_SECRET_KEY": SECRET}
    with started(tmp_path, "migrate", **settings) as one, started(tmp_path, "migrate", **settings) as other:
        codes = one.popen.wait(180), other.popen.wait(180)

    assert codes == (0, 0), one.output + other.output
    assert sorted(line.partition(" ")[0] for line in (one.output, other.output)) == ["Nothing", "Upgraded"]


def test_a_database_that_takes_no_changes_is_refused_in_a_sentence(todo, empty_url: str) -> None:
    async def make_read_only() -> None:
        connection = await asyncpg.connect(empty_url)
        name = urlsplit(empty_url).path.removeprefix("/")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        await connection.close()

    asyncio.run(make_read_only())

    done = todo("migrate", TODO_DATABASE_URL=empty_url)

    assert done.exit_code == 1
    assert done.output == "Error: The database is read-only: it is a replica, or a failover is in progress.\n"


def test_several_hosts_are_tried_in_occurrence(todo) -> None:
    done = todo("migrate", "--check", TODO_DATABASE_URL="postgresql://todo@127.0.0.1:1,127.0.0.1:2/todo")

    assert done.exit_code == 1
    assert done.output.startswith("Error: Cannot use the database: nobody listens at that address.")


def test_an_embedded_database_is_started_for_the_time_being(todo, tmp_path) -> None:
    first = todo("migrate")
    second = todo("migrate", "--check")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert not (tmp_path / "data/postgres/postmaster.pid").exists()


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "todo", "migrate", "--help"], capture_output=True, text=True, check=True
    )

    assert "todo migrate" in done.stdout
