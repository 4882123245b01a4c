"""JSON null where a time may stand, and within a time: accepted or refused, with the same words as any other value."""

from typing import Any

import pytest
from support.factories import Person, World

DAY = {"kind": "day", "date": "2031-01-01"}
FLOATING = {"kind": "floating", "at": "2031-01-01T10:00:00"}
ZONED = {"kind": "zoned", "at": "2031-01-01T10:00:00", "timezone": "Europe/Berlin"}
PARTLY = [{**time, name: None} for time in (DAY, FLOATING, ZONED) for name in time]
FIELDS = {"due": DAY, "start": DAY, "deadline": "2031-01-01"}
DAILY = {"recurrence": {"rrule": "FREQ=DAILY"}}


@pytest.mark.parametrize("field", FIELDS)
async def test_null_is_no_time(ada: Person, field: str) -> None:
    added = await ada.http.post("/api/tasks", json={"title": "A", field: None})
    task = await ada.add(title="B", **{field: FIELDS[field]})
    changed = await ada.http.patch(f"/api/tasks/{task['id']}", json={field: None})

    assert (added.status_code, added.json()[field]) == (201, None)
    assert (changed.status_code, changed.json()[field]) == (200, None)


@pytest.mark.parametrize("field", ["due", "start"])
@pytest.mark.parametrize("time", PARTLY)
async def test_null_within_a_time_is_refused_by_name(ada: Person, field: str, time: dict[str, Any]) -> None:
    task = await ada.add(title="A", due=DAY, **DAILY)
    bodies = [{"title": "B", field: time}, {"title": "B", field: time, **DAILY}, {field: time}, {field: time}]
    paths = ["/api/tasks", "/api/tasks", f"/api/tasks/{task['id']}", f"/api/series/{task['series_id']}"]

    for method, path, body in zip(["POST", "POST", "PATCH", "PATCH"], paths, bodies, strict=True):
        answer = await ada.http.request(method, path, json=body)
        assert answer.status_code in {400, 422}, (path, body, answer.text)
        assert answer.json()["errors"][0]["field"].startswith(f"body.{field}"), (path, answer.text)


@pytest.mark.parametrize("field", FIELDS)
async def test_null_is_no_time_in_the_administration(world: World, field: str) -> None:
    root = await world.person("root", "superuser")

    answer = await root.http.post("/api/admin/tasks", json={"title": "A", field: None})

    assert answer.status_code in {201, 422}, answer.text
