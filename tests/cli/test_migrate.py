"""`todo migrate`."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from conftest import SECRET
from support.processes import started
from support.releases import NEXT, use_next_release

from todo.cli.migrate import KEEP, STOP
from todo.revisions import head, known


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


def test_it_goes_to_a_revision_and_shows_what_would_follow(todo, empty_url: str) -> None:
    first = todo("migrate", "--to", "0034", TODO_DATABASE_URL=empty_url)
    plan = todo("migrate", "--plan", "--to", "0036", TODO_DATABASE_URL=empty_url)
    pending = todo("migrate", "--check", TODO_DATABASE_URL=empty_url)
    sql = todo("migrate", "--sql", "--to", "0035", TODO_DATABASE_URL=empty_url)
    last = todo("migrate", TODO_DATABASE_URL=empty_url)

    assert (first.output, pending.exit_code) == ("Upgraded to 0034.\n", 1)
    assert plan.output.splitlines() == [
        "-- 0035 Sections of projects, with tasks and series in them.",
        "-- 0036 The order that people give tasks by hand.",
        STOP,
    ]
    assert "CREATE TABLE sections (" in sql.output
    assert last.output == f"Upgraded to {head()}.\n"
    assert todo("migrate", "--plan", TODO_DATABASE_URL=empty_url).output == "Nothing to do.\n"


def test_every_migration_has_sql_in_both_directions(todo, empty_url: str) -> None:
    up = todo("migrate", "--sql", TODO_DATABASE_URL=empty_url)
    todo("migrate", TODO_DATABASE_URL=empty_url)
    down = todo("migrate", "--sql", "--down", "0001", TODO_DATABASE_URL=empty_url)

    assert (up.exit_code, down.exit_code) == (0, 0)
    assert re.findall(r"^-- (\d{4}) ", up.output, re.MULTILINE) == sorted(known())
    assert re.findall(r"^-- undo (\d{4}) ", down.output, re.MULTILINE) == sorted(known() - {"0001"}, reverse=True)


def test_a_plan_says_whether_the_installed_version_goes_on(
    todo, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_next_release(tmp_path, monkeypatch, 'compatible_with = "{head}"')
    plan = todo("migrate", "--plan", TODO_DATABASE_URL=url)
    known.cache_clear()

    assert plan.output.splitlines() == [f"-- {NEXT} The column of the next release.", KEEP]


def test_going_back_asks_first(todo, url: str) -> None:
    refused = todo("migrate", "--down", "0035", TODO_DATABASE_URL=url, answers="n\n")
    still = todo("migrate", "--check", TODO_DATABASE_URL=url)
    done = todo("migrate", "--down", "0035", "--yes", TODO_DATABASE_URL=url)
    again = todo("migrate", "--down", "0035", TODO_DATABASE_URL=url)

    assert (refused.exit_code, still.exit_code) == (1, 0)
    assert refused.output.startswith("Undo ")
    assert "0036? Their tables and columns are dropped, with what they hold. [y/N]: n" in refused.output
    assert done.output == "Downgraded to 0035.\n"
    assert again.output == "Nothing to do: the schema is at 0035.\n"
    assert todo("migrate", TODO_DATABASE_URL=url).output == f"Upgraded to {head()}.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--to", "0035"], 1, "Error: The schema is at {head}: use `todo migrate --down 0035`."),
        (["--down", "9"], 1, "Error: There is no revision 9: this version knows 0001 to {head}."),
        (["--check", "--plan"], 2, "Use one of --check, --plan and --sql, and one of --to and --down."),
        (["--to", "0035", "--down", "0034"], 2, "Use one of"),
    ],
)
def test_what_cannot_be_is_refused(todo, url: str, arguments: list[str], code: int, said: str) -> None:
    done = todo("migrate", *arguments, TODO_DATABASE_URL=url)

    assert done.exit_code == code
    assert said.format(head=head()) in done.output


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
