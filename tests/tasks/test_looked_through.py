"""A list looks through its first rows for what many may have; which way it takes does not show in what it finds."""

from itertools import product
from typing import Any

import pytest
from support.factories import Person

from todo import listing
from todo.access import Actor
from todo.database import Database
from todo.domain.tasks.queries import COLUMNS, Lists, TaskReads, lists_of, task_row

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


async def pages(reads: TaskReads, lists: Lists, asked: dict[str, Any], **options: Any) -> list[str]:
    """The titles on all pages."""
    found, cursor = [], None
    while cursor is not None or not found:
        page = await reads.page(asked, lists, cursor=cursor, **options)
        found += [task.title for task in page.items]
        cursor = page.next_cursor
        if not page.items:
            break
    return found


def ordered(titles: list[str], sort: str) -> list[str]:
    if sort == "-priority":
        return sorted(titles, key=lambda title: title not in IMPORTANT)
    return titles[::-1] if sort.startswith("-") else titles


@pytest.mark.parametrize("most", [1, 4, 7, 100])
async def test_every_page_has_what_matches_in_order(
    ada: Person, database: Database, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(listing, "WALK", most)
    lists, reads = lists_of(task_row, COLUMNS), TaskReads(database.reads, Actor(id=ada.id, name="ada"))
    for title in TITLES:
        labels = ["Färben", 'x "y"'] if title in LABELED else ["x"] if title in ASSIGNED else []
        assigned = [str(ada.id)] if title in ASSIGNED else []
        await ada.add(title, labels=labels, assignee_ids=assigned, priority=int(title in IMPORTANT))

    for (asked, titles), sort, limit in product(ASKED, ["-created_at", "title", "-priority"], [1, 3, 50]):
        values = asked | ({"assignee": [ada.id]} if "assignee" in asked else {})
        assert await pages(reads, lists, values, sort=sort, limit=limit) == ordered(titles, sort), (asked, sort, limit)
