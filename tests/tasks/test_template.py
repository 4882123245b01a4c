"""What later occurrences take along: nothing that happens to one task takes it from them."""

from datetime import timedelta
from typing import Any

from factories import Person
from tasks.series_helpers import Json, Sql, act, begin, changed, open_turns, steer, work

from todo.database import Database
from todo.domain.tasks.services.purging import purge

PARENTS = "SELECT title, (SELECT title FROM tasks WHERE id = child.parent_id) AS parent FROM tasks AS child"
LATER = f"{PARENTS} WHERE parent_id IS NOT NULL AND deleted_at IS NULL ORDER BY 1"
AGE = "UPDATE tasks SET deleted_at = deleted_at - interval '60 days'"


async def begin_with_subtasks(person: Person, **recurrence: Any) -> Json:
    """A series of days that are long past, one of them open at a time, with a subtask and one below that."""
    task = await begin(person, "2025-01-01", **({"on_missed": "backfill", "max_open": 1} | recurrence))
    child = await person.add("Sweep", parent_id=task["id"])
    await person.add("Under the bed", parent_id=child["id"])
    return task


async def subtasks(sql: Sql) -> list[tuple[str, str]]:
    """Every subtask that is not in the trash, with what it is below."""
    return [(row["title"], row["parent"]) for row in await sql.fetch(LATER)]


WITH_BOTH = [("Sweep", "Water the plants"), ("Under the bed", "Sweep")]


async def delete(person: Person, task: Json) -> None:
    assert (await person.http.delete(f"/api/tasks/{task['id']}")).status_code == 204


async def empty_trash(database: Database) -> int:
    async with database.session() as session:
        return await purge(session, timedelta(days=30), 1_000)


async def test_deleting_an_occurrence_in_a_pause_keeps_the_subtasks_of_the_later_ones(
    ada: Person, sql: Sql, database: Database
) -> None:
    task = await begin_with_subtasks(ada)
    await steer(ada, task, "pause", {})
    await delete(ada, task)
    assert await subtasks(sql) == []

    await steer(ada, task, "resume")
    await work(database)

    assert await subtasks(sql) == WITH_BOTH


async def test_deleting_an_occurrence_that_was_done_in_a_pause_keeps_them_too(
    ada: Person, sql: Sql, database: Database
) -> None:
    task = await begin_with_subtasks(ada)
    await steer(ada, task, "pause", {})
    await act(ada, task, "complete")
    await delete(ada, task)

    await steer(ada, task, "resume")
    await work(database)

    assert await subtasks(sql) == WITH_BOTH


async def test_deleting_the_last_of_several_open_occurrences_keeps_them_too(
    ada: Person, sql: Sql, database: Database
) -> None:
    first = await begin_with_subtasks(ada, rrule="FREQ=YEARLY", max_open=3)
    await work(database)
    second = (await ada.http.get(f"/api/tasks?series_id={first['series_id']}&sort=-due_at")).json()["items"][0]
    await delete(ada, second)

    await changed(ada, first, {"recurrence": {"lead_seconds": 366 * 86_400}})
    await work(database)

    assert await open_turns(ada) == ["2025-01-01", "2027-01-01"]
    assert await subtasks(sql) == sorted(WITH_BOTH * 2)


async def test_what_was_deleted_before_its_parent_stays_away(ada: Person, sql: Sql, database: Database) -> None:
    task = await begin_with_subtasks(ada)
    await delete(ada, await ada.add("Once", parent_id=task["id"]))
    await steer(ada, task, "pause", {})
    await delete(ada, task)

    await steer(ada, task, "resume")
    await work(database)

    assert await subtasks(sql) == WITH_BOTH


async def test_emptying_the_trash_in_a_long_pause_keeps_what_the_next_occurrence_copies(
    ada: Person, sql: Sql, database: Database
) -> None:
    task = await begin_with_subtasks(ada)
    await steer(ada, task, "pause", {})
    await delete(ada, task)
    await sql.execute(AGE)

    assert await empty_trash(database) == 0
    await steer(ada, task, "resume")
    await work(database)

    assert await subtasks(sql) == WITH_BOTH
    assert await empty_trash(database) == 3


async def test_emptying_the_trash_deletes_what_a_series_has_no_use_for(
    ada: Person, sql: Sql, database: Database
) -> None:
    ended, going = await begin_with_subtasks(ada), await begin_with_subtasks(ada)
    await delete(ada, await ada.add("Once", parent_id=going["id"]))
    await delete(ada, await ada.add("Plain"))
    await delete(ada, ended)
    await steer(ada, ended, "end", {"open": "cancel"})
    await sql.execute(AGE)

    assert await empty_trash(database) == 8

    left = await sql.fetch("SELECT series_id FROM tasks WHERE parent_id IS NULL")
    assert [str(row["series_id"]) for row in left] == [going["series_id"]]
