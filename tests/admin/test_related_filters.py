"""Filters by rows that references refer to, and by any of several filters: alike for pages, REST and commands."""

from typing import Any

import pytest
from support.admin_interfaces import FACES, Ask, Stage
from support.factories import Person, World, origin_for

from todo.access import Actor
from todo.admin import counting, lists, lookups, reads
from todo.admin.checks import AdminError
from todo.admin.registry import Registry
from todo.admin.schemas import ListQuery, ListResult, Selection
from todo.admin.service import AdminService
from todo.database import Database
from todo.domain.tasks.admin.projects import ProjectAdmin
from todo.domain.tasks.admin.tasks import TaskAdmin
from todo.errors import Invalid
from todo.modules import APPLICATION

VIEWS = frozenset({"admin.enter", "tasks.view", "tasks.all"})


def titles(found: ListResult) -> list[str]:
    return sorted(item.title for item in found.items)


def service(database: Database, registry: Registry, person: Person, *permissions: str) -> AdminService:
    actor = Actor(id=person.id, name=person.email, permissions=VIEWS | {*permissions})
    return AdminService(registry, database, origin_for(actor))


@pytest.fixture
async def tasks(ada: Person, bob: Person, sql: Any) -> None:
    """Three tasks of ada, one of bob, who is disabled."""
    await ada.add("A", status="waiting")
    await ada.add("B", priority=4)
    await ada.add("C")
    await bob.add("D", priority=4)
    await sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", bob.id)


@pytest.mark.parametrize(
    ("filters", "match", "expected"),
    [
        ({"owner.email": ["ada"]}, "all", "ABC"), ({"owner.email": ["BOB@"]}, "all", "D"),
        ({"owner.email": ["nobody"]}, "all", ""), ({"owner.status": ["disabled"]}, "all", "D"),
        ({"owner.status": ["active", "disabled"]}, "all", "ABCD"), ({"project.name": ["inbox"]}, "all", "ABCD"),
        ({"owner.email": ["ada"], "priority": ["4"]}, "all", "B"), ({"series.status": ["active"]}, "all", ""),
        ({"project.owner.email": ["bob"]}, "all", "D"), ({"project.owner.email": ["nobody"]}, "all", ""),
        ({"project.owner.email": ["bob"], "status": ["waiting"]}, "any", "AD"),
        ({"owner.status": ["disabled"], "status": ["waiting"]}, "any", "AD"),
        ({"status": ["waiting"], "priority": ["4"]}, "any", "ABD"), ({"status": ["waiting"]}, "any", "A"),
        ({"status": ["waiting"], "priority": ["4"], "due_at": ["set"]}, "any", "ABD"),
        ({"status": ["waiting"], "priority": ["4"]}, "all", ""),
    ],
)  # fmt: skip
async def test_all_interfaces_find_the_same(
    world: World, registry: Registry, database: Database, tasks: None, filters: dict[str, list[str]], match: Any,
    expected: str,
) -> None:  # fmt: skip
    stage = Stage(registry, database, await world.person("boss", "superuser", timezone="UTC"))
    ask = Ask("view", "tasks", filters=filters, match=match)

    for name, face in FACES.items():
        answer = await face(stage, ask)
        assert "".join(sorted(one["title"] for one in answer.body["items"])) == expected, name
        assert answer.body["total"] == len(expected), name


async def test_a_filter_by_related_rows_is_a_filter_with_a_label_whose_choices_are_not_counted(
    admin: AdminService, tasks: None
) -> None:
    found = await admin.queries.page("tasks", ListQuery(filters={"owner.status": ["disabled"]}))

    (facet,) = (one for one in found.facets if one.name == "owner.status")
    assert (facet.label, facet.kind) == ("Owner: Status", "choice")
    assert "Owner of project: Email" in {one.label for one in found.facets}
    assert {(one.value, one.count, one.selected) for one in facet.values} >= {
        ("active", None, False),
        ("disabled", None, True),
    }


