"""Lists of the admin cost the same however many rows there are: what has no index is refused, counts are bounded."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from support.factories import Person, World, origin_for
from tasks.test_plans import Explaining

from benchmarks.growth import FILL
from todo.access import Actor
from todo.admin import counting, dates, lists, lookups, reads, related
from todo.admin.declaration import ModelAdmin
from todo.admin.registry import Registry
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Invalid
from todo.listing import statements
from todo.modules import APPLICATION, REGISTRY

CAP = 300  # rows counted and sorted, here
WALK = 200  # rows looked through
TASKS = 10_000
MOST = 700  # rows that a part of a statement reads: a bitmap may have as many as an index is asked for twice
ORDERS = ("created_at", "-created_at", "due_at", "-due_at", "priority", "-priority")
FILTERS: dict[str, dict[str, list[str]]] = {
    "most": {"status": ["done"]}, "few": {"status": ["waiting"]}, "some": {"priority": ["2..3"]},
    "set": {"due_at": ["set"]}, "empty": {"due_at": ["empty"]}, "days": {"created_at": ["past_30_days"]},
    "due": {"due_at": ["past_30_days"]}, "none": {"series_id": ["set"]}, "all": {"series_id": ["empty"]},
    "owner": {"owner.email": ["root"]}, "nobody": {"owner.email": ["nobody"]}, "active": {"owner.status": ["active"]},
    "disabled": {"owner.status": ["disabled"]}, "no project": {"project.name": ["nothing"]},
    "project owner": {"project.owner.email": ["root"]}, "no project owner": {"project.owner.email": ["nobody"]},
    "no series": {"series.status": ["active"]}, "several": {"status": ["waiting"], "priority": ["4"]},
    "two dates": {"created_at": ["past_30_days"], "due_at": ["past_30_days"]},
    "assignee": {"assignee_ids": ["{root}"]}, "one owner": {"owner_id": ["{root}"]},
    "another": {"owner_id": ["{other}"], "status": ["done"]}, "below": {"parent_id": ["{root}"]},
}  # fmt: skip
ANY: tuple[dict[str, list[str]], ...] = (
    {"status": ["waiting"], "series_id": ["set"]},
    {"status": ["done"], "due_at": ["empty"]},
    {"owner.email": ["nobody"], "created_at": ["past_7_days"]},
)


class OneByOne(Explaining):
    """Explains statements that are sent at once one after the other."""

    def __init__(self, sql: Any, reads: Any):
        super().__init__(sql, reads)
        self._lock = asyncio.Lock()

    async def _note(self, query: Any, values: dict[str, Any]) -> None:
        async with self._lock:
            await super()._note(query, values)


@pytest.fixture
async def root(world: World, sql: Any) -> Person:
    """Somebody who has so many tasks, and may see everything."""
    root = await world.person("root", "superuser", timezone="UTC")
    await sql.execute(FILL, root.id, 0, TASKS)
    await sql.execute("VACUUM ANALYZE tasks, users")
    return root


@pytest.fixture
def admin(database: Database, root: Person, monkeypatch: pytest.MonkeyPatch) -> AdminService:
    for module in (counting, dates, lists, lookups, reads, related):
        monkeypatch.setattr(module, "CAP", CAP)
    actor = Actor(root.id, root.email, permissions=frozenset({"*"}))
    return AdminService(Registry(APPLICATION.admins), database, origin_for(actor))


async def test_an_order_without_an_index_takes_few_rows(admin: AdminService) -> None:
    for sort in ("title", "-owner_id", "priority,due_at"):
        with pytest.raises(Invalid) as refused:
            await admin.queries.page("tasks", ListQuery(sort=sort, facets=False))
        assert refused.value.errors[0].message == (
            "More than 300 rows match. Filter them first, or sort by one of id, created_at, due_at, priority alone."
        )
    few = await admin.queries.page("tasks", ListQuery(sort="title", q="plumber"))
    assert few.total == 2


@pytest.fixture
def explaining(database: Database, sql: Any, monkeypatch: pytest.MonkeyPatch) -> OneByOne:
    monkeypatch.setattr(statements, "WALK", WALK)
    monkeypatch.setattr(counting, "WALK", WALK)
    monkeypatch.setattr(counting, "MOST_COUNTED", WALK)
    monkeypatch.setattr(reads, "UNINDEXED", WALK)
    found = OneByOne(sql, database.reads)
    monkeypatch.setattr(database, "reads", found)
    return found


async def rows_read(explaining: OneByOne, admin: AdminService, root: Person, **asked: Any) -> int:
    """Return how many rows the largest part of any statement of a list reads."""
    explaining.visited = 0
    ids = {"root": str(root.id), "other": str(uuid4())}
    filters = {name: [text.format(**ids) for text in texts] for name, texts in asked.pop("filters", {}).items()}
    await admin.queries.page(asked.pop("resource", "tasks"), ListQuery(filters=filters, **asked))
    return explaining.visited


@pytest.mark.parametrize("sort", ["", *ORDERS])
async def test_every_list_reads_little_more_than_it_sorts(
    admin: AdminService, explaining: OneByOne, root: Person, sort: str
) -> None:
    """Whatever matches: all rows, some at the far end of the list, or none."""
    visited = {"": await rows_read(explaining, admin, root, sort=sort)}
    for name, filters in FILTERS.items():
        visited[name] = await rows_read(explaining, admin, root, filters=filters, sort=sort)
    for filters in ANY:
        visited[f"any of {filters}"] = await rows_read(explaining, admin, root, filters=filters, sort=sort, match="any")
    common = {"assignee"}  # a bitmap has every entry of an index, here a fifth of the tasks
    assert {name: rows for name, rows in visited.items() if rows > MOST and name not in common} == {}


async def test_ones_own_rows_and_the_trash_read_little_more(
    admin: AdminService, explaining: OneByOne, root: Person, database: Database, sql: Any
) -> None:
    await sql.execute("UPDATE tasks SET deleted_at = now() WHERE status = 'done'")
    await sql.execute("VACUUM ANALYZE tasks")
    own = Actor(root.id, root.email, permissions=frozenset({"admin.enter", "tasks.view"}))
    others = Actor(uuid4(), "nobody", permissions=frozenset({"admin.enter", "tasks.view"}))
    services = [
        admin,
        *(AdminService(Registry(APPLICATION.admins), database, origin_for(one)) for one in (own, others)),
    ]

    visited = {
        f"{number} {filters} {trash}": await rows_read(explaining, one, root, filters=filters, trash=trash)
        for number, one in enumerate(services)
        for filters in ({}, {"priority": ["4"]}, {"due_at": ["past_7_days"]})
        for trash in (False, True)
    }

    assert {name: rows for name, rows in visited.items() if rows > MOST} == {}


async def test_a_list_by_what_its_tasks_refer_to_reads_little_more(
    admin: AdminService, explaining: OneByOne, root: Person, sql: Any
) -> None:
    """Whether no task is in such a project, few are, or all."""
    await sql.execute(
        "INSERT INTO comments (id, created_at, updated_at, version, task_id, author_id, text)"
        " SELECT gen_random_uuid(), now(), now(), 1, id, owner_id, '' FROM tasks WHERE priority = 4 LIMIT 1000"
    )
    garden = await sql.fetchval(
        "INSERT INTO projects (id, created_at, updated_at, version, owner_id, name, description)"
        " VALUES (gen_random_uuid(), now(), now(), 1, $1, 'Garden', '') RETURNING id", root.id,
    )  # fmt: skip
    await sql.execute("UPDATE tasks SET project_id = $1 WHERE priority = 4 AND status = 'open'", garden)
    await sql.execute("VACUUM ANALYZE comments, projects")

    visited = {}
    for trashed in (0, 1_000):
        await sql.execute(
            "UPDATE tasks SET deleted_at = now() WHERE id IN (SELECT id FROM tasks ORDER BY id LIMIT $1)", trashed
        )
        await sql.execute("VACUUM ANALYZE tasks")
        for name in ("nothing", "garden", "inbox"):
            filters = {"task.project.name": [name]}
            visited[f"{name} {trashed}"] = await rows_read(
                explaining, admin, root, resource="comments", filters=filters
            )

    assert {name: rows for name, rows in visited.items() if rows > MOST} == {}
    found = await admin.queries.page("comments", ListQuery(filters={"task.project.name": ["garden"]}))
    assert found.total_is_exact  # though there are more tasks in the trash than are read


@pytest.mark.parametrize("named", ["Task 77 of some more words than five", "Task 77", "Task"])
async def test_a_whole_name_is_looked_up_by_an_index(
    admin: AdminService, explaining: OneByOne, root: Person, sql: Any, named: str
) -> None:
    """Whether one row has it, or all rows begin like it."""
    await sql.execute("UPDATE tasks SET title = 'Task ' || number FROM (SELECT id, row_number() OVER () AS number"
                      " FROM tasks) AS numbered WHERE numbered.id = tasks.id")  # fmt: skip
    one = await sql.fetchval("UPDATE tasks SET title = $1 WHERE title = 'Task 77' RETURNING id", named)
    await sql.execute("VACUUM ANALYZE tasks")

    explaining.visited = 0
    found = await admin.queries.called("tasks", named)

    assert [option.value for option in found] == [str(one)] or named == "Task"  # which more rows contain than are read
    assert explaining.visited <= MOST


async def test_dates_are_counted_by_indexes_alone(admin: AdminService, explaining: OneByOne, root: Person) -> None:
    for filters in ({}, {"status": ["done"]}, {"owner.email": ["nobody"]}, {"due_at": ["past_7_days"]}):
        explaining.visited = 0
        await admin.queries.periods("tasks", ListQuery(filters=filters))
        assert explaining.visited <= 4 * MOST, filters  # each of the years has its own count


async def test_a_list_ends_where_enough_rows_were_looked_through(
    admin: AdminService, explaining: OneByOne, root: Person, sql: Any
) -> None:
    """Tasks of the last days are the first ones, those without any due the last ones in the order of their dues."""
    filters = {"created_at": ["past_30_days"], "due_at": ["empty"]}
    await sql.execute("UPDATE tasks SET created_at = now() WHERE due_at IS NULL")
    await sql.execute("VACUUM ANALYZE tasks")
    query = ListQuery(filters=filters, sort="due_at", facets=False)
    found, pages = [], 0

    explaining.visited = 0
    while True:
        page = await admin.queries.page("tasks", query)
        found += [item.id for item in page.items]
        pages += 1
        if page.next_cursor is None or pages > TASKS:
            break
        query.cursor = page.next_cursor

    assert len(found) == len(set(found)) == TASKS // 2
    assert explaining.visited <= MOST


@pytest.mark.parametrize("name", [one.name for one in REGISTRY if isinstance(one, ModelAdmin)])
def test_every_declared_order_has_an_index(name: str) -> None:
    reads_of = REGISTRY.reads(REGISTRY.table(name), Actor(uuid4(), "root", permissions=frozenset({"*"})))

    for sort in (reads_of.admin.sort, *reads_of.admin.sorts):
        assert reads_of.way(frozenset(), sort, trashed=False), sort
