"""Saved views: who sees and changes them, what they list, and those that everybody has."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from support.factories import Person, World
from support.sharing import project, share

from todo.domain.tasks.views.queries import BUILT_IN
from todo.domain.tasks.views.schemas import MAX_OF_PERSON, MAX_OF_PROJECT

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Json: TypeAlias = dict[str, Any]


async def save(person: Person, name: str = "Soon", **fields: Any) -> Json:
    answer = await person.http.post("/api/views", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    sent: Json = answer.json()
    return sent


async def shown(person: Person, view: str, more: str = "") -> list[str]:
    answer = await person.http.get(f"/api/tasks?view={view}{more}")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


async def names(person: Person, query: str = "") -> list[str]:
    return [view["name"] for view in (await person.http.get(f"/api/views{query}")).json()["items"]]


def day(days: int, zone: str) -> Json:
    return {"kind": "day", "date": f"{datetime.now(ZoneInfo(zone)).date() + timedelta(days=days)}"}


async def test_a_view_is_saved_changed_and_deleted(ada: Person, sql: Sql) -> None:
    view = await save(ada, "  Soon ", filter="priority >= high", sort="title", group_by="due", color="#ff0000")
    assert {name: view[name] for name in ("name", "filter", "sort", "group_by", "color", "position", "project_id")} == {
        "name": "Soon", "filter": "priority >= high", "sort": "title", "group_by": "due", "color": "#ff0000",
        "position": 0, "project_id": None,
    }  # fmt: skip

    path = f"/api/views/{view['id']}"
    changed = await ada.http.patch(path, json={"filter": "", "sort": None}, headers={"if-match": '"1"'})
    stale = await ada.http.patch(path, json={"name": "Later"}, headers={"if-match": '"1"'})

    assert (changed.json()["filter"], changed.json()["sort"], changed.json()["version"]) == ("", None, 2)
    assert (stale.status_code, (await ada.http.get(path)).json()) == (412, changed.json())
    assert (await ada.http.delete(path)).status_code == 204
    assert (await ada.http.get(path)).status_code == 404
    found = await sql.fetch(
        "SELECT action, before->>'filter', after->>'filter' FROM audit_events WHERE subject = 'views'"
    )
    assert sorted(map(tuple, found)) == [
        ("views.add", None, "priority >= high"), ("views.change", "priority >= high", ""), ("views.delete", "", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "field", "words", "position"),
    [
        ({"filter": "due <"}, "body.filter", "The filter ends here. Expected a value.", 6),
        ({"filter": "closed order by status, due"}, "body.filter", "Sort by one of", None),
        ({"sort": "colour"}, "body.sort", "Sort by one of", None),
        ({"sort": "position"}, "body.sort", "Each project has its own positions", None),
        ({"group_by": "colour"}, "body.group_by", "", None),
        ({"project_id": "0190f5f0-7c1d-7000-8000-000000000000"}, "body.project_id", "There is no such project.", None),
    ],
)
async def test_what_no_list_would_take_is_not_saved(
    ada: Person, sent: Json, field: str, words: str, position: int | None
) -> None:
    answer = await ada.http.post("/api/views", json={"name": "Soon", **sent})

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"], error.get("position")) == (422, field, position)
    assert error["message"].startswith(words)
    assert await names(ada) == []
    kept = await save(ada, filter="closed")
    sent.pop("project_id", None)
    if sent:
        assert (await ada.http.patch(f"/api/views/{kept['id']}", json=sent)).status_code == 422
        assert (await ada.http.get(f"/api/views/{kept['id']}")).json() == kept


async def test_a_view_lists_what_its_filter_finds_in_its_order(ada: Person) -> None:
    for title, priority in (("b", 4), ("a", 3), ("c", 1)):
        await ada.add(title, priority=priority)
    by_title, ordered = (
        await save(ada, filter="priority >= high", sort="title"),
        await save(ada, filter="order by -priority"),
    )

    assert await shown(ada, by_title["id"]) == ["a", "b"]
    assert await shown(ada, by_title["id"], "&sort=-title") == ["b", "a"]
    assert await shown(ada, by_title["id"], "&priority=4") == ["b"]
    assert await shown(ada, ordered["id"]) == ["b", "a", "c"]
    page = (await ada.http.get(f"/api/tasks?view={by_title['id']}&limit=1&count=true")).json()
    assert (page["total"], await shown(ada, by_title["id"], f"&limit=1&cursor={page['next_cursor']}")) == (2, ["b"])
    await ada.http.patch(f"/api/views/{by_title['id']}", json={"filter": "priority >= low"})
    gone = await ada.http.get(f"/api/tasks?view={by_title['id']}&limit=1&cursor={page['next_cursor']}")
    both = await ada.http.get(f"/api/tasks?view={by_title['id']}&filter=closed")
    assert [answer.json()["errors"][0]["field"] for answer in (gone, both)] == ["query.cursor", "query.filter"]


async def test_a_view_of_a_project_is_for_all_who_see_it_each_by_their_own(
    ada: Person, bob: Person, world: World, sql: Sql
) -> None:
    house, secret = await project(ada), await project(ada, "Secret")
    await ada.add("hers", project_id=house)
    await bob.add("of bob alone")
    await ada.add("hidden", project_id=secret)
    await share(sql, house, bob.id, "editor")
    await bob.add("his", project_id=house)
    mine = await save(ada, "Mine", project_id=house, filter="author = me or project = Secret")
    everything = await save(bob, "All", project_id=house, sort="position", position=1)

    assert await names(ada) == await names(bob) == await names(bob, f"?project_id={house}") == ["Mine", "All"]
    assert (await shown(ada, mine["id"]), await shown(bob, mine["id"])) == (["hers"], ["his"])
    assert await shown(bob, everything["id"]) == ["hers", "his"]

    carol = await world.person("carol")
    answer = await carol.http.get(f"/api/tasks?view={mine['id']}")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "not_found")
    never = await carol.http.get("/api/tasks?view=0190f5f0-7c1d-7000-8000-000000000000")
    assert never.json()["errors"] == answer.json()["errors"]
    await sql.execute("DELETE FROM project_members")
    await sql.execute("SELECT rewrite_project_access($1)", house)
    assert await names(bob) == []
    assert (await bob.http.get(f"/api/views/{everything['id']}")).status_code == 404
    assert (await bob.http.get(f"/api/tasks?view={mine['id']}")).status_code == 422


async def test_a_view_goes_with_its_project_and_with_its_person(ada: Person, bob: Person, sql: Sql) -> None:
    house = await project(ada)
    await share(sql, house, bob.id, "viewer")
    await save(ada, "Of the house", project_id=house)
    await save(ada, "Of ada")

    assert (await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(bob.id)})).status_code == 200
    assert await names(bob) == ["Of the house"]
    await sql.execute("DELETE FROM users WHERE id = $1", ada.id)
    assert [row["name"] for row in await sql.fetch("SELECT name FROM views")] == ["Of the house"]
    assert (await bob.http.delete(f"/api/projects/{house}")).status_code == 204
    assert await sql.fetchval("SELECT count(*) FROM views") == 0


async def test_as_many_views_as_there_can_be(ada: Person, sql: Sql) -> None:
    house = await project(ada)
    fill = """INSERT INTO views
            (id, created_at, updated_at, version, user_id, project_id, name, filter, group_by, position)
        SELECT gen_random_uuid(), now(), now(), 1, $1, $2, 'View', '', 'none', 0 FROM generate_series(2, $3)"""
    await sql.execute(fill, ada.id, None, MAX_OF_PERSON)
    await sql.execute(fill, None, house, MAX_OF_PROJECT)

    for place in ({}, {"project_id": house}):
        sent = {"name": "One more", **place}
        answers = await asyncio.gather(*(ada.http.post("/api/views", json=sent) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too-many"}
    counts = await sql.fetchrow("SELECT count(user_id), count(project_id) FROM views")
    assert counts is not None
    assert tuple(counts) == (MAX_OF_PERSON, MAX_OF_PROJECT)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_built_in_views_are_filters_in_the_zone_of_who_asks(world: World, zone: str) -> None:
    eve = await world.person("eve", timezone=zone)
    house = await project(eve)
    for days in (-1, 0, 1, 7, 8):
        await eve.add(str(days), due=day(days, zone), project_id=house)
    await eve.add("inbox", assignee_ids=[str(eve.id)])
    for title in ("first", "second"):
        task = await eve.add(title, due=day(0, zone))
        await eve.http.post(f"/api/tasks/{task['id']}/complete")

    assert await shown(eve, "today") == ["0"]
    assert await shown(eve, "upcoming") == ["1", "7"]
    assert await shown(eve, "overdue") == ["-1"]
    assert await shown(eve, "inbox") == ["inbox"]
    assert await shown(eve, "assigned") == ["inbox"]
    assert await shown(eve, "done") == ["second", "first"]
    built_in = (await eve.http.get("/api/views")).json()["built_in"]
    assert [view["name"] for view in built_in] == [*BUILT_IN]
    for view in built_in:
        found = await eve.http.get("/api/tasks", params={"filter": view["filter"]})
        assert [task["title"] for task in found.json()["items"]] == await shown(eve, view["name"])
    unknown = await eve.http.get("/api/tasks?view=tomorrow")
    assert unknown.json()["errors"][0]["message"].endswith("or one of today, upcoming, overdue, inbox, assigned, done.")


async def test_operators_add_change_and_delete_views(ada: Person, world: World) -> None:
    boss = await world.person("boss", "superuser")
    house = await project(ada)
    added = await boss.http.post("/api/admin/views", json={"name": "Hers", "user_id": str(ada.id), "filter": "closed"})
    shared = await boss.http.post("/api/admin/views", json={"name": "Ours", "project_id": house})
    wrong = [
        await boss.http.post("/api/admin/views", json={"name": "x", "user_id": str(ada.id), "project_id": house}),
        await boss.http.post("/api/admin/views", json={"name": "x", "user_id": str(ada.id), "filter": "due <"}),
    ]

    assert (added.status_code, shared.status_code) == (201, 201), (added.text, shared.text)
    assert [answer.json()["errors"][0]["field"] for answer in wrong] == ["body.user_id", "body.filter"]
    assert sorted(await names(ada)) == ["Hers", "Ours"]
    path = f"/api/admin/views/{shared.json()['id']}"
    assert (await boss.http.patch(path, json={"name": "House"})).status_code == 200
    assert await names(ada, f"?project_id={house}") == ["House"]
    assert (await boss.http.delete(path)).status_code in {200, 204}
    assert await names(ada) == ["Hers"]
