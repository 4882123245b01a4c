"""`include=series,subtasks`: what a task shows of its series, and what is directly below it."""

from typing import Any

import pytest
from support.factories import Person
from support.series import Json, Sql, act, begin, day, patch, steer

from todo.domain.tasks import includes


async def read(person: Person, task: Json, query: str = "?include=series,subtasks") -> Json:
    answer = await person.http.get(f"/api/tasks/{task['id']}{query}")
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


async def listed(person: Person, query: str) -> dict[str, Json]:
    """The tasks of a page, by title."""
    answer = await person.http.get(f"/api/tasks?{query}")
    assert answer.status_code == 200, answer.text
    return {task["title"]: task for task in answer.json()["items"]}


async def test_a_task_shows_the_rule_of_its_series(ada: Person) -> None:
    task = await begin(ada, "2031-01-31", "FREQ=MONTHLY;BYMONTHDAY=31", until="2032-01-31")

    shown = (await read(ada, task))["series"]

    assert shown == {
        "id": task["series_id"], "version": 1, "status": "active", "rrule": "FREQ=MONTHLY;BYMONTHDAY=31",
        "sentence": "Every month on the 31st, until 31 January 2032; in shorter months the last day",
        "timezone": None, "count": None, "until": "2032-01-31",
    }  # fmt: skip


async def test_a_list_shows_the_series_of_each_task(ada: Person) -> None:
    zoned = {"kind": "zoned", "at": "2031-01-01T09:00", "timezone": "Asia/Tokyo"}
    await ada.add("Tokyo", due=zoned, recurrence={"rrule": "FREQ=DAILY"})
    await ada.add("Weekly", due=day("2031-01-01"), recurrence={"rrule": "FREQ=WEEKLY"})
    await ada.add("Once")

    found = await listed(ada, "include=series")

    assert found["Tokyo"]["series"]["timezone"] == "Asia/Tokyo"
    assert found["Weekly"]["series"]["id"] == found["Weekly"]["series_id"]
    assert found["Once"]["series"] is None
    assert "subtasks" not in found["Once"]


async def test_subtasks_are_those_directly_below_the_oldest_first(ada: Person) -> None:
    parent = await ada.add("Move", notes="Long")
    packed = await ada.add("Pack", parent_id=parent["id"], due=day("2020-01-01"), notes="Not shown")
    await ada.add("Books", parent_id=packed["id"])
    gone = await ada.add("Gone", parent_id=parent["id"])
    await ada.add("Drive", parent_id=parent["id"])
    await ada.http.delete(f"/api/tasks/{gone['id']}")

    shown = await read(ada, parent)

    assert [subtask["title"] for subtask in shown["subtasks"]] == ["Pack", "Drive"]
    assert shown["subtasks"][0] == {
        **{name: packed[name] for name in shown["subtasks"][0]}, "progress": {"done": 0, "total": 1},
    }  # fmt: skip
    assert (shown["subtasks"][0]["overdue"], "notes" in shown["subtasks"][0]) == (True, False)
    assert (shown["subtasks_cut_off"], shown["series"]) == (False, None)
    assert (await listed(ada, "include=subtasks&parent_id=none"))["Move"]["subtasks"] == shown["subtasks"]
    assert (await read(ada, packed))["subtasks"][0]["title"] == "Books"


async def test_of_many_subtasks_the_oldest_are_shown_and_it_is_said(ada: Person, sql: Sql) -> None:
    parent = await ada.add()
    first = await ada.add("First", parent_id=parent["id"])
    columns = "owner_id, project_id, created_by, title, notes, status, priority, parent_id, updated_at, version"
    await sql.execute(
        f"INSERT INTO tasks (id, created_at, {columns}) SELECT new_id(), now(), {columns} FROM tasks,"
        f" generate_series(1, {includes.MOST}) WHERE id = $1",
        first["id"],
    )

    shown = await read(ada, parent)

    assert (len(shown["subtasks"]), shown["subtasks_cut_off"]) == (includes.MOST, True)
    assert shown["subtasks"][0]["id"] == first["id"]


