"""`todo doctor`: contradictions are found, and repaired with a trace."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from cli.test_series import filled  # noqa: F401 -- a fixture

from todo.domain.tasks.series.invariants import WORKER_FOLLOWS

UNCHECKED = "SET session_replication_role = replica"  # the database refuses what these tests write
ENDED = "SELECT id FROM series WHERE status = 'active' AND next_run_at IS NOT NULL ORDER BY id LIMIT 1"


def on(url: str, *statements: str) -> list[asyncpg.Record]:
    """The rows of the last statement."""

    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        found = [await connection.fetch(statement) for statement in statements]
        await connection.close()
        return found[-1]

    return asyncio.run(run())


def test_a_database_in_order_is_said_to_be(todo, filled: str) -> None:  # noqa: F811 -- the fixture
    done = todo("doctor", TODO_DATABASE_URL=filled)
    scripted = todo("doctor", "--json", TODO_DATABASE_URL=filled)

    assert (done.exit_code, done.output) == (0, "Everything is in order.\n")
    assert (scripted.exit_code, json.loads(scripted.output)) == (0, {"repaired": [], "violations": []})


@pytest.fixture
def broken(filled: str) -> tuple[str, str]:  # noqa: F811 -- the fixture
    """A database with a series that has ended and goes on, one whose template has no title, and a task in another
    time zone than its owner; the id of the first."""
    (row,) = on(
        filled,
        UNCHECKED,
        f"UPDATE series SET status = 'ended' WHERE id = ({ENDED}) RETURNING id",
        "UPDATE series SET template = template - 'title' WHERE status = 'active'",
        "UPDATE tasks SET due_at = due_at + interval '3 hours' WHERE due->>'kind' = 'day'",
        "SELECT id FROM series WHERE status = 'ended' AND next_run_at IS NOT NULL",
    )
    return filled, str(row["id"])


def test_each_kind_of_contradiction_is_one_line_with_what_to_do(todo, broken: tuple[str, str]) -> None:
    url, ended = broken

    done = todo("doctor", TODO_DATABASE_URL=url)

    lines = {line.partition(":")[0]: line for line in done.output.splitlines()}
    assert done.exit_code == 1
    assert lines.keys() == {
        "series_at_rest_goes_on", "template_without_title", "task_due_in_old_time_zone", "usage_miscounted",
    }  # fmt: skip
    assert lines["series_at_rest_goes_on"] == (
        f"series_at_rest_goes_on: 1 series ({ended}). Expected: A series that is paused or has ended has no time at"
        " which it goes on. Run `todo doctor --repair`."
    )


def test_what_counts_towards_quotas_is_recounted(todo, filled: str) -> None:  # noqa: F811 -- the fixture
    on(filled, "UPDATE usage_changes SET tasks = tasks + 1 WHERE id = (SELECT max(id) FROM usage_changes) RETURNING id")

    found = todo("doctor", TODO_DATABASE_URL=filled)
    repaired = todo("doctor", "--repair", TODO_DATABASE_URL=filled)

    assert (found.exit_code, found.output.partition(":")[0]) == (1, "usage_miscounted")
    assert repaired.exit_code == 0, repaired.output
    assert on(filled, "SELECT miscounted_usage()") == []
    assert len(on(filled, "SELECT FROM audit_events WHERE action = 'users.repair'")) == 1


def test_contradictions_are_for_scripts_too(todo, broken: tuple[str, str]) -> None:
    url, ended = broken

    done = todo("doctor", "--json", TODO_DATABASE_URL=url)

    found = {one["name"]: one for one in json.loads(done.output)["violations"]}
    assert done.exit_code == 1
    assert {name: found["series_at_rest_goes_on"][name] for name in ("table", "count", "ids")} == {
        "table": "series", "count": 1, "ids": [ended],
    }  # fmt: skip
    assert len(found["task_due_in_old_time_zone"]["ids"]) == 5 < found["task_due_in_old_time_zone"]["count"]


def test_repairs_name_the_operator_and_the_rest_is_left_to_the_worker(todo, broken: tuple[str, str]) -> None:
    url, ended = broken

    repaired = todo("doctor", "--repair", TODO_DATABASE_URL=url)
    todo("worker", "--once", TODO_DATABASE_URL=url)
    again = todo("doctor", "--repair", TODO_DATABASE_URL=url)

    assert repaired.exit_code == 1
    assert f"repaired series_at_rest_goes_on: series {ended}\n" in repaired.output
    assert repaired.output.splitlines()[-1].endswith(WORKER_FOLLOWS)
    assert (again.exit_code, again.output) == (0, "Everything is in order.\n")
    events = on(url, f"SELECT * FROM audit_events WHERE action = 'series.repair' AND subject_id = '{ended}'")
    assert [(row["actor_kind"], row["reason"], *sides(row)) for row in events] == [
        ("operator", "series_at_rest_goes_on", {"next_run_at"}, {"next_run_at": None})
    ]
    titles = on(url, "SELECT template->>'title' AS title FROM series WHERE status = 'active'")
    assert titles and all(row["title"] for row in titles)


def sides(row: Any) -> tuple[set[str], Any]:
    return set(json.loads(row["before"])), json.loads(row["after"])


def test_what_no_repair_fits_stays_and_is_said(todo, broken: tuple[str, str]) -> None:
    url, _ = broken
    series = on(url, "SELECT id FROM series WHERE status = 'active' ORDER BY id LIMIT 1")[0]
    on(url, UNCHECKED, f"UPDATE occurrences SET task_id = NULL WHERE series_id = '{series['id']}'")
    on(url, UNCHECKED, f"DELETE FROM tasks WHERE series_id = '{series['id']}'")

    done = todo("doctor", "--repair", TODO_DATABASE_URL=url)

    (line,) = [line for line in done.output.splitlines() if line.startswith("template_without_title")]
    assert done.exit_code == 1
    assert str(series["id"]) in line
    assert line.endswith("give the series a title with PATCH /api/series/{id}, or end it.")


def test_an_assignment_that_a_repair_ends_is_recorded_as_done_by_the_operator(todo, filled: str) -> None:  # noqa: F811 -- the fixture
    on(filled, UNCHECKED, "UPDATE tasks SET assignee_ids = ARRAY[gen_random_uuid(), gen_random_uuid()]")

    done = todo("doctor", "--repair", TODO_DATABASE_URL=filled)

    assert done.exit_code == 0, done.output
    found = on(
        filled, "SELECT DISTINCT source, actor_kind FROM audit_events WHERE after ? 'assignee_ids' AND source <> 'api'"
    )
    assert [tuple(row) for row in found] == [("cli", "operator")]
    assert on(filled, "SELECT count(*) FROM tasks WHERE assignee_ids <> '{}'")[0][0] == 0
