"""Searching tasks by words: what is found, and in which order."""

import asyncio
from typing import Any, TypeAlias
from urllib.parse import quote
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.factories import Person
from support.sharing import project, share
from support.waiting import waiting_for_locks

from todo.database import Database
from todo.domain.tasks import newest, search
from todo.domain.tasks.queries import COLUMNS, task_row
from todo.domain.tasks.rules import search_terms
from todo.domain.tasks.search import Search

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def found(person: Person, words: str, more: str = "") -> list[str]:
    answer = await person.http.get(f"/api/tasks?q={quote(words)}{more}")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


async def test_titles_count_more_than_labels_and_labels_more_than_notes(ada: Person) -> None:
    await ada.add("Paint")
    await ada.add("In labels", labels=["paint"])
    await ada.add("In notes", notes="Some paint")
    await ada.add("Elsewhere")
    await ada.add("Paint again")

    assert await found(ada, "paint") == ["Paint again", "Paint", "In labels", "In notes"]
    assert await found(ada, "paint", "&sort=created_at") == ["Paint", "In labels", "In notes", "Paint again"]
    assert await found(ada, "paint", "&filter=order by title") == ["In labels", "In notes", "Paint", "Paint again"]
    ranks = [task["rank"] for task in (await ada.http.get("/api/tasks?q=paint")).json()["items"]]
    assert ranks == sorted(ranks, reverse=True)
    assert "rank" not in (await ada.http.get("/api/tasks?q=paint&sort=title")).json()["items"][0]


async def comment(person: Person, task: Any, text: str) -> str:
    answer = await person.http.post(f"/api/tasks/{task['id']}/comments", json={"text": text})
    assert answer.status_code == 201, answer.text
    return f"/api/tasks/{task['id']}/comments/{answer.json()['id']}"


async def test_words_of_comments_count_least(ada: Person) -> None:
    commented = await ada.add("Commented")
    await ada.add("In notes", notes="Some paint")
    await ada.add("Paint")
    await comment(ada, commented, "Which PÁINT?")

    assert await found(ada, "paint") == ["Paint", "In notes", "Commented"]
    assert await found(ada, "commented pai") == ["Commented"]
    assert await found(ada, "commented -paint") == []
    assert await found(ada, "paint", "&sort=title") == ["Commented", "In notes", "Paint"]
    listed = (await ada.http.get('/api/tasks?filter=text ~ "which paint"')).json()["items"]
    assert [(one["title"], one["version"]) for one in listed] == [("Commented", 1)]


async def test_the_words_of_comments_follow_them_and_the_task(ada: Person, bob: Person, sql: Sql) -> None:
    house, yard = await project(ada), await project(ada, "Yard")
    await share(sql, house, bob.id, "commenter")
    task = await ada.add("Wall", project_id=house)
    first, _ = await comment(bob, task, "red"), await comment(ada, task, "blue")
    assert await found(bob, "red blue") == ["Wall"]

    await bob.http.patch(first, json={"text": "green"})
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "Fence", "notes": "long"})
    assert await found(bob, "red") == []
    assert await found(bob, "green fence long blue") == ["Fence"]
    await bob.http.delete(first)
    assert (await found(bob, "green"), await found(bob, "blue")) == ([], ["Fence"])
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"project_id": yard})
    assert (await found(bob, "blue"), await found(ada, "blue")) == ([], ["Fence"])


async def test_the_newest_comments_are_looked_through(ada: Person, sql: Sql) -> None:
    task = await ada.add("Wall")
    await sql.execute(
        """INSERT INTO comments (id, created_at, updated_at, version, task_id, text)
        SELECT gen_random_uuid(), now() + (n - 200) * interval '1 s', now(), 1, $1, 'word' || n
        FROM generate_series(1, 101) AS n""",
        UUID(task["id"]),
    )

    assert [await found(ada, f'"word{n}"') for n in (1, 2, 101)] == [[], ["Wall"], ["Wall"]]
    await comment(ada, task, "last " + "x" * 9_990)
    for n in range(6):
        await comment(ada, task, f"{n} " + "word " * 1_990)
    assert await found(ada, "last") == []
    assert await found(ada, "wall 5") == ["Wall"]


