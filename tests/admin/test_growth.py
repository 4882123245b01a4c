"""Lists of the admin cost the same however many rows there are: what has no index is refused, counts are bounded."""

import asyncio
from typing import Any

import pytest
from support.factories import Person, World, origin_for
from tasks.test_plans import Explaining

from benchmarks.growth import FILL
from todo.access import Actor
from todo.admin import queries, reads
from todo.admin.registry import Registry
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.database import Database
from todo.errors import Invalid
from todo.modules import APPLICATION

CAP = 300  # rows counted, here
TASKS = 10_000
ORDERS = ("created_at", "-created_at", "due_at", "-due_at", "priority", "-priority")
FILTERS: tuple[dict[str, list[str]], ...] = (
    {"status": ["done"]}, {"status": ["open"]}, {"priority": ["2..3"]}, {"due_at": ["set"]}, {"due_at": ["empty"]},
    {"created_at": ["past_30_days"]}, {"series_id": ["empty"]},
    {"owner.email": ["root"]}, {"owner.status": ["active"]},
)  # fmt: skip
ANY: tuple[dict[str, list[str]], ...] = (
    {"status": ["waiting"], "series_id": ["set"]},
    {"status": ["done"], "due_at": ["empty"]},
)  # fmt: skip


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
    for module in (reads, queries):
        monkeypatch.setattr(module, "CAP", CAP)
    actor = Actor(root.id, root.email, permissions=frozenset({"*"}))
    return AdminService(Registry(APPLICATION.admins), database, origin_for(actor))


async def test_an_order_without_an_index_takes_few_rows(admin: AdminService) -> None:
    for sort in ("title", "-status", "owner_id", "priority,due_at"):
        with pytest.raises(Invalid) as refused:
            await admin.queries.page("tasks", ListQuery(sort=sort, facets=False))
        assert refused.value.errors[0].message == (
            "More than 300 rows match. Filter them first, or sort by one of id, created_at, due_at, priority alone."
        )
    few = await admin.queries.page("tasks", ListQuery(sort="title", q="plumber"))
    assert few.total == 2


async def test_a_list_reads_little_more_than_it_counts(
    admin: AdminService, database: Database, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    explaining = OneByOne(sql, database.reads)
    monkeypatch.setattr(database, "reads", explaining)
    visited = {}
    for asked in (
        [{"sort": sort} for sort in ORDERS]
        + [{"filters": one} for one in FILTERS]
        + [{"filters": one, "match": "any"} for one in ANY]
    ):
        explaining.visited = 0
        await admin.queries.page("tasks", ListQuery(**asked))  # type: ignore[arg-type]
        visited[str(asked)] = explaining.visited

    assert {name: rows for name, rows in visited.items() if rows > TASKS / 2} == {}
