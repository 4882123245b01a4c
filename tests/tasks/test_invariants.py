"""The invariants hold after ordinary work, and each finds the row that breaks it."""

import asyncpg
import pytest
from support.factories import Person
from support.invariants import broken
from support.series import Sql, act, begin, changed, day, floating

from todo.domain.tasks.series.invariants import INVARIANTS, WORKER_FOLLOWS

RULES = {rule.name: rule for rule in INVARIANTS}
SPOILED = {
    "occurrence_of_another_series": "UPDATE tasks SET series_id = NULL",
    "second_open_occurrence": """
        INSERT INTO occurrences (id, created_at, updated_at, version, series_id, original_start, task_id, status)
        SELECT gen_random_uuid(), now(), now(), 1, series_id, original_start + interval '1 year', task_id, 'open'
        FROM occurrences""",
    "open_occurrence_without_open_task": "UPDATE tasks SET deleted_at = now()",
    "open_task_without_open_occurrence": "UPDATE occurrences SET status = 'done'",
    "task_names_another_occurrence": "UPDATE tasks SET occurrence = '2031-01-01'",
    "series_stands_still": "UPDATE occurrences SET status = 'done'; UPDATE series SET next_run_at = NULL",
    "occurrence_beyond_count": "UPDATE series SET count = 1",
    "series_at_rest_goes_on": "UPDATE series SET status = 'ended'",
    "template_without_title": "UPDATE series SET template = '{}'",
    "series_in_old_time_zone": "UPDATE series SET owner_timezone = 'Pacific/Apia'",
    "series_without_vacation": "UPDATE series SET vacations = '[[]]'",
    "task_due_in_old_time_zone": "UPDATE tasks SET due_at = due_at + interval '1 hour'",
}
# What follows the owner within seconds, for which the database cannot wait.
EVENTUAL = {"series_in_old_time_zone", "series_without_vacation", "task_due_in_old_time_zone"}


async def test_every_invariant_holds_after_ordinary_work(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-03-01")
    await ada.add(due=floating("2031-03-30T02:30"))
    following = (await act(ada, task, "complete"))["next_task"]
    await changed(ada, following, {"title": "Water the roses"}, "all")
    await act(ada, following, "skip")
    await act(ada, task, "reopen")
    await act(ada, await ada.add(due=day("2031-03-01")), "complete")

    assert await broken(sql) == {}


@pytest.mark.parametrize("name", RULES)
async def test_an_invariant_finds_the_row_that_breaks_it_and_its_repair_puts_it_right(
    ada: Person, sql: Sql, name: str
) -> None:
    await begin(ada, "2031-03-01")
    transaction = sql.transaction()
    await transaction.start()
    try:
        await sql.execute("DROP INDEX uq_occurrences_open_task")
        await sql.execute(SPOILED[name])
        found = await broken(sql)
        for statement in RULES[name].repair:
            await sql.execute(statement)
        left = await broken(sql)
    finally:
        await transaction.rollback()

    assert len(found[name]) == 1
    assert name not in left or RULES[name].advice == WORKER_FOLLOWS


@pytest.mark.parametrize("name", sorted(RULES.keys() - EVENTUAL))
async def test_the_database_refuses_a_transaction_that_breaks_an_invariant(ada: Person, sql: Sql, name: str) -> None:
    await begin(ada, "2031-03-01")

    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await sql.execute(SPOILED[name])

    assert await broken(sql) == {}
