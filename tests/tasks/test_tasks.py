"""Adding, reading, changing, trashing tasks over HTTP."""

from support.factories import Person


async def test_a_task_is_read_as_it_was_added(ada: Person) -> None:
    task = await ada.add("Pay the rent", priority=3, notes="before noon")

    answer = await ada.http.get(f"/api/tasks/{task['id']}")

    assert answer.status_code == 200
    assert answer.json() == task
    assert answer.headers["etag"] == '"1"'