async def test_comments_that_are_written_at_once_are_all_found(ada: Person, sql: Sql) -> None:
    task = await ada.add("Wall")

    async with sql.transaction():
        await sql.execute("UPDATE tasks SET title = 'Fence' WHERE id = $1", UUID(task["id"]))
        writing = [asyncio.ensure_future(comment(ada, task, color)) for color in ("red", "blue")]
        await waiting_for_locks(sql, 2)
    await asyncio.gather(*writing)

    assert await found(ada, "red blue fence") == ["Fence"]


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("fence paint", ["Paint the fence"]),
        ('"the fence"', ["Paint the fence"]),
        ('"fence the"', []),
        ("paint -fence", ["Paint the wall"]),
        ("paint -fen", ["Paint the fence", "Paint the wall"]),
        ('paint -"the fence"', ["Paint the wall"]),
        ("pai fence", []),
        ("fence pai", ["Paint the fence"]),
        ("cafe", ["Café crème"]),
        ("CRÈME", ["Café crème"]),
        ("租金", ["付房屋租金"]),
        ("金租", []),
        ("かき", ["がぎを描く"]),
        ("well-known", ["A well-known thing"]),
        ("o'brien", ["Call O'Brien\\n"]),
        ("brien\\n", ["Call O'Brien\\n"]),
    ],
)
async def test_words_phrases_and_what_must_not_be_there(ada: Person, words: str, titles: list[str]) -> None:
    for title in (
        "Paint the fence", "Paint the wall", "Café crème", "付房屋租金", "がぎを描く", "A well-known thing",
        "Call O'Brien\\n",
    ):  # fmt: skip
        await ada.add(title)

    assert sorted(await found(ada, words)) == titles
    assert sorted(await found(ada, words, "&sort=title")) == titles


@pytest.mark.parametrize("words", ["-fence", "!!!", "-", '""', '"-"', "a\tb"])
async def test_a_search_needs_a_word(ada: Person, words: str) -> None:
    answer = await ada.http.get(f"/api/tasks?q={quote(words)}")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.q")


async def test_rank_goes_with_a_search(ada: Person) -> None:
    answer = await ada.http.get("/api/tasks?sort=rank")

    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "`rank` goes with `q`.")


async def test_any_text_can_be_searched_for(ada: Person, sql: Sql) -> None:
    await ada.add("Paint")
    for words in ("a'b", "a\\", "\uff07a", "a\uff3c", "a:*", "a & b | !c", "(a", "<->a", "a\u0301'", "\u0345a", "ﬁ'"):
        await found(ada, words)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_terms_are_quoted(text: str) -> None:
    terms = search_terms(text)
    if terms is not None:
        outside = terms.replace("\\\\", "").replace("''", "").split("'")[::2]
        assert {"".join(outside).translate({ord(sign): None for sign in " &!:*"})} == {""}


async def test_pages_go_on_where_the_last_one_ended(ada: Person) -> None:
    for number in range(4):
        await ada.add(f"Paint {number}")
        await ada.add(f"Number {number}", notes="paint")
    whole = await found(ada, "paint")
    assert whole == [*(f"Paint {n}" for n in (3, 2, 1, 0)), *(f"Number {n}" for n in (3, 2, 1, 0))]

    pages, cursor = [], ""
    while cursor is not None:
        page = (await ada.http.get(f"/api/tasks?q=paint&limit=3{cursor and f'&cursor={cursor}'}&count=true")).json()
        pages += [task["title"] for task in page["items"]]
        cursor = page["next_cursor"]
        assert page["total"] == 8

    assert pages == whole
    first = (await ada.http.get("/api/tasks?q=paint&limit=3")).json()["next_cursor"]
    assert (await ada.http.get(f"/api/tasks?q=number&limit=3&cursor={first}")).status_code == 422


