"""`todo up --demo`: believable, and only once."""

from collections import Counter

import pytest
from httpx import AsyncClient
from support.factories import PASSWORD, World

from todo.cli.demo import PEOPLE, fill
from todo.database import Database


@pytest.fixture
async def sent(database: Database, world: World) -> dict[str, str]:
    return await fill(database, world.sign_in, PASSWORD)


async def work_of(client: AsyncClient, email: str) -> list[dict]:
    signed_in = await client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
    return (await client.get("/api/tasks", params={"limit": 200})).json()["items"]


@pytest.mark.parametrize("email", [email for email, *_ in PEOPLE])
async def test_everybody_has_work_of_every_kind(sent: dict[str, str], client: AsyncClient, email: str) -> None:
    tasks = await work_of(client, email)

    kinds = Counter(task["due"]["kind"] if task["due"] else "none" for task in tasks)
    assert 15 <= len(tasks) <= 25
    assert kinds.keys() == {"day", "floating", "zoned", "none"}
    assert {"open", "in_progress", "waiting", "done"} == {task["status"] for task in tasks}
    assert len({task["priority"] for task in tasks}) == 5
    assert len({task["series_id"] for task in tasks if task["series_id"]}) >= 3
    assert any(task["status"] == "done" and task["completed_at"] for task in tasks)
    assert any(task["notes"] for task in tasks)


async def test_a_project_is_shared_with_sections_and_labels(sent: dict[str, str], client: AsyncClient) -> None:
    tasks = await work_of(client, "grace@example.com")
    projects = (await client.get("/api/projects")).json()["items"]

    (engine,) = (one for one in projects if not one["inbox"])
    shared = [one for one in tasks if one["project_id"] == engine["id"]]
    assert (engine["name"], engine["role"], len(shared)) == ("Analytical engine", "editor", 4)
    assert len({one["section_id"] for one in shared}) == 3
    assert all(one["labels"] for one in shared)
    me = (await client.get("/api/auth/me")).json()["id"]
    (mine,) = (one for one in shared if one["assignee_ids"] == [me])
    comments = (await client.get(f"/api/tasks/{mine['id']}/comments")).json()["items"]
    assert [[one["name"] for one in comment["mentions"]] for comment in comments] == [["Ada Lovelace"]]
    assert [one["title"] for one in shared if one["blocked"]] == ["Punch the cards for the first program"]
    (view,) = (one for one in (await client.get("/api/views")).json()["items"] if one["project_id"] == engine["id"])
    assert len((await client.get("/api/tasks", params={"view": view["id"]})).json()["items"]) == 2


async def test_the_second_time_nothing_is_added(
    sent: dict[str, str], client: AsyncClient, database: Database, world: World
) -> None:
    before = await work_of(client, "grace@example.com")

    again = await fill(database, world.sign_in, "another password for them")

    assert sent["Their password"].startswith(PASSWORD)
    assert again == {"Demo": "nothing added: ada@example.com is there already"}
    assert await work_of(client, "grace@example.com") == before


async def test_somebody_who_is_there_already_leaves_everything_as_it_was(
    database: Database, world: World, client: AsyncClient
) -> None:
    await world.person("linus")

    sent = await fill(database, world.sign_in, PASSWORD)
    refused = await client.post("/api/auth/login", json={"email": "ada@example.com", "password": PASSWORD})

    assert sent == {"Demo": "nothing added: linus@example.com is there already"}
    assert refused.status_code == 401
