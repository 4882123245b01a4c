"""A row and the rows below it are added in one transaction, or not at all."""

from typing import Any

import pytest

from todo.admin.service import AdminService
from todo.admin.together import Edit, RowNotSaved, add_with_rows
from todo.errors import Invalid

LONG = "x" * 1000


async def counted(sql: Any) -> tuple[int, int]:
    """Projects beside inboxes, and sections."""
    return (
        await sql.fetchval("SELECT count(*) FROM projects WHERE id <> owner_id"),
        await sql.fetchval("SELECT count(*) FROM sections"),
    )


def named(*names: str) -> dict[str, list[Edit]]:
    return {"sections": [Edit(place, {"name": name}) for place, name in enumerate(names)]}


async def test_a_row_is_added_with_those_below_it(admin: AdminService, sql: Any) -> None:
    row = await add_with_rows(admin, "projects", {"name": "House"}, named("Attic", "Bath"))

    found = (await admin.queries.inlines("projects", row.id))["sections"].items
    assert (row.display, {one.name for one in found}) == ("House", {"Attic", "Bath"})
    events = await sql.fetch("SELECT action FROM audit_events WHERE action ~ '^(projects|sections)'")
    assert sorted(event["action"] for event in events) == ["projects.add", "sections.add", "sections.add"]


@pytest.mark.parametrize(
    ("name", "below", "refused"),
    [("House", ("Attic", LONG, ""), {1, 2}), (LONG, ("Attic", LONG), {1}), (LONG, ("Attic",), set())],
)
async def test_what_is_refused_is_reported_at_once_and_nothing_added(
    admin: AdminService, sql: Any, name: str, below: tuple[str, ...], refused: set[int]
) -> None:
    with pytest.raises(RowNotSaved) as caught:
        await add_with_rows(admin, "projects", {"name": name}, named(*below))

    assert isinstance(caught.value.problem, Invalid) == (name == LONG)
    assert caught.value.below.get("sections", {}).keys() == refused
    assert await counted(sql) == (0, 0)