async def test_a_search_finds_what_one_sees_and_nothing_else(ada: Person, bob: Person, sql: Sql) -> None:
    house, old = await project(ada), await project(ada, "Old")
    await ada.add("Paint the house", project_id=house)
    await ada.add("Paint of old", project_id=old)
    await ada.add("Paint in the inbox")
    await bob.add("Paint his own", labels=["x"])
    await share(sql, house, bob.id)
    await share(sql, old, bob.id)
    await ada.http.patch(f"/api/projects/{old}", json={"archived": True})

    assert await found(bob, "paint") == ["Paint his own", "Paint the house"]
    assert await found(bob, "paint", f"&project_id={house}") == ["Paint the house"]
    assert await found(bob, "paint", f"&project_id={bob.id}") == ["Paint his own"]
    assert await found(bob, "paint", "&label=X") == ["Paint his own"]
    assert await found(bob, "paint", "&filter=label = x or project = House") == ["Paint his own", "Paint the house"]
    assert await found(ada, "paint") == ["Paint in the inbox", "Paint the house"]
    assert await found(ada, "paint", f"&project_id={old}") == ["Paint of old"]
    await sql.execute("DELETE FROM project_members")
    await sql.execute("SELECT rewrite_project_access($1)", house)
    assert await found(bob, "paint") == ["Paint his own"]
    assert await found(bob, "paint", f"&project_id={house}") == []
    task = (await bob.http.get("/api/tasks?q=paint")).json()["items"][0]
    await bob.http.delete(f"/api/tasks/{task['id']}")
    assert await found(bob, "paint") == []


async def test_words_that_many_tasks_have_are_looked_for_in_the_newest(
    ada: Person, bob: Person, sql: Sql, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SAMPLE": 4, "SOME": 2, "MANY": 2, "NEWEST": 8, "LEAST": 1}.items():
        monkeypatch.setattr(newest, name, value)
    monkeypatch.setattr(search, "MANY", 2)
    monkeypatch.setattr(search, "MOST", 3)
    house = await project(ada)
    await share(sql, house, bob.id)
    for number in range(10):
        person, place = ((bob, {}), (ada, {"project_id": house}))[number % 2]
        await person.add(f"Paint {number}", notes="rare" if number == 0 else "", **place)
    searching = Search(task_row, COLUMNS)

    async def titles(words: str, person: Person = bob, **options: Any) -> list[str]:
        filters = {"q": search_terms(words)}
        page = await searching.page(database.reads, person.id, filters, asked=words, **options)
        return [task.title for task in page.items]

    assert await titles("paint") == [f"Paint {n}" for n in (9, 8, 7)]
    assert await titles("rare") == ["Paint 0"]
    assert await titles("paint", project_id=house) == [f"Paint {n}" for n in (9, 7, 5)]
    assert await titles("paint", ada) == [f"Paint {n}" for n in (9, 7, 5)]


@pytest.mark.parametrize(("size", "many"), [(2, 1), (8, 2), (40, 1), (400, 100)])
async def test_which_way_a_search_goes_does_not_show_where_few_match(
    ada: Person, bob: Person, sql: Sql, database: Database, monkeypatch: pytest.MonkeyPatch, size: int, many: int
) -> None:
    for name, value in {"SAMPLE": size, "SOME": many, "MANY": many, "NEWEST": size, "LEAST": 1}.items():
        monkeypatch.setattr(newest, name, value)
    monkeypatch.setattr(search, "MANY", many)
    houses = [await project(ada, f"House {number}") for number in range(3)]
    for house in houses:
        await share(sql, house, bob.id)
    for number in range(12):
        place = {"project_id": houses[number % 4]} if number % 4 < 3 else {}
        person = ada if place else bob
        await person.add(f"Paint {number}", priority=number % 2, labels=["x"] if number == 1 else [], **place)
    searching = Search(task_row, COLUMNS)
    for asked, titles in (
        ({"q": "'paint' & '3'"}, ["Paint 3"]),
        ({"q": "'paint'", "label": ["X"]}, ["Paint 1"]),
        ({"q": "'paint'", "label": ["X"], "priority": 0}, []),
        ({"q": "'paint' & '11':*", "priority": 1}, ["Paint 11"]),
        ({"q": "'other'"}, []),
    ):
        found = await searching.page(database.reads, bob.id, asked)
        assert [task.title for task in found.items] == titles
    every = await searching.page(database.reads, bob.id, {"q": "'paint'", "priority": 1})
    assert {task.title for task in every.items} <= {f"Paint {n}" for n in range(1, 12, 2)}
    assert len(every.items) >= min(many, 6)
