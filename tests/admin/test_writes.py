"""Adding, changing, deleting: what is refused, what is written, and what the trail says."""

import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import false
from support.factories import Person, origin_for

from todo.access import Actor
from todo.admin.conflicts import Conflicted
from todo.admin.registry import Registry
from todo.admin.schemas import ListQuery, Selection
from todo.admin.service import AdminService
from todo.database import Database
from todo.database_errors import problem_from
from todo.errors import Conflict, Forbidden, Invalid, NotFound

DAY = {"kind": "day", "date": "2031-01-31"}


async def events(sql: Any, action: str) -> list[dict[str, Any]]:
    rows = await sql.fetch("SELECT * FROM audit_events WHERE action = $1 ORDER BY id", action)
    return [dict(row) | {side: json.loads(row[side] or "null") for side in ("before", "after")} for row in rows]


@pytest.fixture
def as_ada(registry: Registry, database: Database, ada: Person) -> AdminService:
    """Somebody who may do everything to their own tasks."""
    permissions = frozenset(
        {"admin.enter", *(f"tasks.{verb}" for verb in ("view", "add", "change", "delete", "purge"))}
    )
    return AdminService(registry, database, origin_for(Actor(id=ada.id, name=ada.email, permissions=permissions)))


async def test_a_row_is_added_with_its_audit_event(admin: AdminService, ada: Person, sql: Any) -> None:
    row = await admin.editor.add("tasks", {"title": "Water", "owner_id": str(ada.id), "due": DAY})

    assert (row.title, row.status, row.displays) == ("Water", "open", {"owner_id": ada.email, "project_id": "Inbox"})
    assert row.due_at.isoformat() == "2031-01-30T23:00:00+00:00"
    (entry,) = await events(sql, "tasks.add")
    assert (entry["actor"], entry["before"], entry["after"]["title"]) == ("boss@example.com", None, "Water")


