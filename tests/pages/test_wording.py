"""Words of the pages, and times as people write them."""

from datetime import UTC, datetime

import pytest
from support.factories import Person
from support.pages import Visitor, heading_of, text_of

from todo.admin.pages import languages
from todo.modules import REGISTRY

NOW = datetime(2026, 11, 29, 23, 30, tzinfo=UTC)  # in Tokyo it is the 30th


@pytest.mark.parametrize(
    ("moment", "timezone", "shown"),
    [
        (datetime(2026, 11, 29, 20, tzinfo=UTC), "UTC", "today 20:00"),
        (datetime(2026, 11, 28, 20, tzinfo=UTC), "UTC", "yesterday 20:00"),
        (datetime(2026, 11, 30, 0, 5, tzinfo=UTC), "UTC", "tomorrow 00:05"),
        (datetime(2026, 11, 29, 14, tzinfo=UTC), "Asia/Tokyo", "yesterday 23:00"),
        (datetime(2026, 3, 4, 20, 30, tzinfo=UTC), "Asia/Tokyo", "5 Mar 05:30"),
        (datetime(2027, 1, 2, 9, tzinfo=UTC), "UTC", "2 Jan 2027"),
    ],
)
def test_a_time_is_written_as_people_write_it(
    monkeypatch: pytest.MonkeyPatch, moment: datetime, timezone: str, shown: str
) -> None:
    monkeypatch.setattr(languages, "now", lambda: NOW)

    assert languages.language_of("en").friendly(moment, timezone) == shown


async def test_what_was_done_to_rows_is_a_sentence(visitor: Visitor, boss: Person) -> None:
    ids = [(await boss.add(title))["id"] for title in ("Water", "Rent")]
    sent = {"action": "change", "id": ids, "confirmed": "1", "_set": "priority", "priority": "3"}

    asked = await visitor.send("/admin/tasks/act", action="change", id=ids)
    changed = await visitor.follow(await visitor.send("/admin/tasks/act", **sent))
    deleted = await visitor.follow(await visitor.send("/admin/tasks/act", action="delete", id=ids, confirmed="1"))

    assert heading_of(asked) == "Edit 2 tasks"
    assert "2 tasks updated." in changed
    assert "2 tasks deleted." in deleted


async def test_many_actions_are_one_menu_with_the_dangerous_last(visitor: Visitor, boss: Person) -> None:
    page = (await visitor.get(f"/admin/users/{boss.id}")).text

    labels = [one.label for one in sorted(REGISTRY["users"].actions.values(), key=lambda one: one.dangerous)]
    found = sorted(
        (label for label in labels if f">{label}</button>" in page), key=lambda label: page.index(f">{label}<")
    )
    assert found == [label for label in labels if label in found]
    assert 'class="button">More actions</summary>' in page


async def test_an_empty_list_offers_what_to_do(visitor: Visitor) -> None:
    empty = await visitor.get("/admin/tasks")
    trash = await visitor.get("/admin/tasks", trash="1")

    assert 'href="/admin/tasks/import"' in empty.text and "Add the first one, or import a file." in text_of(empty)
    assert "Back to the list" in text_of(trash)