async def test_nothing_is_included_that_is_not_asked_for(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    assert await read(ada, task, "") == task
    assert (await ada.http.get("/api/tasks")).json()["items"] == [task]


async def test_the_etag_changes_with_the_series_and_with_a_subtask(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    child = await ada.add("Below", parent_id=task["id"])
    path = f"/api/tasks/{task['id']}?include=series,subtasks"

    async def changes() -> bool:
        """Whether the answer is another than the last one."""
        answer = await ada.http.get(path, headers={"if-none-match": changes.known})  # type: ignore[attr-defined]  # below
        changes.known = answer.headers["etag"]  # type: ignore[attr-defined]
        return answer.status_code == 200

    changes.known = "none"  # type: ignore[attr-defined]
    assert await changes()
    assert not await changes()
    await steer(ada, task, "pause", {})
    assert await changes()
    await patch(ada, child, {"title": "Beneath"})
    assert await changes()
    assert not await changes()


async def test_the_etag_of_a_list_changes_with_the_series(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    before = await ada.http.get("/api/tasks?include=series")
    known = {"if-none-match": before.headers["etag"]}
    assert (await ada.http.get("/api/tasks?include=series", headers=known)).status_code == 304

    await steer(ada, task, "pause", {})

    after = await ada.http.get("/api/tasks?include=series", headers=known)
    assert (after.status_code, after.json()["items"][0]["series"]["status"]) == (200, "paused")


async def test_an_etag_with_includes_is_good_for_if_match(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")
    etag = (await ada.http.get(f"/api/tasks/{task['id']}?include=series")).headers["etag"]

    assert (await patch_if(ada, task, etag)).status_code == 200
    assert (await patch_if(ada, task, etag)).status_code == 412


async def patch_if(person: Person, task: Json, etag: str) -> Any:
    return await person.http.patch(f"/api/tasks/{task['id']}", json={"title": "B"}, headers={"if-match": etag})


@pytest.mark.parametrize("query", ["include=series,subtasks", "include=series&include=subtasks"])
async def test_several_are_separated_by_commas_or_repeated(ada: Person, query: str) -> None:
    await ada.add("A")

    assert {"series", "subtasks"} < (await listed(ada, f"{query}&include=upcoming"))["A"].keys()


@pytest.mark.parametrize("value", ["parents", "series,", "series,parents", "Series"])
async def test_what_cannot_be_included_is_refused(ada: Person, value: str) -> None:
    task = await ada.add()

    for path in (f"/api/tasks?include={value}", f"/api/tasks/{task['id']}?include={value}"):
        (error,) = (await ada.http.get(path)).json()["errors"]
        assert (error["field"], error["code"]) == ("query.include", "not_a_choice")
        assert "series, subtasks" in error["message"]
    assert (await ada.http.get(f"/api/tasks/{task['id']}?include=upcoming")).status_code == 422


async def test_a_rule_that_cannot_be_read_hides_no_task(ada: Person, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    await sql.execute("UPDATE series SET rrule = 'nonsense' WHERE id = $1", task["series_id"])

    assert (await read(ada, task))["series"]["rrule"] == "nonsense"


async def test_pages_go_on_with_includes(ada: Person) -> None:
    for title in "abc":
        await ada.add(title)
    first = (await ada.http.get("/api/tasks?include=series,subtasks&limit=2&sort=title")).json()

    second = await listed(ada, f"include=series,subtasks&limit=2&sort=title&cursor={first['next_cursor']}")

    assert [*second] == ["c"]


@pytest.mark.parametrize(
    "due", [day("2031-01-01"), {"kind": "zoned", "at": "2031-01-01T09:00", "timezone": "Asia/Tokyo"}]
)
async def test_the_fields_of_a_due_always_come_in_one_order(ada: Person, due: Json) -> None:
    task = await ada.add(due=due, start=due)
    wanted = [*due]

    changed = (await patch(ada, task, {"parent_id": None})).json()
    done = await act(ada, task, "complete")
    for shown in (task, changed, done, await read(ada, task), *(await listed(ada, "sort=start")).values()):
        assert ([*shown["due"]], [*shown["start"]]) == (wanted, wanted)