async def test_a_change_leaves_before_and_after(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add("Water", priority=1)

    row = await admin.editor.change("tasks", task["id"], {"title": "Water", "priority": 3})

    assert (row.priority, row.version) == (3, 2)
    (entry,) = await events(sql, "tasks.change")
    assert (entry["before"], entry["after"]) == ({"priority": 1}, {"priority": 3})


@pytest.mark.parametrize("reason", ["a\nb", "\x02", "x" * 501])
def test_a_reason_is_one_line(registry: Registry, database: Database, admin: AdminService, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        AdminService(registry, database, admin.context.origin, reason=reason)

    assert [error.field for error in refused.value.errors] == ["reason"]


async def test_a_reason_is_recorded_in_the_audit_log(
    registry: Registry, database: Database, admin: AdminService, ada: Person, sql: Any
) -> None:
    task = await ada.add()
    explained = AdminService(registry, database, admin.context.origin, reason="Ticket 17")

    await explained.editor.change("tasks", task["id"], {"priority": 3})

    assert [entry["reason"] for entry in await events(sql, "tasks.change")] == ["Ticket 17"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"title": ""}, "body.title"), ({"title": "x" * 501}, "body.title"), ({"title": None}, "body.title"),
        ({"priority": 5}, "body.priority"), ({"priority": "1"}, "body.priority"), ({"status": "lost"}, "body.status"),
        ({"status": "done"}, "body.status"), ({"due": {"kind": "day", "date": "2031-02-30"}}, "body.due.date"),
        ({"due": {"kind": "day"}}, "body.due.date"), ({"nonsense": 1}, "body.nonsense"),
        ({"owner_id": str(uuid4())}, "body.owner_id"), ({"version": 7}, "body.version"), ({"id": "x"}, "body.id"),
        ({"deleted_at": None}, "body.deleted_at"), ({"completed_at": None}, "body.completed_at"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_is_wrong_is_named_and_changes_nothing(
    admin: AdminService, ada: Person, sql: Any, values: dict[str, Any], field: str
) -> None:
    task = await ada.add("Water")

    with pytest.raises(Invalid) as refused:
        await admin.editor.change("tasks", task["id"], {"priority": 4} | values)

    assert [error.field for error in refused.value.errors] == [field]
    assert await events(sql, "tasks.change") == []


async def test_every_wrong_field_is_named_at_once(admin: AdminService) -> None:
    with pytest.raises(Invalid) as refused:
        await admin.editor.add("tasks", {"priority": 9, "nonsense": 1})

    assert {error.field for error in refused.value.errors} == {"body.priority", "body.nonsense", "body.title"}


async def test_texts_of_a_form_are_read_as_what_they_stand_for(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water", due=DAY)
    typed = {"priority": "2", "due": "", "estimate_minutes": "30", "deadline": "2031-02-01"}

    row = await admin.editor.change("tasks", task["id"], typed, lax=True)

    assert (row.priority, row.due, row.due_at, row.estimate_minutes) == (2, None, None, 30)
    assert row.deadline.isoformat() == "2031-02-01"


async def test_a_reference_to_what_is_not_there_is_refused(admin: AdminService) -> None:
    with pytest.raises(Invalid) as refused:
        await admin.editor.add("tasks", {"title": "Water", "owner_id": str(uuid4())})

    assert refused.value.errors[0].field == "body.owner_id"


async def test_a_reference_to_oneself_needs_no_permission_to_see_users(
    registry: Registry, database: Database, ada: Person, bob: Person
) -> None:
    permissions = frozenset({"admin.enter", "tasks.view", "tasks.add"})
    admin = AdminService(registry, database, origin_for(Actor(ada.id, ada.email, permissions=permissions)))

    own = await admin.editor.add("tasks", {"title": "Water", "owner_id": str(ada.id)})
    with pytest.raises(Invalid) as refused:
        await admin.editor.add("tasks", {"title": "Water", "owner_id": str(bob.id)})

    assert own.owner_id == ada.id
    assert refused.value.errors[0].message == "There is no such user."


async def test_a_reference_to_a_row_out_of_scope_is_refused(
    admin: AdminService, registry: Registry, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(registry.table("users")), "scope", lambda *_: false())

    with pytest.raises(Invalid) as refused:
        await admin.editor.add("tasks", {"title": "Water", "owner_id": str(bob.id)})

    assert refused.value.errors[0].field == "body.owner_id"


async def test_a_stale_version_shows_base_mine_and_theirs(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water", priority=1)
    await admin.editor.change("tasks", task["id"], {"title": "Water all", "priority": 2})

    with pytest.raises(Conflicted) as conflict:
        await admin.editor.change("tasks", task["id"], {"title": "Water none"}, version=1)

    sides = {side.field: (side.base, side.mine, side.theirs) for side in conflict.value.sides}
    assert sides["title"] == ("Water", "Water none", "Water all")
    assert sides["priority"] == (1, 1, 2)
    assert conflict.value.theirs.version == 2


async def test_a_version_two_changes_old_shows_the_row_as_it_was_then(admin: AdminService, ada: Person) -> None:
    task = await ada.add("First", priority=1)
    await admin.editor.change("tasks", task["id"], {"title": "Second"})
    await admin.editor.change("tasks", task["id"], {"title": "Third", "priority": 2})

    with pytest.raises(Conflicted) as conflict:
        await admin.editor.change("tasks", task["id"], {"title": "Mine"}, version=1)

    sides = {side.field: (side.base, side.mine, side.theirs) for side in conflict.value.sides}
    assert sides == {"title": ("First", "Mine", "Third"), "priority": (1, 1, 2)}


@pytest.mark.parametrize("bulk", [False, True])
async def test_deleting_for_good_needs_the_permission_to_purge(
    registry: Registry, database: Database, ada: Person, sql: Any, bulk: bool
) -> None:
    task = await ada.add("Water")
    may_delete = origin_for(
        Actor(ada.id, ada.email, permissions=frozenset({"admin.enter", "tasks.view", "tasks.delete"}))
    )
    admin = AdminService(registry, database, may_delete)
    await admin.editor.delete("tasks", task["id"])

    if bulk:
        outcome = await admin.actions.act("tasks", "delete", Selection(ids=[UUID(task["id"])]))
        assert [failure.message for failure in outcome.failed] == ["This needs the permission tasks.purge."]
    else:
        with pytest.raises(Forbidden, match="tasks.purge"):
            await admin.editor.delete("tasks", task["id"])

    assert await sql.fetchval("SELECT count(*) FROM tasks") == 1


async def test_a_task_goes_to_the_trash_and_from_there_for_good(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add("Water")

    await admin.editor.delete("tasks", task["id"])

    assert (await admin.queries.page("tasks")).items == []
    assert [row.title for row in (await admin.queries.page("tasks", ListQuery(trash=True))).items] == ["Water"]
    await admin.editor.delete("tasks", task["id"])
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 0
    (entry,) = await events(sql, "tasks.purge")
    assert (entry["before"]["title"], entry["after"]) == (None, None)
    assert "Water" not in str(await sql.fetch("SELECT e::text FROM audit_events e"))


async def test_an_erased_change_cannot_be_undone(admin: AdminService, ada: Person, sql: Any) -> None:
    task = await ada.add("Water")
    await admin.editor.change("tasks", task["id"], {"title": "Milk"})
    change = (await admin.history.of_row("tasks", task["id"])).items[0]
    await sql.execute("UPDATE audit_events SET before = '{\"title\": null}', after = '{\"title\": null}'")

    erased = (await admin.history.of_row("tasks", task["id"])).items[0]

    assert (change.revertible, erased.revertible) == (True, False)
    with pytest.raises(Conflict, match="cannot be undone"):
        await admin.history.revert("tasks", task["id"], change.id)


async def test_what_lies_in_the_trash_can_be_had_back(admin: AdminService, ada: Person) -> None:
    task = await ada.add("Water")
    await admin.editor.delete("tasks", task["id"])

    row = await admin.editor.restore("tasks", task["id"])

    assert row.deleted_at is None
    with pytest.raises(Invalid):
        await admin.editor.restore("tasks", task["id"])


async def test_a_delete_says_what_it_takes_along(admin: AdminService, ada: Person) -> None:
    await ada.add("A")
    await ada.add("B", due=DAY, recurrence={"rrule": "FREQ=MONTHLY"})
    task = await ada.add("C")
    await admin.editor.delete("tasks", task["id"])

    found = await admin.editor.preview("tasks", [task["id"]])

    assert (found.to_trash, [row.label for row in found.rows], found.taken) == (False, ["C"], [])


async def test_ones_own_rows_are_all_that_can_be_touched(as_ada: AdminService, bob: Person, sql: Any) -> None:
    task = await bob.add("Theirs")

    for act in (
        as_ada.editor.change("tasks", task["id"], {"title": "Mine"}), as_ada.editor.delete("tasks", task["id"]),
        as_ada.editor.restore("tasks", task["id"]), as_ada.editor.preview("tasks", [task["id"]]),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await act
    assert await events(sql, "tasks.change") == []


async def test_a_task_cannot_be_given_to_somebody_one_cannot_see(as_ada: AdminService, bob: Person) -> None:
    with pytest.raises(Invalid):
        await as_ada.editor.add("tasks", {"title": "Gift", "owner_id": str(bob.id)})

    assert (await as_ada.editor.add("tasks", {"title": "Mine"})).title == "Mine"


@pytest.mark.parametrize("verb", ["add", "change", "delete"])
async def test_a_verb_needs_its_permission(registry: Registry, database: Database, ada: Person, verb: str) -> None:
    task = await ada.add("Water")
    permissions = frozenset({"admin.enter", "tasks.view"})
    admin = AdminService(registry, database, origin_for(Actor(id=ada.id, name=ada.email, permissions=permissions)))
    act = {
        "add": lambda: admin.editor.add("tasks", {"title": "x"}),
        "change": lambda: admin.editor.change("tasks", task["id"], {"title": "x"}),
        "delete": lambda: admin.editor.delete("tasks", task["id"]),
    }

    with pytest.raises(Forbidden, match=f"tasks.{verb}"):
        await act[verb]()


async def test_a_verb_the_declaration_does_not_have_is_nobodys(admin: AdminService, ada: Person) -> None:
    with pytest.raises(Forbidden):
        await admin.editor.add("users", {"email": "x@example.com"})


async def test_a_change_of_an_unknown_resource_is_not_found(admin: AdminService) -> None:
    with pytest.raises(NotFound):
        await admin.editor.change("nonsense", uuid4(), {})


async def test_a_view_is_saved_for_a_resource_that_there_is(admin: AdminService) -> None:
    with pytest.raises(Invalid) as refused:
        await admin.editor.add("saved_views", {"name": "Late", "resource": "nosuch", "query": "", "shared": False})

    assert refused.value.errors[0].field == "body.resource"


async def test_a_row_that_others_refer_to_says_so(sql: Any) -> None:
    await sql.execute("CREATE TEMP TABLE shelves (id int PRIMARY KEY)")
    await sql.execute("CREATE TEMP TABLE books (shelf int REFERENCES shelves)")
    await sql.execute("INSERT INTO shelves VALUES (1)")
    await sql.execute("INSERT INTO books VALUES (1)")

    with pytest.raises(asyncpg.ForeignKeyViolationError) as kept:
        await sql.execute("DELETE FROM shelves")
    with pytest.raises(asyncpg.ForeignKeyViolationError) as missing:
        await sql.execute("INSERT INTO books VALUES (2)")

    said = [problem_from(error.value) for error in (kept, missing)]
    assert [problem and problem.detail[:18] for problem in said] == ["Other rows refer t", "A row that this re"]
