"""Values that people write in words where the wire has JSON."""

from typing import Any

import pytest

from todo.admin.service import AdminService
from todo.domain.tasks.admin.due_format import write_moment
from todo.errors import Invalid


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2031-01-31", {"kind": "day", "date": "2031-01-31"}),
        ("2031-01-31 09:00", {"kind": "floating", "at": "2031-01-31T09:00"}),
        ("2031-01-31 09:00 Europe/Berlin", {"kind": "zoned", "at": "2031-01-31T09:00", "timezone": "Europe/Berlin"}),
    ],
)
async def test_a_due_is_written_in_words_and_read_back(admin: AdminService, text: str, moment: Any) -> None:
    task = await admin.editor.add("tasks", {"title": "Pay the rent", "due": text}, lax=True)

    assert {name: str(value)[:16] for name, value in task.due.items()} == {k: v[:16] for k, v in moment.items()}
    assert write_moment(task.due) == text


async def test_the_wire_form_is_read_too(admin: AdminService) -> None:
    task = await admin.editor.add("tasks", {"title": "Rent", "due": '{"kind": "day", "date": "2031-01-31"}'}, lax=True)

    assert task.due == {"kind": "day", "date": "2031-01-31"}


@pytest.mark.parametrize("text", ["soon", "2031-02-30", "2031-01-31 25:00", "2031-01-31 09:00 Europe/Nowhere"])
async def test_what_is_no_moment_is_refused_by_its_field(admin: AdminService, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        await admin.editor.add("tasks", {"title": "Rent", "due": text}, lax=True)

    assert [error.field.split(".")[1] for error in refused.value.errors] == ["due"]
