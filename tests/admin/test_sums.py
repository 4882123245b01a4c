"""Lists sum numbers over all rows that match, where these can be counted."""

from typing import Any

import pytest
from support.admin_interfaces import FACES, Ask, Stage
from support.factories import Person, World, origin_for

from todo.access import Actor
from todo.admin import counting, lists, lookups, reads
from todo.admin.checks import AdminError
from todo.admin.registry import Registry
from todo.admin.schemas import ListQuery
from todo.admin.service import AdminService
from todo.database import Database
from todo.domain.tasks.admin.tasks import TaskAdmin
from todo.modules import APPLICATION

OTHERS = [one for one in APPLICATION.admins if one is not TaskAdmin]


@pytest.fixture
async def tasks(ada: Person) -> None:
    await ada.add("A", estimate_minutes=30, status="waiting")
    await ada.add("B", estimate_minutes=45, priority=4)
    await ada.add("C", status="waiting", priority=4)
    await ada.add("D", estimate_minutes=500)


@pytest.mark.parametrize(
    ("filters", "match", "minutes"),
    [
        ({}, "all", 575), ({"status": ["waiting"]}, "all", 30), ({"priority": ["4"]}, "all", 45),
        ({"status": ["waiting"], "priority": ["4"]}, "any", 75), ({"status": ["done"]}, "all", 0),
        ({"owner.email": ["ada"]}, "all", 575),
    ],
)  # fmt: skip
async def test_all_interfaces_sum_what_matches(
    world: World, registry: Registry, database: Database, tasks: None, filters: dict[str, list[str]], match: Any,
    minutes: int,
) -> None:  # fmt: skip
    stage = Stage(registry, database, await world.person("boss", "superuser", timezone="UTC"))

    for name, face in FACES.items():
        answer = await face(stage, Ask("view", "tasks", filters=filters, match=match))
        assert answer.body["sums"] == {"estimate_minutes": minutes}, name


async def test_a_sum_is_of_all_pages_and_is_not_claimed_of_too_many_rows(
    admin: AdminService, tasks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await admin.queries.page("tasks", ListQuery(limit=1))
    assert (len(first.items), first.sums) == (1, {"estimate_minutes": 575})
    assert (await admin.queries.page("tasks", ListQuery(facets=False))).sums is None

    for module in (counting, lists, lookups, reads):
        monkeypatch.setattr(module, "CAP", 3)
    assert (await admin.queries.page("tasks")).sums is None
    assert (await admin.queries.page("tasks", ListQuery(filters={"priority": ["4"]}))).sums == {"estimate_minutes": 45}


async def test_a_number_that_may_not_be_seen_is_not_summed(database: Database, ada: Person, tasks: None) -> None:
    class Hiding(TaskAdmin):
        name = "tasks"
        field_permissions = {"estimate_minutes": "tasks.estimates"}

    actor = Actor(id=ada.id, name="ada", permissions=frozenset({"admin.enter", "tasks.view"}))
    admin = AdminService(Registry([Hiding, *OTHERS]), database, origin_for(actor))

    assert (await admin.queries.page("tasks")).sums == {}


async def test_rows_that_are_no_table_are_summed_too(admin: AdminService, sql: Any) -> None:
    found = await admin.queries.page("schedules")

    assert found.sums == {name: sum(getattr(row, name) for row in found.items) for name in ("runs", "failures")}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("title", "sums has 'title', which is not a number."),
        ("priority", "sums has 'priority', which is not a number."),
        ("hours", "sums has 'hours', which is not a field."),
    ],
)  # fmt: skip
def test_a_mistake_in_a_declaration_is_named(name: str, sentence: str) -> None:
    class Odd(TaskAdmin):
        sums = (name,)

    with pytest.raises(AdminError, match=sentence):
        Registry([Odd, *OTHERS])
