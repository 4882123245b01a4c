"""The form of a copy: what it refers to is the same row, whatever others are called."""

from typing import Any

import pytest
from support.factories import Person
from support.pages import Visitor, form_of, text_of

ADD = "/admin/tasks/add"


@pytest.fixture
async def copied(visitor: Visitor, boss: Person, ada: Person) -> dict[str, Any]:
    """A task in an inbox, as everybody has one, below one of two tasks of one name."""
    parent = await boss.add("Pay the rent")
    await boss.add("Pay the rent")
    await ada.add("Water the plants")
    return await boss.add("Call the bank", parent_id=parent["id"])


async def test_a_copy_of_a_task_in_an_inbox_is_saved(visitor: Visitor, copied: dict[str, Any], sql: Any) -> None:
    form = form_of(await visitor.get(f"/admin/tasks/{copied['id']}/copy"), ADD)
    assert (form["project_id"], form["parent_id"]) == (["Inbox"], ["Pay the rent"])

    answer = await visitor.send(ADD, **form)

    assert answer.status_code == 303, text_of(answer)
    rows = await sql.fetch("SELECT id, project_id, parent_id FROM tasks WHERE title = 'Call the bank'")
    assert [(str(row["project_id"]), str(row["parent_id"])) for row in rows] == [
        (copied["project_id"], copied["parent_id"])
    ] * 2


async def test_a_copy_keeps_what_it_refers_to_after_an_error(
    visitor: Visitor, copied: dict[str, Any], sql: Any
) -> None:
    form = form_of(await visitor.get(f"/admin/tasks/{copied['id']}/copy"), ADD)

    refused = await visitor.send(ADD, **form | {"title": [""]})
    again = form_of(refused, ADD)
    answer = await visitor.send(ADD, **again | {"title": ["Call the bank again"]})

    assert (refused.status_code, answer.status_code) == (422, 303)
    found = await sql.fetchval("SELECT parent_id FROM tasks WHERE title = 'Call the bank again'")
    assert str(found) == copied["parent_id"]


async def test_a_reference_that_is_typed_into_a_copy_counts(visitor: Visitor, copied: dict[str, Any], sql: Any) -> None:
    form = form_of(await visitor.get(f"/admin/tasks/{copied['id']}/copy"), ADD)

    other = await visitor.send(ADD, **form | {"title": ["New"], "parent_id": ["Call the bank"]})
    unclear = await visitor.send(ADD, **form | {"parent_id": ["pay the rent"]})

    assert other.status_code == 303
    assert str(await sql.fetchval("SELECT parent_id FROM tasks WHERE title = 'New'")) == copied["id"]
    assert unclear.status_code == 422
    assert "2 rows are called pay the rent: write the id of one." in text_of(unclear)


async def test_an_id_of_somebody_else_in_a_copy_is_not_accepted(
    visitor: Visitor, copied: dict[str, Any], sql: Any
) -> None:
    form = form_of(await visitor.get(f"/admin/tasks/{copied['id']}/copy"), ADD)

    unknown = await visitor.send(ADD, **form | {"_id.parent_id": ["01900000-0000-7000-8000-000000000000"]})
    broken = await visitor.send(ADD, **form | {"_id.parent_id": ["nonsense"]})

    assert (unknown.status_code, broken.status_code) == (422, 422)
    assert "There is no such task." in text_of(unknown)


async def test_all_errors_of_a_form_are_shown_at_once(visitor: Visitor) -> None:
    form = {"title": "", "owner_id": "nobody", "due": "x", "priority": "9", "deadline": "blub", "project_id": "nowhere"}

    answer = await visitor.send(ADD, **form)

    assert answer.status_code == 422
    wrong = [name for name in form if f'id="field-{name}-error"' in answer.text]
    assert wrong == [*form]
    assert "No row is called nobody." in answer.text
    assert "Must be a whole number from 0 to 4." in answer.text


async def test_all_errors_of_a_change_are_shown_at_once(visitor: Visitor, copied: dict[str, Any]) -> None:
    form = {"parent_id": "nowhere", "due": "x", "title": ""}

    answer = await visitor.send(f"/admin/tasks/{copied['id']}", _version="1", **form)

    assert answer.status_code == 422
    assert [name for name in form if f'id="field-{name}-error"' in answer.text] == [*form]
