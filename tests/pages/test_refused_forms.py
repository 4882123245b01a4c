"""Forms that are refused, and rows that somebody else changed meanwhile: nobody's work is undone in silence."""

import re
from typing import Any

import httpx
import pytest
from support.factories import Person
from support.pages import Visitor, form_of, heading_of


async def filled(visitor: Visitor, path: str, **fields: str) -> dict[str, list[str]]:
    """The form of a page, with these fields filled in."""
    return form_of(await visitor.get(path), path) | {name: [value] for name, value in fields.items()}


async def stored(boss: Person, task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await boss.http.get(f"/api/tasks/{task['id']}")).json()
    return found


async def test_a_refused_form_keeps_the_version_and_the_values_it_began_with(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("Water", notes="A spoonful.")
    path = f"/admin/tasks/{task['id']}"
    mine = await filled(visitor, path, title="Water all", due="31st")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"notes": "A bucket.", "priority": 3})

    refused = await visitor.send(path, **mine)

    assert refused.status_code == 422
    assert form_of(refused, path) == mine


async def test_the_save_after_a_refused_form_undoes_nobodys_change(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("Water", notes="A spoonful.")
    path = f"/admin/tasks/{task['id']}"
    mine = await filled(visitor, path, title="Water all", due="31st")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"notes": "A bucket.", "priority": 3})
    again = form_of(await visitor.send(path, **mine), path) | {"due": ["2031-01-31"]}

    conflict = await visitor.send(path, **again)

    assert (conflict.status_code, heading_of(conflict)) == (409, "Edit conflict")
    offered = form_of(conflict, path)
    assert (offered["title"], offered["due"], offered["notes"]) == (["Water all"], ["2031-01-31"], ["A bucket."])
    assert (await visitor.send(path, **offered)).status_code == 303
    saved = await stored(boss, task)
    assert (saved["title"], saved["notes"], saved["priority"]) == ("Water all", "A bucket.", 3)
    assert saved["due"] == {"kind": "day", "date": "2031-01-31"}