async def test_rows_that_may_not_be_seen_do_not_filter(
    registry: Registry, database: Database, ada: Person, tasks: None
) -> None:
    """Neither rows of a resource that the actor may not view, nor those outside of its scope."""
    without = service(database, registry, ada)
    with pytest.raises(Invalid) as refused:
        await without.queries.page("tasks", ListQuery(filters={"owner.email": ["ada"]}))
    assert refused.value.errors[0].field == "query.owner.email"
    assert "owner" not in {one.name.partition(".")[0] for one in (await without.queries.page("tasks")).facets}

    scoped = service(database, registry, ada, "projects.view")  # one's own projects alone
    found = await scoped.queries.page("tasks", ListQuery(filters={"project.name": ["inbox"]}))
    assert titles(found) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        (("projects.view", "projects.all"), None), (("users.view",), None),
        (("projects.view", "users.view"), ["A", "B", "C"]),  # one's own projects alone
        (("projects.view", "projects.all", "users.view"), ["A", "B", "C", "D"]),
        (("projects.view", "projects.all", "users.view", "hide"), None),
    ],
)  # fmt: skip
async def test_each_reference_on_the_way_leads_to_what_may_be_seen_alone(
    database: Database, ada: Person, tasks: None, permissions: tuple[str, ...], expected: list[str] | None
) -> None:
    class Hiding(ProjectAdmin):
        name = "projects"
        field_permissions = {"owner_id": "projects.owners"} if "hide" in permissions else {}

    others = [one for one in APPLICATION.admins if one is not ProjectAdmin]
    admin = service(database, Registry([Hiding, *others]), ada, *permissions)
    query = ListQuery(filters={"project.owner.email": ["@"]})

    if expected is None:
        with pytest.raises(Invalid) as refused:
            await admin.queries.page("tasks", query)
        assert refused.value.errors[0].field == "query.project.owner.email"
        assert "project.owner.email" not in {one.name for one in (await admin.queries.page("tasks")).facets}
    else:
        assert titles(await admin.queries.page("tasks", query)) == expected


async def test_rows_are_filtered_by_what_their_tasks_refer_to(
    world: World, registry: Registry, database: Database, ada: Person, tasks: None, sql: Any
) -> None:
    """Also by that of tasks in the trash, as with a field of the task itself."""
    await sql.execute(
        "INSERT INTO comments (id, created_at, updated_at, version, task_id, author_id, text)"
        " SELECT gen_random_uuid(), now(), now(), 1, id, owner_id, title FROM tasks"
    )
    await sql.execute("UPDATE tasks SET deleted_at = now() WHERE title = 'B'")
    garden = await sql.fetchval(
        "INSERT INTO projects (id, created_at, updated_at, version, owner_id, name, description)"
        " VALUES (gen_random_uuid(), now(), now(), 1, $1, 'Garden', '') RETURNING id", ada.id,
    )  # fmt: skip
    await sql.execute("UPDATE tasks SET project_id = $1 WHERE title IN ('A', 'B')", garden)
    stage = Stage(registry, database, await world.person("boss", "superuser", timezone="UTC"))

    for name, face in FACES.items():
        answer = await face(stage, Ask("view", "comments", filters={"task.project.name": ["garden"]}))
        assert sorted(one["display"] for one in answer.body["items"]) == ["A", "B"], name


async def test_references_to_rows_of_the_same_table_are_followed(database: Database, ada: Person) -> None:
    class Odd(TaskAdmin):
        name = "tasks"
        filters = ("parent.parent.title", "parent.project.owner.email", *TaskAdmin.filters)

    top = await ada.add("Top")
    middle = await ada.add("Middle", parent_id=top["id"])
    await ada.add("Below", parent_id=middle["id"])
    others = [one for one in APPLICATION.admins if one is not TaskAdmin]
    admin = service(database, Registry([Odd, *others]), ada, "projects.view", "users.view")

    for filters, expected in (
        ({"parent.parent.title": ["top"]}, ["Below"]), ({"parent.parent.title": ["middle"]}, []),
        ({"parent.project.owner.email": ["ada"]}, ["Below", "Middle"]),
    ):  # fmt: skip
        found = await admin.queries.page("tasks", ListQuery(filters=filters))
        assert (titles(found), found.total) == (expected, len(expected))


