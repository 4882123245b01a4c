"""The order that people give tasks: one row a move, any place, also when two move at once."""

import asyncio
import random
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.factories import Person
from support.sharing import share

from todo.domain.tasks.order import services
from todo.domain.tasks.order.rules import DIGITS, NoKeyBetween, between, key_of_new, spread

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json: TypeAlias = dict[str, Any]
KEYS = st.text(DIGITS, max_size=6).map(lambda key: key.rstrip("0"))


@given(KEYS, KEYS)
def test_there_is_a_key_between_any_two_that_end_in_no_zero(one: str, other: str) -> None:
    low, high = sorted((one, other))
    if low == high:
        with pytest.raises(NoKeyBetween):
            between(low, high)
    else:
        assert low < between(low, high) < high
        assert not between(low, high).endswith("0")
    assert low < between(low, None)


@pytest.mark.parametrize(("low", "high"), [("A", "A0"), ("A", "A000"), ("B", "A"), ("", "")])
def test_there_is_no_key_where_there_is_no_room(low: str, high: str) -> None:
    with pytest.raises(NoKeyBetween):
        between(low, high)


@pytest.mark.parametrize("number", [0, 1, 2, 100])
def test_keys_are_spread_in_order(number: int) -> None:
    low, high = key_of_new(UUID(int=1)), key_of_new(UUID(int=2))

    keys = spread(low, high, number)

    assert [low, *keys, high] == sorted({low, *keys, high})
    assert len(keys) == number


async def move(person: Person, task: Json, after: Json | None, **more: Any) -> httpx.Response:
    body = {"after_id": after and after["id"], **more}
    return await person.http.post(f"/api/tasks/{task['id']}/move-after", json=body)


async def moved(person: Person, task: Json, after: Json | None, **more: Any) -> Json:
    answer = await move(person, task, after, **more)
    assert answer.status_code == 200, answer.text
    sent: Json = answer.json()
    return sent


async def order(person: Person, query: str) -> str:
    answer = await person.http.get(f"/api/tasks?sort=position&{query}")
    assert answer.status_code == 200, answer.text
    return "".join(task["title"] for task in answer.json()["items"])


async def house_of(person: Person) -> str:
    return str((await person.http.post("/api/projects", json={"name": "House"})).json()["id"])


@pytest.fixture(params=["inbox", "project"])
async def place(request: pytest.FixtureRequest, ada: Person) -> str:
    return str(ada.id) if request.param == "inbox" else await house_of(ada)


async def test_tasks_are_where_they_were_put_and_new_ones_at_the_end(ada: Person, sql: Sql, place: str) -> None:
    a, b, c = [await ada.add(title, project_id=place) for title in "abc"]
    query = f"project_id={place}"
    assert await order(ada, query) == "abc"

    first = await moved(ada, c, None)
    assert (first["version"], await order(ada, query)) == (2, "cab")
    await moved(ada, a, b)
    assert await order(ada, query) == "cba"
    await ada.add("d", project_id=place)
    assert await order(ada, query) == "cbad"
    await moved(ada, b, c)
    assert await order(ada, query) == "cbad"
    page = (await ada.http.get(f"/api/tasks?sort=-position&limit=2&{query}")).json()
    assert [task["title"] for task in page["items"]] == ["d", "a"]
    rest = await ada.http.get(f"/api/tasks?sort=-position&{query}&cursor={page['next_cursor']}")
    assert [task["title"] for task in rest.json()["items"]] == ["b", "c"]
    events = await sql.fetch("SELECT subject_id FROM audit_events WHERE action = 'tasks.order'")
    assert len(events) == 3


async def test_random_moves_come_out_as_in_a_list(ada: Person, place: str) -> None:
    tasks = [await ada.add(title, project_id=place) for title in "abcdef"]
    chance = random.Random(7)
    for _ in range(40):
        task = tasks.pop(chance.randrange(len(tasks)))
        at = chance.randrange(len(tasks) + 1)
        await moved(ada, task, tasks[at - 1] if at else None)
        tasks.insert(at, task)

    assert await order(ada, f"project_id={place}") == "".join(task["title"] for task in tasks)


async def test_a_section_and_the_tasks_below_another_have_orders_of_their_own(ada: Person) -> None:
    house = await house_of(ada)
    section = (await ada.http.post(f"/api/projects/{house}/sections", json={"name": "Attic"})).json()["id"]
    a, b = [await ada.add(title, project_id=house) for title in "ab"]
    c = await ada.add("c", section_id=section)
    x, y = [await ada.add(title, parent_id=a["id"]) for title in "xy"]

    placed = await moved(ada, b, c)
    await moved(ada, y, None)

    assert placed["section_id"] == section
    assert await order(ada, f"section_id={section}") == "cb"
    assert await order(ada, f"parent_id={a['id']}") == "yx"
    assert (await moved(ada, b, None, section_id=None))["section_id"] is None
    refused = [await move(ada, x, b), await move(ada, b, b), await move(ada, b, c, section_id=None)]
    assert [answer.json()["errors"][0]["field"] for answer in refused] == [
        "body.after_id", "body.after_id", "body.section_id",
    ]  # fmt: skip


async def test_what_is_not_visible_is_no_place(ada: Person, bob: Person, sql: Sql) -> None:
    mine, theirs, house = await ada.add("a"), await bob.add("b"), await house_of(bob)
    shared = await bob.add("c", project_id=house)
    await share(sql, house, ada.id, "editor")

    assert (await move(ada, mine, theirs)).json()["errors"][0]["field"] == "body.after_id"
    assert (await move(ada, theirs, None)).status_code == 404
    assert (await move(ada, shared, None)).status_code == 200
    assert (await ada.http.get("/api/tasks?sort=position")).json()["errors"][0]["field"] == "query.sort"


async def test_two_moves_to_one_place_both_land(ada: Person) -> None:
    tasks = [await ada.add(title) for title in "abcdef"]

    answers = await asyncio.gather(*(move(ada, task, tasks[0]) for task in tasks[1:]))

    assert [answer.status_code for answer in answers] == [200] * 5
    keys = {answer.json()["position"] for answer in answers}
    found = await order(ada, f"project_id={ada.id}")
    assert (len(keys), found[0], sorted(found)) == (5, "a", list("abcdef"))


async def test_keys_that_grow_too_long_are_spread_again(ada: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_KEY", 12)
    monkeypatch.setattr(services, "FEWEST", 2)
    tasks = [await ada.add(title) for title in "abcd"]
    for n in range(60):
        await moved(ada, tasks[2 + n % 2], tasks[0])

    assert await order(ada, f"project_id={ada.id}") == "adcb"
    assert await sql.fetchval("SELECT max(length(position)) FROM tasks") <= 12


async def test_a_move_needs_the_current_version_when_it_names_one(ada: Person) -> None:
    task = await ada.add("a")

    answer = await ada.http.post(
        f"/api/tasks/{task['id']}/move-after", json={"after_id": None}, headers={"if-match": '"9"'}
    )

    assert answer.status_code == 412
