"""Lists: filtered, in every order, page by page, losing and doubling nothing."""

import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import pytest
from support.factories import Person

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Task: TypeAlias = dict[str, Any]

FAR = "9999-12-31T00:00:00Z"
VALUE: dict[str, Callable[[Task], Any]] = {
    "id": lambda task: task["id"],
    "created_at": lambda task: datetime.fromisoformat(task["created_at"]),
    "updated_at": lambda task: datetime.fromisoformat(task["updated_at"]),
    "completed_at": lambda task: task["completed_at"] or "",
    "priority": lambda task: task["priority"],
    "due_at": lambda task: task["due_at"] or FAR,
    "start": lambda task: (task["start"] or {}).get("at") or (task["start"] or {}).get("date") or FAR,
    "deadline": lambda task: task["deadline"] or FAR,
    "title": lambda task: task["title"].lower(),
    "status": lambda task: task["status"],
}
SINGLE = [sign + name for name in VALUE if name != "id" for sign in ("", "-")]
SEVERAL = ["-priority,due_at", "priority,-due_at", "priority,-due_at,-id", "created_at,id", "status,created_at"]
# What ties of an order are sorted by before their id.
THEN = {"priority": "-due_at", "-priority": "due_at", "status": "created_at", "-status": "-created_at"}
STARTS = [None, {"kind": "day", "date": "2026-01-02"}, {"kind": "floating", "at": "2026-01-02T09:00"}]


@pytest.fixture
async def tasks(ada: Person, sql: Sql) -> list[Task]:
    """Fourteen tasks with many ties, also of the moments they were made and changed."""
    for n in range(14):
        due = {"kind": "day", "date": f"2026-01-{n % 4 + 1:02}"} if n % 3 else None
        deadline = f"2026-01-{n % 2 + 1:02}" if n % 4 else None
        title = f"{'aBÄ'[n % 3]}{n}"
        task = await ada.add(title, priority=n % 3, due=due, start=STARTS[n % 3], deadline=deadline)
        if n % 5 == 0:
            await ada.http.post(f"/api/tasks/{task['id']}/complete")
    await sql.execute(
        "UPDATE tasks SET created_at = date_trunc('minute', created_at) + n % 2 * interval '1 minute',"
        " updated_at = date_trunc('minute', updated_at) + n % 5 * interval '1 microsecond'"
        " FROM (SELECT id AS it, substr(title, 2)::int AS n FROM tasks) AS given WHERE id = it"
    )
    found: list[Task] = (await ada.http.get("/api/tasks?limit=200")).json()["items"]
    return found


def in_order(tasks: list[Task], sort: str) -> list[Task]:
    """Sorted as the contract says: ties end on id, in the direction of the last field."""
    names = [*sort.split(","), *([THEN[sort]] if sort in THEN else [])]
    names.append("-id" if names[-1].startswith("-") else "id")
    for name in reversed(names):
        tasks = sorted(tasks, key=VALUE[name.removeprefix("-")], reverse=name.startswith("-"))
    return tasks


async def pages(person: Person, query: str, limit: int) -> list[Task]:
    found: list[Task] = []
    cursor = ""
    while cursor is not None:
        answer = await person.http.get(f"/api/tasks?limit={limit}&{query}" + (cursor and f"&cursor={cursor}"))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        assert len(found) <= 200
        found += page["items"]
        cursor = page["next_cursor"]
    return found


@pytest.mark.parametrize("sort", SINGLE + SEVERAL)
async def test_every_order_pages_through_everything_once(ada: Person, tasks: list[Task], sort: str) -> None:
    found = await pages(ada, f"sort={sort}", 3)

    assert [task["title"] for task in found] == [task["title"] for task in in_order(tasks, sort)]


@pytest.mark.parametrize("limit", [1, 7, 13, 14, 200])
async def test_every_length_of_page_does(ada: Person, tasks: list[Task], limit: int) -> None:
    found = await pages(ada, "", limit)

    assert found == in_order(tasks, "-created_at")


async def test_the_last_page_says_that_it_is(ada: Person, tasks: list[Task]) -> None:
    answer = await ada.http.get(f"/api/tasks?limit={len(tasks)}")

    assert answer.json()["next_cursor"] is None


async def test_a_page_holds_fifty_unless_said_otherwise(ada: Person, sql: Sql) -> None:
    await ada.add()
    await sql.execute(
        "INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,"
        " status, priority) SELECT gen_random_uuid(), now(), now(), 1, owner_id, owner_id, owner_id, n, '',"
        " 'open', 0 FROM tasks, generate_series(1, 60) n"
    )

    page = (await ada.http.get("/api/tasks?count=true")).json()

    assert (len(page["items"]), page["total"]) == (50, 61)


