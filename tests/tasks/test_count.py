"""COUNT counts occurrences from the first one, whatever is split, moved or re-based later."""

import random
from typing import Any

import pytest
from support.factories import Person
from support.series import Json, Sql, act, begin, changed, day, floating, series_of, steer, work

from todo.database import Database

# What came up in all series together; what a split takes back comes again at other times.
CAME_UP = "SELECT count(*) FROM occurrences WHERE status <> 'cancelled'"


async def complete_to_the_end(person: Person, task: Json | None) -> int:
    """How many occurrences there are from this one on."""
    number = 0
    while task is not None:
        task, number = (await act(person, task, "complete"))["next_task"], number + 1
        assert number < 30
    return number


async def completed(person: Person, task: Json, times: int) -> Json:
    for _ in range(times):
        task = (await act(person, task, "complete"))["next_task"]
    return task


async def test_a_series_split_twice_has_as_many_occurrences_as_its_rule_says(ada: Person, sql: Sql) -> None:
    task = await ada.add(due=floating("2031-01-01T08:00"), recurrence={"rrule": "FREQ=DAILY;COUNT=10"})
    fourth = await completed(ada, task, 3)
    fourth = await changed(ada, fourth, {"due": floating("2031-01-04T09:00")}, "following")
    sixth = await completed(ada, fourth, 2)
    sixth = await changed(ada, sixth, {"due": floating("2031-01-06T10:00")}, "following")

    assert (await series_of(ada, sixth))["occurrence_count"] == 6
    assert await complete_to_the_end(ada, sixth) == 5
    assert await sql.fetchval(CAME_UP) == 10


# What may be done to the occurrence that is open; each leaves COUNT alone.
CHANGES: list[tuple[str, Json]] = [
    ("following", {"due": 9}),
    ("following", {"due": 0}),
    ("following", {"title": "Roses"}),
    ("following", {"recurrence": {"rrule": "FREQ=DAILY;INTERVAL=2"}}),
    ("following", {"recurrence": {"anchor": "completion"}}),
    ("following", {"recurrence": {"anchor": "schedule"}}),
    ("all", {"due": 26}),
    ("all", {"recurrence": {"rrule": "FREQ=WEEKLY"}}),
    ("all", {"title": "Trees"}),
    ("this", {"due": 50}),
]


async def change(person: Person, task: Json, scope: str, body: Json) -> Json:
    """Carry out one of these; a due is given in hours from midnight of the day it is due now."""
    if "due" in body:
        date, hours = task["due"]["at"][:8], body["due"]
        here = int(task["due"]["at"][8:10]) + hours // 24
        body = {"due": floating(f"{date}{min(here, 28):02}T{hours % 24:02}:00")}
    return await changed(person, task, body, scope)


@pytest.mark.parametrize("seed", range(12))
async def test_any_number_of_splits_and_new_times_leaves_the_count_alone(ada: Person, sql: Sql, seed: int) -> None:
    dice = random.Random(seed)
    count = dice.randint(4, 8)
    task: Any = await ada.add(due=floating("2031-01-01T08:00"), recurrence={"rrule": f"FREQ=DAILY;COUNT={count}"})
    for _ in range(30):
        for scope, body in dice.sample(CHANGES, dice.randint(0, 3)):
            task = await change(ada, task, scope, body)
        verb = dice.choice(["complete", "skip"])
        following = (await act(ada, task, verb))["next_task"]
        if following and dice.random() < 0.2:
            await act(ada, task, "reopen")
            following = (await act(ada, task, verb))["next_task"]
        if following is None:
            break
        task = following

    assert await sql.fetchval(CAME_UP) == count


@pytest.mark.parametrize("seed", range(4))
async def test_splits_at_one_of_several_open_occurrences_leave_the_count_alone(
    ada: Person, sql: Sql, database: Database, seed: int
) -> None:
    dice = random.Random(seed)
    await ada.add(due=floating("2026-01-01T08:00"), recurrence={"rrule": "FREQ=DAILY;COUNT=7", "on_missed": "backfill"})
    await work(database)
    for hour in range(9, 13):
        open_ones = (await ada.http.get("/api/tasks?status=open&sort=due_at")).json()["items"]
        dice.shuffle(open_ones)
        if len(open_ones) > 1 and dice.random() < 0.5:
            await act(ada, open_ones.pop(), "complete")
        due = floating(f"{open_ones[0]['due']['at'][:11]}{hour:02}:00")
        await changed(ada, open_ones[0], dice.choice([{"due": due}, {"title": str(hour)}]), "following")
        await work(database)

    assert await sql.fetchval(CAME_UP) == 7


@pytest.mark.parametrize("body", [{"rrule": "FREQ=DAILY;COUNT=3"}, {"count": 3}], ids=["in the rule", "beside it"])
async def test_a_new_count_from_here_on_counts_from_this_occurrence(ada: Person, body: Json) -> None:
    third = await completed(ada, await begin(ada, "2031-01-01", "FREQ=DAILY;COUNT=10"), 2)

    handed = await changed(ada, third, {"recurrence": body}, "following")

    assert (await series_of(ada, handed))["occurrence_count"] == 1
    assert await complete_to_the_end(ada, handed) == 3


async def test_a_new_count_for_all_counts_from_the_first_occurrence(ada: Person) -> None:
    second = await completed(ada, await begin(ada, "2031-01-01", "FREQ=DAILY;COUNT=10"), 1)
    third = await changed(ada, await completed(ada, second, 1), {"due": day("2031-01-08")}, "following")

    await changed(ada, third, {"recurrence": {"count": 4}}, "all")

    assert await complete_to_the_end(ada, third) == 2


@pytest.mark.parametrize("end", [{"count": 1}, {"until": "2026-11-10"}], ids=["count", "until"])
async def test_an_end_that_comes_in_a_pause_also_ends_what_waits(
    ada: Person, sql: Sql, database: Database, end: Json
) -> None:
    task = await begin(ada, "2026-11-01", "FREQ=DAILY", anchor="completion")
    await steer(ada, task, "pause", {})
    await act(ada, task, "complete")

    await ada.http.patch(f"/api/series/{task['series_id']}", json=end)
    await steer(ada, task, "resume")
    await work(database)

    series = await series_of(ada, task)
    assert (series["status"], series["next_occurrence"]) == ("ended", None)
    assert await sql.fetchval(CAME_UP) == 1
