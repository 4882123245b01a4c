"""A list looks through its first rows for what many may have; which way it takes does not show in what it finds."""

from itertools import product
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from support.factories import Person
from support.sharing import share

from todo.access import Actor
from todo.database import Database
from todo.domain.tasks.controllers.list_parameters import filtered
from todo.domain.tasks.queries import COLUMNS, Lists, TaskReads, lists_of, task_row
from todo.listing import statements

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
TITLES = [f"Paint {number:02}" for number in range(12)]


LABELED = [title for number, title in enumerate(TITLES) if number < 2 or number % 3 == 0]
ASSIGNED = [title for number, title in enumerate(TITLES) if title in LABELED or number % 2]
IMPORTANT = [title for number, title in enumerate(TITLES) if number % 2]
ASKED: list[tuple[dict[str, Any], list[str]]] = [
    ({"label": ["fÄRBEN"]}, LABELED),
    ({"label": ["färben", 'X "Y"']}, LABELED),
    ({"label": ["färben", "x"]}, []),
    ({"label": ["other"]}, []),
    ({"assignee": ["me"]}, ASSIGNED),
    ({"assignee": ["me"], "label": ["färben"], "priority": 1}, [title for title in IMPORTANT if title in LABELED]),
    ({"q": "'paint'"}, TITLES),
    ({"q": "'paint' & !'03'", "label": ["färben"]}, [title for title in LABELED if title != "Paint 03"]),
]


async def pages(reads: TaskReads, lists: Lists, filters: dict[str, Any], limit: int, **options: Any) -> list[str]:
    """The titles on all pages."""
    found, cursor, is_first = [], None, True
    while cursor is not None or is_first:
        page = await reads.page(filters, lists, cursor=cursor, limit=limit, **options)
        assert len(page.items) <= limit
        found += [task.title for task in page.items]
        cursor, is_first = page.next_cursor, False
    return found


def ordered(titles: list[str], sort: str) -> list[str]:
    if sort == "-priority":
        return sorted(titles, key=lambda title: title not in IMPORTANT)
    return titles[::-1] if sort.startswith("-") else titles


@pytest.mark.parametrize(("most", "most_found"), [(2, 0), (4, 3), (7, 100), (100, 100)])
async def test_every_page_has_what_matches_in_order(
    ada: Person, database: Database, monkeypatch: pytest.MonkeyPatch, most: int, most_found: int
) -> None:
    monkeypatch.setattr(statements, "WALK", most)
    monkeypatch.setattr(statements, "MOST_FOUND", most_found)
    lists, reads = lists_of(task_row, COLUMNS), TaskReads(database.reads, Actor(id=ada.id, name="ada"))
    for title in TITLES:
        labels = ["Färben", 'x "y"'] if title in LABELED else ["x"] if title in ASSIGNED else []
        assigned = [str(ada.id)] if title in ASSIGNED else []
        await ada.add(title, labels=labels, assignee_ids=assigned, priority=int(title in IMPORTANT))

    for (asked, titles), sort, limit in product(ASKED, ["-created_at", "title", "-priority"], [1, 3, 50]):
        values = asked | ({"assignee": [ada.id]} if "assignee" in asked else {})
        assert await pages(reads, lists, values, limit, sort=sort) == ordered(titles, sort), (asked, sort, limit)


ADD = """
    INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes, status,
        priority, due, due_at, overdue_at, labels, assignee_ids)
    SELECT gen_random_uuid(), at, at, 1, $1, $2, $1, $3 || n, '', CASE WHEN n % 3 = 0 THEN 'open' ELSE 'done' END,
        n % 3, CASE WHEN n % 2 = 0 THEN '{"kind": "floating", "at": "2026-01-01T09:00"}'::jsonb END,
        CASE WHEN n % 2 = 0 THEN at END, CASE WHEN n % 2 = 0 THEN at END,
        CASE WHEN n % 5 = 1 OR n > 20 THEN '{often}' ELSE '{}' END::text[],
        CASE WHEN n % 4 = 1 THEN ARRAY[$4::uuid] ELSE '{}' END
    FROM (SELECT n, now() - (40 - n) * $6 * interval '1 hour' AS at FROM generate_series(1, $5::int) AS n) AS rows"""
ORDERS = {
    "-created_at": ("created_at DESC", "DESC"),
    "due_at": ("coalesce(due_at, '9999-12-31 00:00:00+00')", ""),
    "-priority": ("priority DESC, coalesce(due_at, '9999-12-31 00:00:00+00')", ""),
}
QUESTIONS: list[tuple[dict[str, Any], str | None, str]] = [
    ({}, None, "true"),
    ({"label": ["often"]}, None, "labels = '{often}'"),
    ({"assignee": ["me"]}, None, "assignee_ids <> '{}'"),
    ({"unassigned": True}, None, "assignee_ids = '{}'"),
    ({"label": ["often"], "only_status": "open"}, None, "labels = '{often}' AND status = 'open'"),
    ({"unassigned": True, "label": ["often"]}, None, "labels = '{often}' AND assignee_ids = '{}'"),
    ({"q": "'of'"}, None, "true"),
    ({}, "label = often", "labels = '{often}'"),
    ({}, "label = often and closed and assignee = me",
     "labels = '{often}' AND status = 'done' AND assignee_ids <> '{}'"),
    ({"assignee": ["me"]}, "not label = often or priority = low",
     "assignee_ids <> '{}' AND (labels = '{}' OR priority = 1)"),
    ({}, "assignee != me and label = often", "assignee_ids = '{}' AND labels = '{often}'"),
    ({}, "label != often and assignee = me", "assignee_ids <> '{}' AND labels = '{}'"),
    ({}, "label = often or assignee = me", "labels = '{often}' OR assignee_ids <> '{}'"),
]  # fmt: skip


@pytest.mark.parametrize(("walk", "few", "most_found"), [(5, 1, 0), (12, 2, 8), (2_000, 25, 2_000)])
async def test_what_is_shared_is_found_in_order_however_much_of_each_project_is_read(
    ada: Person, bob: Person, database: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch,
    walk: int, few: int, most_found: int,
) -> None:  # fmt: skip
    for name, value in {"WALK": walk, "FEW": few, "FEW_WALKED": few, "MOST_FOUND": most_found}.items():
        monkeypatch.setattr(statements, name, value)
    actor = Actor(id=ada.id, name="ada", timezone="Europe/Berlin")
    lists, reads = lists_of(task_row, COLUMNS), TaskReads(database.reads, actor)
    await sql.execute(ADD, ada.id, ada.id, "of ada ", ada.id, 12, 3)
    for name, tasks, hours in [("busy", 33, 1), ("quiet", 9, 7), ("slow", 5, 2), ("empty", 0, 1)]:
        project = (await bob.http.post("/api/projects", json={"name": name})).json()["id"]
        await share(sql, project, ada.id)
        await sql.execute(ADD, bob.id, UUID(project), f"of {name} ", ada.id, tasks, hours)

    for (asked, text, condition), sort, limit in product(QUESTIONS, ORDERS, [7, 50]):
        order, last = ORDERS[sort]
        found = await sql.fetch(f"SELECT title FROM tasks WHERE {condition} ORDER BY {order}, id {last}")
        values = asked | ({"assignee": [ada.id]} if "assignee" in asked else {})
        options = filtered(text, actor, values, sort)
        titles = await pages(reads, lists, values, limit, asked=[str(asked), text], **options)
        assert titles == [row["title"] for row in found], (asked, text, sort, limit)