@pytest.mark.parametrize("sort", ["-created_at", "created_at", "-priority,due_at"])
async def test_what_is_added_and_deleted_meanwhile_moves_no_page(ada: Person, tasks: list[Task], sort: str) -> None:
    expected = in_order(tasks, sort)
    first = (await ada.http.get(f"/api/tasks?limit=5&sort={sort}")).json()
    added = {(await ada.add("new", priority=n))["id"] for n in range(3)}
    await ada.http.delete(f"/api/tasks/{expected[0]['id']}")
    await ada.http.delete(f"/api/tasks/{expected[4]['id']}")  # the one the cursor stands on

    rest = (await ada.http.get(f"/api/tasks?limit=200&sort={sort}&cursor={first['next_cursor']}")).json()["items"]

    seen = [task["id"] for task in first["items"] + rest]
    assert len(seen) == len(set(seen))
    assert [task_id for task_id in seen if task_id not in added] == [task["id"] for task in expected]


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ("status=open", lambda task: task["status"] == "open"),
        ("status=done", lambda task: task["status"] == "done"),
        ("status=done&status=waiting", lambda task: task["status"] in {"done", "waiting"}),
        ("status=cancelled", lambda task: False),
        ("priority=0", lambda task: task["priority"] == 0),
        ("priority=2", lambda task: task["priority"] == 2),
        ("due_before=2026-01-02T00:00:00%2B01:00", lambda task: (task["due_at"] or FAR) < "2026-01-01T23:00:00Z"),
        ("due_after=2026-01-02T00:00:00%2B01:00", lambda task: FAR > (task["due_at"] or FAR) >= "2026-01-01T23:00:00Z"),
        ("due_after=2026-01-01T23:00:00Z&due_before=2026-01-02T23:00:00Z&priority=1",
         lambda task: task["due_at"] == "2026-01-01T23:00:00Z" and task["priority"] == 1),
        ("series_id=0190f5f0-7c1d-7000-8000-000000000000", lambda task: False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_filters_keep_what_matches_and_count_it(
    ada: Person, tasks: list[Task], query: str, keep: Callable[[Task], bool]
) -> None:
    await ada.http.post(f"/api/tasks/{tasks[0]['id']}/complete")
    await ada.http.patch(f"/api/tasks/{tasks[1]['id']}", json={"status": "waiting"})
    order = "due_at" if "due_" in query else "created_at"
    everything = (await ada.http.get(f"/api/tasks?limit=200&sort={order}")).json()["items"]
    expected = [task for task in everything if keep(task)]

    found = await pages(ada, f"{query}&sort={order}", 2)
    total = (await ada.http.get(f"/api/tasks?limit=1&count=true&{query}")).json()["total"]

    assert found == expected
    assert total == len(expected)


async def test_the_tasks_of_a_series_are_found(ada: Person) -> None:
    await ada.add("Other")
    task = await ada.add(due={"kind": "day", "date": "2031-01-01"}, recurrence={"rrule": "FREQ=DAILY"})
    done = (await ada.http.post(f"/api/tasks/{task['id']}/complete")).json()

    found = (await ada.http.get(f"/api/tasks?series_id={task['series_id']}&sort=due_at")).json()["items"]

    assert [item["id"] for item in found] == [task["id"], done["next_task"]["id"]]


async def test_only_those_who_ask_get_a_count(ada: Person) -> None:
    page = (await ada.http.get("/api/tasks")).json()

    assert page == {"items": [], "next_cursor": None}


def cursor_of(*position: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).rstrip(b"=").decode()


NOW, SOME_ID = "2026-01-01T00:00:00Z", "0190f5f0-7c1d-7000-8000-000000000000"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!!",
        "a",
        "%00",
        "%ff",
        "ü",
        "bnVsbA",
        "e30",
        "W10",
        "WzFd",
        cursor_of(NOW, SOME_ID),
        cursor_of("-created_at", NOW, SOME_ID),
        cursor_of("-created_at,-id", NOW),
        cursor_of("-created_at,-id", NOW, SOME_ID, SOME_ID),
        cursor_of("-created_at,-id", NOW, 1),
        cursor_of("-created_at,-id", NOW, "1"),
        cursor_of("-created_at,-id", None, SOME_ID),
        cursor_of("-created_at,-id", "2026-01-01T00:00:00", SOME_ID),
        cursor_of("-created_at,-id", "2026-01-01", SOME_ID),
        cursor_of("-created_at,-id", 10**30, SOME_ID),
        cursor_of("-created_at,-id", {"$gt": ""}, SOME_ID),
        "W" * 500,
        base64.urlsafe_b64encode(b"[" * 370).decode(),
    ],
)
async def test_what_is_no_cursor_is_refused(ada: Person, cursor: str) -> None:
    answer = await ada.http.get(f"/api/tasks?cursor={cursor}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["query.cursor"]


@pytest.mark.parametrize("value", [10**30, 2**31, -(2**40)])
async def test_a_position_no_row_can_have_is_refused(ada: Person, value: int) -> None:
    cursor = cursor_of("priority,-due_at,-id", value, NOW, SOME_ID)

    answer = await ada.http.get(f"/api/tasks?sort=priority&cursor={cursor}")

    assert answer.status_code == 422


@pytest.mark.parametrize("sort", ["created_at", "-updated_at", "-due_at", "-priority", "title"])
async def test_a_cursor_of_another_order_is_refused(ada: Person, tasks: list[Task], sort: str) -> None:
    cursor = (await ada.http.get("/api/tasks?limit=1")).json()["next_cursor"]

    answer = await ada.http.get(f"/api/tasks?sort={sort}&cursor={cursor}")

    assert answer.status_code == 422


async def test_a_cursor_of_the_same_order_in_other_words_is_not(ada: Person, tasks: list[Task]) -> None:
    cursor = (await ada.http.get("/api/tasks?limit=1")).json()["next_cursor"]

    answer = await ada.http.get(f"/api/tasks?sort=-created_at,-id&cursor={cursor}")

    assert answer.status_code == 200
