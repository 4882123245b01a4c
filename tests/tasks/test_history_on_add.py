"""Tasks from elsewhere, with their history; titles that can be seen; tasks that are called off."""

import unicodedata

import pytest
from support.factories import Person
from support.series import Sql, act, begin, day


async def test_a_task_from_elsewhere_keeps_its_history(ada: Person, sql: Sql) -> None:
    task = await ada.add(
        "Moved in", status="done", created_at="2019-05-01T08:00:00+02:00", completed_at="2019-05-03T10:00:00Z"
    )

    assert (task["status"], task["created_at"], task["completed_at"]) == (
        "done", "2019-05-01T06:00:00Z", "2019-05-03T10:00:00Z",
    )  # fmt: skip
    assert task["updated_at"] > "2026"
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json() == task
    found = (await ada.http.get("/api/tasks?completed_before=2020-01-01T00:00:00Z")).json()["items"]
    assert found == [task]
    assert await sql.fetchval("SELECT after->>'status' FROM audit_events WHERE action = 'tasks.add'") == "done"


async def test_a_closed_task_without_a_date_was_closed_now(ada: Person) -> None:
    task = await ada.add(status="cancelled", created_at="2019-05-01T08:00:00Z")

    assert task["completed_at"] == task["updated_at"]


async def test_a_new_task_was_added_when_it_was_changed(ada: Person) -> None:
    task = await ada.add()

    assert task["created_at"] == task["updated_at"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"completed_at": "2019-05-03T10:00:00Z"}, "completed_at"),
        ({"status": "done", "completed_at": "2119-05-03T10:00:00Z"}, "completed_at"),
        (
            {"status": "done", "created_at": "2020-01-01T00:00:00Z", "completed_at": "2019-01-01T00:00:00Z"},
            "completed_at",
        ),
        ({"created_at": "2119-05-03T10:00:00Z"}, "created_at"),
        ({"created_at": "1899-12-31T00:00:00Z"}, "created_at"),
        ({"created_at": "2019-05-03T10:00:00"}, "created_at"),
        ({"status": "done", "due": day("2031-01-01"), "recurrence": {"rrule": "FREQ=DAILY"}}, "status"),
    ],
)
async def test_a_history_that_cannot_be_is_refused(ada: Person, body: dict[str, object], field: str) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "a", **body})

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [f"body.{field}"])


async def test_a_task_is_called_off_and_taken_up_again(ada: Person) -> None:
    task = await ada.add()

    cancelled = await act(ada, task, "cancel")
    again = await act(ada, task, "reopen")

    assert (cancelled["status"], cancelled["completed_at"] is None, cancelled["next_task"]) == (
        "cancelled",
        False,
        None,
    )
    assert (again["status"], again["completed_at"]) == ("open", None)
    await act(ada, task, "complete")
    assert (await ada.http.post(f"/api/tasks/{task['id']}/cancel")).status_code == 409


async def test_calling_off_an_occurrence_opens_the_next(ada: Person) -> None:
    task = await begin(ada, "2031-01-01")

    cancelled = await act(ada, task, "cancel")

    assert (cancelled["status"], cancelled["next_task"]["occurrence"]) == ("cancelled", "2031-01-02")


@pytest.mark.parametrize("title", [" ", "\u00a0", "\u3000", "\u200b", "\u2028", "\u200b \ufeff", "\u2800", "\ufe0f"])
async def test_a_title_that_cannot_be_seen_is_refused(ada: Person, title: str) -> None:
    task = await ada.add()

    for answer in (
        await ada.http.post("/api/tasks", json={"title": title}),
        await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": title}),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.title")


@pytest.mark.parametrize("title", ["\u200bA\u200b", "\U0001faea", "\u05d0\u200f", "e\u0301"])
async def test_a_title_is_trimmed_and_in_normal_form(ada: Person, title: str) -> None:
    task = await ada.add(f" \u3000{title}\t".strip("\t") + " ")

    assert task["title"] == unicodedata.normalize("NFC", title)


async def test_a_title_of_a_series_is_as_clean_as_that_of_a_task(ada: Person) -> None:
    path = f"/api/series/{(await begin(ada, '2031-01-01'))['series_id']}"

    changed = await ada.http.patch(path, json={"title": "  Water "})
    refused = await ada.http.patch(path, json={"title": "\u200b"})

    assert changed.json()["template"]["title"] == "Water"
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "body.title")


async def test_a_title_is_not_too_long_in_normal_form(ada: Person) -> None:
    answer = await ada.http.post("/api/tasks", json={"title": "\ufb2c" * 400})  # three characters each

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_long")
