"""Many requests at once about tasks that wait for each other, with subtasks and assignees: counters stay exact."""

import asyncio
import os
from random import Random
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from support.factories import Person
from support.invariants import broken
from support.sharing import project, share

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Task: TypeAlias = dict[str, Any]
SEEDS = range(int(os.environ.get("PEOPLE_SEEDS", "3")))


def step(random: Random, person: Person, tasks: list[Task], people: list[str]) -> Any:
    """A request that somebody makes; it may be refused."""
    one, other = (random.choice(tasks)["id"] for _ in range(2))
    path, http = f"/api/tasks/{one}", person.http
    return random.choice([
        lambda: http.post(f"{path}/complete?children={random.choice(['leave', 'complete'])}"),
        lambda: http.post(f"{path}/reopen"),
        lambda: http.post(f"{path}/cancel"),
        lambda: http.delete(path),
        lambda: http.post(f"/api/trash/{one}/restore"),
        lambda: http.patch(path, json={"parent_id": random.choice([None, other])}),
        lambda: http.post(f"{path}/dependencies", json={"blocker_id": other}),
        lambda: http.delete(f"{path}/dependencies/{other}"),
        lambda: http.patch(path, json={"assignee_ids": random.sample(people, random.randint(0, 2))}),
    ])()  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
async def test_counters_are_exact_whatever_happens_at_once(ada: Person, bob: Person, sql: Sql, seed: int) -> None:
    random, house = Random(seed), await project(ada, enforce_dependencies=seed % 2 == 0)
    await share(sql, house, bob.id, "editor")
    tasks = [await ada.add(f"Task {n}", project_id=house) for n in range(6)]

    for _ in range(8):
        requests = [step(random, random.choice([ada, bob]), tasks, [str(ada.id), str(bob.id)]) for _ in range(8)]
        answers: list[httpx.Response] = await asyncio.gather(*requests)

        assert [answer.text for answer in answers if answer.status_code >= 500] == []
        assert await broken(sql) == {}
        assert await sql.fetchval("SELECT count(*) FROM tasks WHERE waits_for(id, id)") == 0
