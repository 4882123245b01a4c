"""Labels of tasks: which are accepted, what they are found by, and what carries them on."""

import json
from typing import Any, TypeAlias

import asyncpg
import pytest
from support.factories import Person
from support.series import day, work
from support.sharing import share

from todo.database import Database

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MONTHLY = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}


async def found(person: Person, query: str) -> list[str]:
    answer = await person.http.get(f"/api/tasks?{query}")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


async def test_labels_are_in_normal_form_and_once_whatever_their_case(ada: Person) -> None:
    task = await ada.add(labels=[" Home ", "home", "cafe\u0301", "CAFÉ", "two words"])

    assert task["labels"] == ["Home", "café", "two words"]
    cleared = await ada.http.patch(f"/api/tasks/{task['id']}", json={"labels": []})
    assert (cleared.json()["labels"], cleared.json()["version"]) == ([], 2)


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ([f"label {n}" for n in range(51)], "body.labels"), (["a" * 51], "body.labels.0"), ([""], "body.labels.0"),
        (["home", "a,b"], "body.labels.1"), (["\u200b"], "body.labels"), (["a\nb"], "body.labels.0"),
        (["\u0344" * 30], "body.labels"), ("home", "body.labels"), ([1], "body.labels.0"), (None, "body.labels"),
    ],
)  # fmt: skip
async def test_what_is_no_list_of_labels_is_refused(ada: Person, labels: Any, field: str) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "Paint", "labels": labels})

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])


async def test_fifty_labels_of_fifty_characters_are_accepted(ada: Person) -> None:
    labels = [f"{n:02}".ljust(50, "ä") for n in range(50)]

    assert (await ada.add(labels=labels))["labels"] == labels


async def test_tasks_are_found_by_all_of_some_labels_whatever_their_case(ada: Person, bob: Person) -> None:
    await ada.add("Paint", labels=["Home", "urgent"])
    await ada.add("Rake", labels=["home"], priority=4)
    await ada.add("home")
    await bob.add("Other", labels=["home"])

    assert await found(ada, "label=HOME") == ["Rake", "Paint"]
    assert await found(ada, "label=home&label=Urgent") == ["Paint"]
    assert await found(ada, "label=home&priority=4&sort=title") == ["Rake"]
    assert await found(ada, f"label=home&project_id={ada.id}") == ["Rake", "Paint"]
    assert await found(ada, "label=hom") == []
    assert (await ada.http.get("/api/tasks?label=home&count=true&limit=1")).json()["total"] == 2


@pytest.mark.parametrize("label", ["", "a" * 51, "a,b", "a%00b"])
async def test_a_question_for_what_is_no_label_is_refused(ada: Person, label: str) -> None:
    answer = await ada.http.get(f"/api/tasks?label={label}")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.label")


async def test_labels_are_found_in_shared_projects_while_they_are_shared(ada: Person, bob: Person, sql: Sql) -> None:
    house = (await ada.http.post("/api/projects", json={"name": "House"})).json()["id"]
    await ada.add("Paint", project_id=house, labels=["Home"])
    await ada.add("Private", labels=["home"])
    await bob.add("Own", labels=["home"])
    await share(sql, house, bob.id)

    assert await found(bob, "label=home") == ["Own", "Paint"]
    assert await found(bob, f"label=home&project_id={house}") == ["Paint"]
    assert await found(ada, f"label=home&project_id={house}") == ["Paint"]

    await ada.http.delete(f"/api/projects/{house}/members/{bob.id}")
    assert await found(bob, "label=home") == ["Own"]


async def test_a_series_gives_its_labels_to_the_next_occurrence(ada: Person) -> None:
    task = await ada.add(labels=["home"], **MONTHLY)
    await ada.add("Below", parent_id=task["id"], labels=["errand"])
    series = await ada.http.patch(f"/api/series/{task['series_id']}", json={"labels": ["Rent", "rent"]})
    assert series.json()["template"]["labels"] == ["Rent"]

    following = (await ada.http.post(f"/api/tasks/{task['id']}/complete")).json()["next_task"]

    assert following["labels"] == ["Rent"]
    assert await found(ada, "label=errand") == ["Below", "Below"]
    changed = await ada.http.patch(f"/api/tasks/{following['id']}?scope=all", json={"labels": ["flat"]})
    assert changed.json()["labels"] == ["flat"]
    assert (await ada.http.get(f"/api/series/{task['series_id']}")).json()["template"]["labels"] == ["flat"]


async def test_the_worker_gives_labels_to_what_it_opens(ada: Person, sql: Sql, database: Database) -> None:
    rule = {"rrule": "FREQ=DAILY", "on_missed": "backfill", "max_open": 3}
    task = await ada.add(due=day("2025-01-01"), recurrence=rule, labels=["home", "two words"])

    await work(database)

    labels = await sql.fetch("SELECT labels FROM tasks WHERE id <> $1", task["id"])
    assert [row["labels"] for row in labels] == [["home", "two words"]] * 2


async def test_a_series_from_before_labels_has_none(ada: Person, sql: Sql) -> None:
    task = await ada.add(**MONTHLY)
    await sql.execute("UPDATE series SET template = template - 'labels'")

    assert (await ada.http.get(f"/api/series/{task['series_id']}")).json()["template"]["labels"] == []
    following = (await ada.http.post(f"/api/tasks/{task['id']}/complete")).json()["next_task"]
    assert following["labels"] == []


async def test_a_change_of_labels_is_in_the_audit_log_and_counts_as_text(ada: Person, sql: Sql) -> None:
    async def storage() -> int:
        return int((await ada.http.get("/api/me/usage")).json()["storage"]["used"])

    task, before = await ada.add("a", labels=["home"]), await storage()

    await ada.http.patch(f"/api/tasks/{task['id']}", json={"labels": ["home", "büro"]})

    assert (before, await storage()) == (5, 10)
    assert await sql.fetchval("SELECT count(*) FROM miscounted_usage()") == 0
    event = await sql.fetchrow("SELECT before, after FROM audit_events WHERE action = 'tasks.change'")
    assert event is not None
    assert [json.loads(event[side]) for side in ("before", "after")] == [
        {"labels": ["home"]}, {"labels": ["home", "büro"]},
    ]  # fmt: skip


async def test_the_database_refuses_more_labels_than_the_contract(ada: Person, sql: Sql) -> None:
    await ada.add()

    with pytest.raises(asyncpg.CheckViolationError, match="ck_tasks_labels"):
        await sql.execute("UPDATE tasks SET labels = array_fill('a'::text, ARRAY[51])")
