"""Whatever changes what a GET shows, changes its ETag and `updated_at`: nobody is answered 304 with old news."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.factories import Person
from support.series import Json, act, begin, patch, steer, work

from todo.database import Database

Step = Callable[[Person, Json, Database], Awaitable[Any]]


async def change_zone(ada: Person, _: Json, database: Database) -> None:
    assert (await ada.http.patch("/api/auth/me", json={"timezone": "Pacific/Kiritimati"})).status_code == 200
    await work(database)


async def reopen(ada: Person, task: Json, _: Database) -> None:
    await act(ada, task, "complete")
    await act(ada, task, "reopen")


STEPS: dict[str, Step] = {
    "complete": lambda ada, task, _: act(ada, task, "complete"),
    "skip": lambda ada, task, _: act(ada, task, "skip"),
    "reopen": reopen,
    "delete": lambda ada, task, _: ada.http.delete(f"/api/tasks/{task['id']}"),
    "title": lambda ada, task, _: patch(ada, task, {"title": "Sweep"}, "all"),
    "split": lambda ada, task, _: patch(ada, task, {"title": "Sweep"}, "following"),
    "rule": lambda ada, task, _: patch(ada, task, {"recurrence": {"rrule": "FREQ=WEEKLY"}}),
    "pause": lambda ada, task, _: steer(ada, task, "pause", {}),
    "end": lambda ada, task, _: steer(ada, task, "end", {"open": "cancel"}),
    "skip missed": lambda ada, task, _: steer(ada, task, "skip-missed"),
    "vacation": lambda ada, _, __: ada.http.post("/api/me/vacation", json={"until": "2026-12-24"}),
    "time zone": change_zone,
    "worker": lambda _, __, database: work(database),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("day", ["2026-01-01", "2031-01-01"], ids=["past", "future"])
async def test_a_changed_body_has_another_etag(ada: Person, database: Database, step: str, day: str) -> None:
    task = await begin(ada, day, on_missed="skip_to_next")
    paths = [f"/api/tasks/{task['id']}", f"/api/series/{task['series_id']}"]
    before = [await ada.http.get(path) for path in paths]

    await STEPS[step](ada, task, database)

    for path, old in zip(paths, before, strict=True):
        new = await ada.http.get(path)
        if new.status_code == 404:  # deleted
            continue
        again = await ada.http.get(path, headers={"If-None-Match": old.headers["ETag"]})
        changed = new.json() != old.json()
        assert (again.status_code == 200) == changed
        assert (new.json()["updated_at"] != old.json()["updated_at"]) or not changed


async def test_what_the_worker_did_does_not_refuse_a_change_of_a_person(ada: Person, database: Database) -> None:
    task = await begin(ada, "2026-01-01", on_missed="skip_to_next")
    path = f"/api/series/{task['series_id']}"
    known = (await ada.http.get(path)).headers["ETag"]
    await work(database)

    first = await ada.http.patch(path, json={"title": "Sweep"}, headers={"If-Match": known})
    second = await ada.http.patch(path, json={"title": "Water"}, headers={"If-Match": known})

    assert (first.status_code, second.status_code) == (200, 412)
