"""Lists on a screen of 1440 pixels: all columns are in sight beside the filters."""

import pytest
from browser.conftest import Opening
from support.factories import Person

TITLE = "Ask the landlord about the broken heating in the bathroom before the end of the month"


@pytest.mark.parametrize("name", ["tasks", "users", "sessions", "schedules", "series"])
async def test_no_column_is_out_of_sight(opening: Opening, boss: Person, name: str) -> None:
    window = await opening(boss, viewport={"width": 1440, "height": 900})
    day = {"kind": "day", "date": "2031-01-31"}
    await boss.add(TITLE, due=day, status="in_progress", priority=4, recurrence={"rrule": "FREQ=MONTHLY;BYMONTHDAY=31"})
    await boss.add("A" * 224, due=day, assignee_ids=[str(boss.id)])
    page = await window.go(f"/admin/{name}")
    out = await page.locator(".rows .scroll").evaluate("one => one.scrollWidth - one.clientWidth")

    assert out <= 0
