"""Row versions as ETags: a transfer saved, a lost update prevented."""

from typing import Any

import pytest
from support.factories import Person

ACTIONS = [
    ("PATCH", "", {"json": {"title": "b"}}),
    ("DELETE", "", {}),
    ("POST", "/complete", {}),
]


async def test_every_write_answers_the_new_version(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "b"})

    assert answer.json()["version"] == 2
    assert answer.headers["etag"] == '"2"'


async def test_a_change_that_changes_nothing_keeps_the_version(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": task["title"]})

    assert answer.headers["etag"] == '"1"'


@pytest.mark.parametrize("known", ['"1"', 'W/"1"', '"7", "1"', '"7",W/"1"', "*"])
async def test_a_known_version_is_not_sent_again(ada: Person, known: str) -> None:
    task = await ada.add()

    answer = await ada.http.get(f"/api/tasks/{task['id']}", headers={"if-none-match": known})

    assert answer.status_code == 304
    assert answer.headers["etag"] == '"1"'
    assert answer.content == b""


@pytest.mark.parametrize("known", ['"2"', "1", '"1', "nonsense", "", '"01"'])
async def test_an_unknown_version_is_sent(ada: Person, known: str) -> None:
    task = await ada.add()

    answer = await ada.http.get(f"/api/tasks/{task['id']}", headers={"if-none-match": known})

    assert answer.status_code == 200
    assert answer.json() == task


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
@pytest.mark.parametrize("version", ['"1"', 'W/"1"', ' "1" ', "*", "1", " 1 "])
async def test_the_current_version_may_be_changed(
    ada: Person, version: str, method: str, path: str, body: dict[str, Any]
) -> None:
    task = await ada.add()

    answer = await ada.http.request(method, f"/api/tasks/{task['id']}{path}", headers={"if-match": version}, **body)

    assert answer.status_code in {200, 204}


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
@pytest.mark.parametrize(
    "version",
    [
        '"2"',
        "2",
        "01",
        "1, 2",
        "1.0",
        "W/1",
        "\u0661".encode(),
        '"01"',
        '"1',
        '"1"x',
        "",
        "nonsense",
        '"99999999999999999999"',
        '"-1"',
    ],
)
async def test_no_other_version_may_be_changed(
    ada: Person, version: str, method: str, path: str, body: dict[str, Any]
) -> None:
    task = await ada.add()

    answer = await ada.http.request(method, f"/api/tasks/{task['id']}{path}", headers={"if-match": version}, **body)

    assert answer.status_code == 412
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json() == task


async def test_a_stale_reopening_is_refused(ada: Person) -> None:
    task = await ada.add()
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    answer = await ada.http.post(f"/api/tasks/{task['id']}/reopen", headers={"if-match": '"1"'})

    assert answer.status_code == 412


async def test_without_a_condition_the_last_write_wins(ada: Person) -> None:
    task = await ada.add()
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "b"})

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "c"})

    assert answer.json()["title"] == "c"


async def test_one_of_several_versions_may_be_changed(ada: Person) -> None:
    task = await ada.add()

    answer = await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "b"}, headers={"if-match": '"7", "1"'})

    assert answer.status_code == 200


async def test_an_account_that_is_known_is_not_sent_again(ada: Person) -> None:
    etag = (await ada.http.get("/api/auth/me")).headers["etag"]

    answer = await ada.http.get("/api/auth/me", headers={"if-none-match": etag})

    assert answer.status_code == 304


async def test_an_account_with_another_role_is_sent_again(ada: Person, sql: Any) -> None:
    etag = (await ada.http.get("/api/auth/me")).headers["etag"]
    await sql.execute("INSERT INTO user_roles SELECT $1, id FROM roles WHERE name = 'auditor'", ada.id)

    answer = await ada.http.get("/api/auth/me", headers={"if-none-match": etag})

    assert (answer.status_code, answer.json()["roles"]) == (200, ["auditor", "member"])