async def test_a_refused_page_of_a_conflict_keeps_what_it_was_against(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("Water")
    path = f"/admin/tasks/{task['id']}"
    mine = await filled(visitor, path, title="Mine")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Second"})
    conflict = form_of(await visitor.send(path, **mine), path) | {"title": ["M" * 501]}
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Third"})

    refused = await visitor.send(path, **conflict)

    assert refused.status_code == 422
    kept = form_of(refused, path)
    assert (kept["_version"], kept["_was.title"]) == (["2"], ["Second"])
    again = await visitor.send(path, **kept | {"title": ["Mine"]})
    assert again.status_code == 409
    assert "Third" in again.text
    assert (await stored(boss, task))["title"] == "Third"


async def test_a_conflict_on_the_page_of_a_conflict_shows_the_newest_version(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("Water")
    path = f"/admin/tasks/{task['id']}"
    mine = await filled(visitor, path, title="Mine")
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Second"})
    conflict = form_of(await visitor.send(path, **mine), path)
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Third"})

    again = await visitor.send(path, **conflict)

    assert again.status_code == 409
    assert (form_of(again, path)["_version"], form_of(again, path)["_was.title"]) == (["3"], ["Third"])


async def test_a_form_without_its_version_is_refused(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("Water")

    assert (await visitor.send(f"/admin/tasks/{task['id']}", title="Other")).status_code == 422
    assert (await visitor.send(f"/admin/tasks/{task['id']}/cell/title", title="Other")).status_code == 422
    assert (await visitor.send("/admin/account", name="Other")).status_code == 422
    assert (await stored(boss, task))["title"] == "Water"


async def test_a_refused_cell_keeps_its_version_and_then_leads_to_the_three_versions(
    visitor: Visitor, boss: Person
) -> None:
    task = await boss.add("Water", priority=1)
    cell, row = f"/admin/tasks/{task['id']}/cell/priority", f"/admin/tasks/{task['id']}"
    begun = form_of(await visitor.get(cell), cell)
    await boss.http.patch(f"/api/tasks/{task['id']}", json={"priority": 3})

    refused = await visitor.send(cell, **begun | {"priority": ["99"]})
    assert (refused.status_code, form_of(refused, cell)) == (422, begun | {"priority": ["99"]})
    conflict = await visitor.send(cell, **begun | {"priority": ["2"]})
    assert form_of(conflict, row) == begun | {"priority": ["2"]}
    compared = await visitor.send(row, **form_of(conflict, row))

    assert (compared.status_code, heading_of(compared)) == (409, "Edit conflict")
    assert (await stored(boss, task))["priority"] == 3


async def test_a_refused_list_keeps_every_line(visitor: Visitor) -> None:
    sent = {"name": "keeper", "permissions": "tasks.view\r\ntasks.nonsense"}

    refused = await visitor.send("/admin/roles/add", **sent)

    assert refused.status_code == 422
    assert form_of(refused, "/admin/roles/add")["permissions"] == ["", "tasks.view", "tasks.nonsense"]


async def test_a_refused_action_keeps_what_was_filled_in(visitor: Visitor) -> None:
    sent = {"action": "add_service_account", "confirmed": "1", "name": "x" * 64, "roles": "admin"}

    refused = await visitor.send("/admin/users/act", **sent)

    assert refused.status_code == 422
    assert form_of(refused, "/admin/users/act").items() >= {"name": ["x" * 64], "roles": ["admin"]}.items()


@pytest.fixture
async def own(visitor: Visitor) -> dict[str, list[str]]:
    return form_of(await visitor.get("/admin/account"), "/admin/account")


async def test_a_refused_account_keeps_its_version_and_what_was_typed(
    visitor: Visitor, boss: Person, own: dict[str, list[str]]
) -> None:
    mine = own | {"name": ["Mine"], "timezone": ["Mars/Olympus"]}

    refused = await visitor.send("/admin/account", **mine)

    assert refused.status_code == 422
    assert form_of(refused, "/admin/account") == mine
    await boss.http.patch("/api/auth/me", json={"name": "Theirs"})
    assert (await visitor.send("/admin/account", **mine | {"timezone": ["UTC"]})).status_code == 409


async def test_an_account_changed_meanwhile_shows_three_versions(
    visitor: Visitor, boss: Person, own: dict[str, list[str]]
) -> None:
    await boss.http.patch("/api/auth/me", json={"timezone": "Asia/Tokyo"})

    conflict = await visitor.send("/admin/account", **own | {"name": ["Mine"]})

    assert (conflict.status_code, heading_of(conflict)) == (409, "Edit conflict")
    offered = form_of(conflict, "/admin/account")
    assert (offered["name"], offered["timezone"]) == (["Mine"], ["Asia/Tokyo"])
    assert (await visitor.send("/admin/account", **offered)).status_code == 303
    me = (await boss.http.get("/api/auth/me")).json()
    assert (me["name"], me["timezone"]) == ("Mine", "Asia/Tokyo")


async def test_a_recurring_task_is_added_by_its_rule_and_a_wrong_rule_is_refused_beside_its_field(
    visitor: Visitor, boss: Person
) -> None:
    path = "/admin/tasks/add"
    mine = await filled(visitor, path, title="Rent", owner_id=boss.email, due="2031-01-31", recurrence="MONTHLY")

    refused = await visitor.send(path, **mine)

    assert refused.status_code == 422
    again = form_of(refused, path)
    assert again == mine
    assert (await visitor.send(path, **again | {"recurrence": ["FREQ=MONTHLY"]})).status_code == 303
    (task,) = (await boss.http.get("/api/tasks")).json()["items"]
    assert (task["occurrence"], task["series_id"] is not None) == ("2031-01-31", True)
    assert "FREQ=MONTHLY" in (await visitor.get(f"/admin/tasks/{task['id']}")).text


async def test_a_picker_that_was_not_touched_changes_nothing(visitor: Visitor, sql: Any) -> None:
    stored = ["users.view", "*", "audit.view"]
    role = await sql.fetchval(
        "INSERT INTO roles (id, created_at, updated_at, version, name, permissions)"
        " VALUES (gen_random_uuid(), now(), now(), 1, 'odd', $1) RETURNING id",
        stored,
    )
    path = f"/admin/roles/{role}"

    answer = await visitor.send(path, **form_of(await visitor.get(path), path))
    kept = await sql.fetchval("DELETE FROM roles WHERE id = $1 RETURNING permissions", role)

    assert kept == stored
    assert "No changes were made." in await visitor.follow(answer)


async def test_forms_offer_what_they_can_set(visitor: Visitor, boss: Person) -> None:
    task = await boss.add("Water")
    path = f"/admin/tasks/{task['id']}"
    asked = {"action": "change", "id": [task["id"]]}

    before = [await visitor.get(path), await visitor.get(f"{path}/cell/status")]
    before.append(await visitor.send("/admin/tasks/act", **asked))
    await boss.http.post(f"/api/tasks/{task['id']}/complete")
    after = [await visitor.get(path), await visitor.get(f"{path}/cell/status")]
    added = await visitor.get("/admin/tasks/add")

    assert [offered(page) for page in before] == [["open", "in_progress", "waiting"]] * 3
    assert [offered(page) for page in after] == [["done"]] * 2
    assert offered(added) == ["open", "in_progress", "waiting", "done", "cancelled"]


def offered(page: httpx.Response) -> list[str]:
    """The statuses that the form of a page has."""
    (select,) = re.findall(r'<select[^>]* name="status".*?</select>', page.text, re.DOTALL)
    return [value for value in re.findall(r'<option value="(\w*)"', select) if value]


async def test_what_was_typed_into_a_row_that_was_deleted_can_be_added_again(visitor: Visitor, boss: Person) -> None:
    project = (await boss.http.post("/api/projects", json={"name": "House"})).json()
    (await boss.http.post(f"/api/projects/{project['id']}/sections", json={"name": "Kitchen"})).raise_for_status()
    path = f"/admin/projects/{project['id']}"
    mine = await filled(visitor, path, name="Mansion", description="Two\nlines.")
    mine["name-sections-1"] = ["Bath"]
    (await boss.http.delete(f"/api/projects/{project['id']}")).raise_for_status()

    answer = await visitor.send(path, **mine)

    assert answer.status_code == 404
    assert "Another user has deleted this row. Saving adds it again." in answer.text
    again = form_of(answer, "/admin/projects/add")
    assert (again["name"], again["description"]) == (["Mansion"], ["Two\nlines."])
    assert (await visitor.send("/admin/projects/add", **again)).status_code == 303
    (added,) = [one for one in (await boss.http.get("/api/projects")).json()["items"] if one["name"] == "Mansion"]
    sections = (await boss.http.get(f"/api/projects/{added['id']}/sections")).json()["items"]
    assert [one["name"] for one in sections] == ["Kitchen", "Bath"]


@pytest.mark.parametrize("changed", [False, True])
async def test_what_was_typed_into_a_row_in_the_trash_is_saved_with_its_restore(
    visitor: Visitor, boss: Person, changed: bool
) -> None:
    task = await boss.add("Water")
    path = f"/admin/tasks/{task['id']}"
    mine = await filled(visitor, path, title="Water all", priority="3")
    if changed:
        await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Theirs"})
    (await boss.http.delete(f"/api/tasks/{task['id']}")).raise_for_status()

    answer = await visitor.send(path, **mine)

    assert answer.status_code == 409
    assert "Another user has moved this row to the trash." in answer.text
    assert form_of(answer, path) == mine
    assert (await visitor.send(path, **form_of(answer, path))).status_code == 409
    assert (await visitor.send(path, **mine | {"title": [""]}, _restore="1")).status_code == 422
    assert (await boss.http.get(f"/api/tasks/{task['id']}")).status_code == 404
    saved = await visitor.send(path, **form_of(answer, path), _restore="1")
    assert saved.status_code == (409 if changed else 303)
    title = (await stored(boss, task))["title"]
    assert title == ("Theirs" if changed else "Water all")


async def test_a_form_of_no_row_shows_nothing(visitor: Visitor) -> None:
    missing = "/admin/tasks/0190f5f0-7c1d-7000-8000-000000000000"

    assert heading_of(await visitor.send(missing, title="Mine")) == "Page not found"
    assert (
        heading_of(await visitor.send(missing.replace("tasks", "nothing"), title="A", _version="1")) == "Page not found"
    )