@pytest.mark.parametrize(
    "name", ["owner.password_hash", "owner.nothing", "nobody.email", "status.email", "owner.", "project.owner.name"]
)
@pytest.mark.parametrize("face", FACES)
async def test_a_filter_that_is_not_declared_is_refused(
    world: World, registry: Registry, database: Database, name: str, face: str
) -> None:
    stage = Stage(registry, database, await world.person("boss", "superuser", timezone="UTC"))
    assert (await FACES[face](stage, Ask("view", "tasks", filters={name: ["a"]}))).status == 422


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("owner.nothing", "'owner.nothing', but users have no field 'nothing'. Fields: created_at, "),
        ("title.email", "tasks have no reference 'title'. References: owner, parent, project, section, series."),
        ("project.nobody.email", "projects have no reference 'nobody'. References: owner, parent."),
        ("project.owner.name_", "users have no field 'name_'"), ("owner.", "users have no field ''"),
        ("project.owner.password_hash", "but a secret of related rows cannot be a filter"),
        ("owner.password_hash", "but a secret of related rows cannot be a filter"),
        ("project.owner_id", "but a reference of related rows cannot be a filter"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_declaration_is_named(name: str, sentence: str) -> None:
    class Odd(TaskAdmin):
        filters = (name,)

    others = [one for one in APPLICATION.admins if one is not TaskAdmin]
    with pytest.raises(AdminError, match=sentence):
        Registry([Odd, *others])


async def test_any_of_several_filters_keeps_the_pages_the_order_and_the_search(
    admin: AdminService, ada: Person
) -> None:
    for number in range(5):
        await ada.add(f"Call {number}", priority=number)
    await ada.add("Write", priority=4)
    query = ListQuery(filters={"priority": ["3.."], "status": ["waiting"]}, match="any", q="call", sort="-priority")
    first = await admin.queries.page("tasks", ListQuery(**{**_as_dict(query), "limit": 1}))
    second = await admin.queries.page(
        "tasks", ListQuery(**{**_as_dict(query), "limit": 1, "cursor": first.next_cursor})
    )

    assert [titles(first), titles(second), second.next_cursor] == [["Call 4"], ["Call 3"], None]
    assert (first.total, first.total_is_exact) == (2, True)
    neighbor = await admin.queries.neighbor("tasks", first.items[0], query, "next")
    assert neighbor.title == "Call 3"


def _as_dict(query: ListQuery) -> dict[str, Any]:
    return {name: getattr(query, name) for name in query.__struct_fields__}


async def test_where_many_rows_match_any_of_the_filters_they_are_read_in_the_order_of_the_list(
    admin: AdminService, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (counting, lists, lookups, reads):
        monkeypatch.setattr(module, "CAP", 2)
    for number in range(5):
        await ada.add(str(number), priority=number)
    filters = {"priority": ["2.."], "status": ["open"]}

    found = await admin.queries.page("tasks", ListQuery(filters=filters, match="any", sort="created_at"))

    assert [item.title for item in found.items] == ["0", "1", "2", "3", "4"]
    assert not found.total_is_exact
    with pytest.raises(Invalid) as refused:
        await admin.queries.page("tasks", ListQuery(filters=filters, match="any", sort="title"))
    assert refused.value.errors[0].field == "query.sort"


async def test_an_action_on_all_that_match_any_of_the_filters(admin: AdminService, tasks: None, sql: Any) -> None:
    matching = ListQuery(filters={"owner.status": ["disabled"], "status": ["waiting"]}, match="any")

    outcome = await admin.actions.act("tasks", "change", Selection(matching=matching), {"priority": 2})

    assert outcome.done == 2
    assert await sql.fetchval("SELECT array_agg(title ORDER BY title) FROM tasks WHERE priority = 2") == ["A", "D"]


async def test_what_is_no_table_matches_any_of_its_filters_too(admin: AdminService) -> None:
    each = [
        await admin.queries.page("schedules", ListQuery(match=match))  # without filters, every row
        for match in ("all", "any")
    ]
    assert each[0].total == each[1].total
