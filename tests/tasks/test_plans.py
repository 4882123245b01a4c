"""No list reads more than it shows, however many tasks a person has."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeAlias

import asyncpg
import pytest
from support.factories import Person

from benchmarks.growth import ACCESS, ASKED, FILL, FILL_PROJECTS, OF_PROJECT, QUESTIONS, SHARE, TENTH, ask
from todo.access import Actor
from todo.database import Database
from todo.domain.tasks.controllers.list_parameters import filtered, filters_of
from todo.domain.tasks.newest import NEWEST
from todo.domain.tasks.queries import COLUMNS, TaskReads, lists_of, task_row
from todo.listing import statements
from todo.listing.statements import FEW_WALKED, WALK

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
TASKS = 10_000
# A search looks through the newest tasks at most, in each of two ways; a count reads at most a thousand and one.
MOST = 60 * 5  # rows: a page, and those before it in a scan that other filters thin out


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


class Explaining:
    """Reads that also note how many rows their statement visits."""

    def __init__(self, sql: Sql, reads: Any):
        self._sql = sql
        self._reads = reads
        self.visited = 0

    async def all(self, query: Any, **values: Any) -> Any:
        await self._note(query, values)
        return await self._reads.all(query, **values)

    async def one_or_none(self, query: Any, **values: Any) -> Any:
        await self._note(query, values)
        return await self._reads.one_or_none(query, **values)

    async def _note(self, query: Any, values: dict[str, Any]) -> None:
        text = await self._sql.fetchval(
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query.sql}", *query.arguments(values)
        )
        (found,) = json.loads(text)
        for node in nodes(found["Plan"]):
            if "Scan" in node["Node Type"]:
                removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
                self.visited = max(self.visited, node["Actual Rows"] * node["Actual Loops"] + removed)


@pytest.fixture
async def many(ada: Person, sql: Sql) -> str:
    await sql.execute(FILL, ada.id, 0, TASKS)
    await sql.execute("VACUUM ANALYZE tasks")
    since: str = (await sql.fetchval(TENTH)).isoformat()
    return since


async def test_every_question_reads_little_more_than_it_shows(
    ada: Person, many: str, sql: Sql, database: Database
) -> None:
    visited = {}
    for name, question in QUESTIONS.items():
        reads = Explaining(sql, database.reads)
        await ask(reads, ada.id, question, many)
        visited[name] = reads.visited

    looked_up = WALK + FEW_WALKED
    kinds = {"count": 1_001, "q=": NEWEST + 1, "label=": looked_up, "assignee=": looked_up, "filter=": looked_up}
    most = {name: next((rows for kind, rows in kinds.items() if kind in name), MOST) for name in visited}
    assert {name: rows for name, rows in visited.items() if rows > most[name]} == {}


@pytest.fixture
async def others(ada: Person, bob: Person, sql: Sql) -> str:
    """Four projects of ada that bob sees, one of them with half of her tasks, and 196 that he does not see."""
    await sql.execute(SHARE, ada.id, bob.id)
    await sql.execute(ACCESS)
    await sql.execute(FILL_PROJECTS, ada.id, 0, TASKS, bob.id)
    await sql.execute("DELETE FROM project_members USING projects WHERE project_id = projects.id AND name NOT IN"
                      " ('0', '1', '3', '5')")  # fmt: skip
    await sql.execute(ACCESS)
    await sql.execute("VACUUM ANALYZE tasks, projects, project_members, project_access")
    since: str = (await sql.fetchval(TENTH)).isoformat()
    return since


async def test_what_others_shared_is_read_as_little_of(bob: Person, others: str, sql: Sql, database: Database) -> None:
    visited = {}
    for name, question in (QUESTIONS | OF_PROJECT).items():
        reads = Explaining(sql, database.reads)
        await ask(reads, bob.id, question, others)
        visited[name] = reads.visited

    # A count, and a search in half of all tasks, may read a project by a bitmap.
    less = {name for name in visited if any(kind in name for kind in ("count", "project_id=...&q="))}
    kinds = {"q=": NEWEST * 3 // 2, "label=": 2 * WALK, "assignee=": 2 * WALK, "filter=": 2 * WALK}
    most = {name: next((rows for kind, rows in kinds.items() if kind in name), MOST) for name in visited}
    assert {name: rows for name, rows in visited.items() if rows > most[name] and name not in less} == {}


async def test_one_status_reads_a_page_however_many_have_it(
    ada: Person, many: str, sql: Sql, database: Database
) -> None:
    await sql.execute("UPDATE tasks SET status = 'open', completed_at = NULL WHERE deadline IS NOT NULL")
    await sql.execute("VACUUM ANALYZE tasks")
    reads = Explaining(sql, database.reads)

    await ask(reads, ada.id, {"status": ["open"]}, many)

    assert await sql.fetchval("SELECT count(*) FROM tasks WHERE status = 'open'") == TASKS // 10 + TASKS // 100
    assert reads.visited <= 51


async def test_what_many_tasks_have_is_found_in_the_order_of_the_list(
    ada: Person, many: str, sql: Sql, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "WALK", 600)
    filters: list[dict[str, Any]] = [{"label": ["often"]}, {"assignee": [ada.id]}, {"q": "'number'"}]
    for asked in filters:
        reads: Any = Explaining(sql, database.reads)
        page = await TaskReads(reads, Actor(id=ada.id, name="ada")).page(asked, lists_of(task_row, COLUMNS))
        assert len(page.items) == 50, asked
        assert reads.visited <= 51 * 10, asked  # a tenth have the label


@pytest.mark.parametrize("asked", [{"label": ["often"]}, {"assignee": "me"}, {"assignee": "none"}, {"q": "number"}])
async def test_a_list_ends_where_enough_was_looked_through(
    ada: Person, bob: Person, others: str, sql: Sql, database: Database, monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
) -> None:  # fmt: skip
    """Many tasks match, but none of the first ones: those without due, and with the words of their titles alone."""
    for name, value in {"WALK": 400, "FEW_WALKED": 25}.items():
        monkeypatch.setattr(statements, name, value)
    await sql.execute("UPDATE tasks SET labels = '{}', assignee_ids = ARRAY[$1::uuid] WHERE due_at IS NOT NULL", ada.id)
    await sql.execute("UPDATE tasks SET assignee_ids = CASE WHEN $1 THEN '{}'::uuid[] ELSE ARRAY[$2::uuid] END"
                      " WHERE due_at IS NULL", asked == {"assignee": "none"}, bob.id)  # fmt: skip
    await sql.execute("UPDATE tasks SET title = 'Call' WHERE due_at IS NOT NULL")
    await sql.execute("VACUUM ANALYZE tasks")
    asked = asked | ({"assignee": str(bob.id)} if asked.get("assignee") == "me" else {})
    for person in (ada, bob):
        actor = Actor(id=person.id, name=person.email)
        filters = filters_of(actor, **(dict.fromkeys(ASKED) | asked))
        monkeypatch.setattr(statements, "MOST_FOUND", 20)
        reads: Any = Explaining(sql, database.reads)

        page = await TaskReads(reads, actor).page(filters, lists_of(task_row, COLUMNS), sort="due_at")

        assert page.items == [], person.email
        assert page.next_cursor is not None
        assert reads.visited <= 1_000, person.email
        if asked.get("assignee") != "none":  # few of all: an index has these
            monkeypatch.setattr(statements, "MOST_FOUND", TASKS)
            assert (await TaskReads(reads, actor).page(filters, lists_of(task_row, COLUMNS), sort="due_at")).items


@pytest.mark.parametrize("sort", ["-deleted_at", "purge_at"])
async def test_the_trash_reads_a_page_however_much_lies_in_it(
    ada: Person, many: str, sql: Sql, database: Database, sort: str
) -> None:
    await sql.execute("UPDATE tasks SET deleted_at = updated_at")
    await sql.execute("VACUUM ANALYZE tasks")
    reads: Any = Explaining(sql, database.reads)

    page = await TaskReads(reads, Actor(id=ada.id, name="ada")).trash(timedelta(days=30), sort=sort, limit=50)

    assert len(page.items) == 50
    assert reads.visited <= 52  # one more, and a look for subtasks


async def test_a_page_in_the_middle_reads_no_more_than_the_first(
    ada: Person, many: str, sql: Sql, database: Database
) -> None:
    visited = {}
    for sort in ("-created_at", "title", "-priority", "due_at", "-completed_at", "start", "deadline"):
        page = await ask(database.reads, ada.id, {"sort": sort, "limit": 200}, many)
        for _ in range(10):
            page = await ask(database.reads, ada.id, {"sort": sort, "limit": 200, "cursor": page.next_cursor}, many)
        reads = Explaining(sql, database.reads)
        await ask(reads, ada.id, {"sort": sort, "cursor": page.next_cursor}, many)
        visited[sort] = reads.visited

    assert {sort: rows for sort, rows in visited.items() if rows > 51} == {}


FILTERS = [
    "due < 2000-01-01", "due > 2999-01-01 and not closed", "overdue", "not closed", "status = waiting",
    "status = open and due < today", "priority >= urgent and not closed", "completed > 2999-01-01", "closed",
    "updated > 2999-01-01", "deadline = 1999-01-01", "priority >= high order by due, -priority", "project = House",
]  # fmt: skip


async def test_a_common_filter_reads_little_more_than_it_shows(
    ada: Person, many: str, sql: Sql, database: Database
) -> None:
    actor = Actor(id=ada.id, name="ada")
    visited = {}
    for text in FILTERS:
        reads = Explaining(sql, database.reads)
        await TaskReads(reads, actor).page({}, **filtered(text, actor, {}, None))
        visited[text] = reads.visited
    assert {text: rows for text, rows in visited.items() if rows > MOST} == {}
