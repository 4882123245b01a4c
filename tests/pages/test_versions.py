"""What is done to a row from its own page is asked about again after somebody else has changed the row."""

from typing import Any

import pytest
from support.factories import Person
from support.pages import Visitor, form_of, text_of

ACT = "/admin/tasks/act"


async def opened(visitor: Visitor, task: dict[str, Any]) -> dict[str, Any]:
    """The form of the actions on the page of a task."""
    return form_of(await visitor.get(f"/admin/tasks/{task['id']}"), ACT)


async def theirs(boss: Person, task: dict[str, Any]) -> None:
    (await boss.http.patch(f"/api/tasks/{task['id']}", json={"title": "Theirs"})).raise_for_status()


async def test_a_row_that_somebody_else_changed_is_asked_about_before_it_is_deleted(
    visitor: Visitor, boss: Person, sql: Any
) -> None:
    task = await boss.add("Mine")
    asked = form_of(await visitor.send(ACT, **await opened(visitor, task) | {"action": "delete"}), ACT)
    await theirs(boss, task)

    again = await visitor.send(ACT, **asked)

    assert again.status_code == 409
    assert "Another user has changed this row." in text_of(again)
    assert "Changed since you opened it Titlebefore: Mine after: Theirs" in text_of(again)
    assert await sql.fetchval("SELECT deleted_at FROM tasks") is None
    assert (await visitor.send(ACT, **form_of(again, ACT))).status_code == 303
    assert await sql.fetchval("SELECT deleted_at FROM tasks") is not None


async def test_a_row_that_was_changed_before_the_question_is_asked_about_again(
    visitor: Visitor, boss: Person, sql: Any
) -> None:
    task = await boss.add("Mine")
    form = await opened(visitor, task)
    await theirs(boss, task)

    asked = form_of(await visitor.send(ACT, **form | {"action": "delete"}), ACT)

    assert (await visitor.send(ACT, **asked)).status_code == 409
    assert await sql.fetchval("SELECT deleted_at FROM tasks") is None


async def test_an_action_says_what_somebody_else_changed(visitor: Visitor, boss: Person, sql: Any) -> None:
    task = await boss.add("Mine")
    form = await opened(visitor, task)
    await theirs(boss, task)

    again = await visitor.send(ACT, **form | {"action": "complete"})

    assert again.status_code == 409 and "Titlebefore: Mine after: Theirs" in text_of(again)
    assert await sql.fetchval("SELECT status FROM tasks") == "open"
    assert (await visitor.send(ACT, **form_of(again, ACT))).status_code == 303
    assert await sql.fetchval("SELECT status FROM tasks") == "done"


@pytest.mark.parametrize(("action", "status"), [("complete", 303), ("delete", 409)])
async def test_what_nobody_sees_matters_to_a_delete_alone(
    visitor: Visitor, boss: Person, sql: Any, action: str, status: int
) -> None:
    task = await boss.add("Mine")
    form = await opened(visitor, task)
    await sql.execute("UPDATE tasks SET version = version + 1")

    answer = await visitor.send(ACT, **form | {"action": action, "confirmed": "1"})

    assert answer.status_code == status


async def test_what_an_action_refuses_is_listed_as_for_many_rows(visitor: Visitor, boss: Person, sql: Any) -> None:
    task = await boss.add("Mine")
    form = await opened(visitor, task)
    await sql.execute("UPDATE tasks SET status = 'done', completed_at = now()")

    answer = await visitor.send(ACT, **form | {"action": "complete"})

    assert answer.status_code == 409 and "Failed for 1" in text_of(answer)
