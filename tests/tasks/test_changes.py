"""Changing, closing, trashing tasks."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from support.factories import Person

FULL: dict[str, Any] = {
    "title": "Pay the rent",
    "notes": "before noon",
    "priority": 3,
    "status": "waiting",
    "due": {"kind": "day", "date": "2026-12-31"},
    "start": {"kind": "floating", "at": "2026-12-01T09:00"},
    "deadline": "2027-01-03",
    "estimate_minutes": 15,
}
UNTOUCHED = ("id", "created_at", "created_by")


async def test_a_task_holds_what_was_sent(ada: Person) -> None:
    task = await ada.add(**FULL)

    assert task.items() >= FULL.items()
    assert task["created_by"] == str(ada.id)
    assert UUID(task["id"]).version == 7
    assert task["created_at"].endswith("Z")


async def test_a_bare_task_holds_defaults(ada: Person) -> None:
    task = await ada.add("Pay")

    unset = {
        name: value
        for name, value in task.items()
        if name not in {"id", "title", "project_id", "position", "created_at", "updated_at", "created_by"}
    }
    assert unset == {
        "version": 1, "notes": "", "status": "open", "priority": 0, "due": None, "due_at": None,
        "overdue_at": None, "overdue": False, "start": None,
        "deadline": None, "estimate_minutes": None, "labels": [], "assignee_ids": [], "section_id": None,
        "parent_id": None, "series_id": None, "occurrence": None, "completed_at": None,
        "blocked": False, "progress": None,
    }  # fmt: skip
    assert {task["project_id"], task["created_by"]} == {str(ada.id)}


@pytest.mark.parametrize("title", ["a" * 500, "𝄞 und Ümläute", "👩‍👩‍👧", "'; DROP TABLE tasks; --", "a\u2028b", "𝐀"])
async def test_any_line_is_a_title(ada: Person, title: str) -> None:
    task = await ada.add(title)

    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json()["title"] == title


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "Other"), ("notes", ""), ("priority", 0), ("status", "in_progress"),
        ("due", {"kind": "day", "date": "2027-01-01"}), ("start", None), ("deadline", "2027-02-01"), ("deadline", None),
        ("estimate_minutes", 30), ("estimate_minutes", None), ("due", None),
    ],
)  # fmt: skip
async def test_a_change_changes_what_was_sent_and_nothing_else(ada: Person, field: str, value: object) -> None:
    task = await ada.add(**FULL)

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={field: value})

    changed = answer.json()
    different = {name for name in task if task[name] != changed[name]}
    assert answer.status_code == 200
    assert changed[field] == value
    assert different - {"due_at", "overdue_at", "overdue"} == {field, "version", "updated_at"}
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json() == changed


async def test_an_empty_change_changes_nothing(ada: Person) -> None:
    task = await ada.add(**FULL)

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={})

    assert (answer.status_code, answer.json()) == (200, task)


@pytest.mark.parametrize("field", ["title", "notes", "priority", "status"])
async def test_what_cannot_be_empty_cannot_be_cleared(ada: Person, field: str) -> None:
    task = await ada.add(**FULL)

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={field: None})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


@pytest.mark.parametrize(
    "field",
    ["id", "version", "owner_id", "created_by", "due_at", "overdue_at", "completed_at", "series_id", "x"],
)
async def test_what_is_not_the_clients_to_set_is_refused(ada: Person, field: str) -> None:
    task = await ada.add()

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "b", field: None})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


@pytest.mark.parametrize("status", ["done", "cancelled"])
async def test_a_task_is_not_closed_by_a_change(ada: Person, status: str) -> None:
    task = await ada.add()

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"status": status})

    assert answer.status_code == 422


async def test_two_changes_at_once_both_count(ada: Person) -> None:
    task = await ada.add()

    await asyncio.gather(
        *(ada.http.patch(f"/api/tasks/{task['id']}", json=change) for change in ({"title": "b"}, {"notes": "c"}))
    )

    after = (await ada.http.get(f"/api/tasks/{task['id']}")).json()
    assert (after["title"], after["notes"], after["version"]) == ("b", "c", 3)


async def test_of_many_conditional_changes_at_once_one_succeeds(ada: Person) -> None:
    task = await ada.add()

    answers = await asyncio.gather(
        *(
            ada.http.patch(f"/api/tasks/{task['id']}", json={"title": f"b{n}"}, headers={"if-match": '"1"'})
            for n in range(10)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_completing_closes(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.post(f"/api/tasks/{task['id']}/complete")

    done = answer.json()
    assert (answer.status_code, done["status"], done["next_task"], done["version"]) == (200, "done", None, 2)
    assert done["completed_at"] >= task["created_at"]
    assert answer.headers["etag"] == '"2"'


async def test_completing_twice_is_a_conflict(ada: Person) -> None:
    task = await ada.add()
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    again = await ada.http.post(f"/api/tasks/{task['id']}/complete")

    assert again.status_code == 409


async def test_reopening_opens_again(ada: Person) -> None:
    task = await ada.add()
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    answer = await ada.http.post(f"/api/tasks/{task['id']}/reopen")

    assert (answer.status_code, answer.json()["status"], answer.json()["completed_at"]) == (200, "open", None)


async def test_reopening_what_is_open_is_a_conflict(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.post(f"/api/tasks/{task['id']}/reopen")

    assert answer.status_code == 409


async def test_the_status_of_a_closed_task_is_not_changed(ada: Person) -> None:
    task = await ada.add()
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"status": "open"})

    assert answer.status_code == 409


async def test_the_notes_of_a_closed_task_are(ada: Person) -> None:
    task = await ada.add()
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"notes": "paid in cash"})

    assert (answer.status_code, answer.json()["status"]) == (200, "done")


async def test_a_deleted_task_is_in_the_trash_and_nowhere_else(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.delete(f"/api/tasks/{task['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).status_code == 404
    assert (await ada.http.get("/api/tasks?count=true")).json()["total"] == 0
    trash = (await ada.http.get("/api/trash?count=true")).json()
    assert ([item["id"] for item in trash["items"]], trash["total"]) == ([task["id"]], 1)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "", {"title": "b"}), ("DELETE", "", None), ("POST", "/complete", None), ("POST", "/reopen", None)],
)
async def test_what_is_in_the_trash_cannot_be_worked_on(ada: Person, method: str, path: str, body: Any) -> None:
    task = await ada.add()
    await ada.http.delete(f"/api/tasks/{task['id']}")

    answer = await ada.http.request(method, f"/api/tasks/{task['id']}{path}", json=body)

    assert answer.status_code == 404


async def test_a_restored_task_is_as_it_was(ada: Person) -> None:
    task = await ada.add(**FULL)
    await ada.http.delete(f"/api/tasks/{task['id']}")

    answer = await ada.http.post(f"/api/trash/{task['id']}/restore")

    restored = answer.json()
    assert answer.status_code == 200
    assert {name for name in task if task[name] != restored[name]} == {"version", "updated_at"}
    assert (await ada.http.get("/api/trash")).json()["items"] == []


async def test_what_is_not_in_the_trash_cannot_be_restored(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.post(f"/api/trash/{task['id']}/restore")

    assert answer.status_code == 404


async def test_the_trash_shows_the_last_deleted_first_page_by_page(ada: Person) -> None:
    tasks = [await ada.add(str(n)) for n in range(5)]
    for task in tasks:
        await ada.http.delete(f"/api/tasks/{task['id']}")

    found, cursor = [], ""
    while cursor is not None:
        page = (await ada.http.get("/api/trash?limit=2" + (cursor and f"&cursor={cursor}"))).json()
        found += [item["title"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert found == ["4", "3", "2", "1", "0"]
