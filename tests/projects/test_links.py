"""Read-only links: what they show to people without an account, and when they end."""

import json
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from icalendar import Calendar
from support.factories import Person, World, job_context
from support.sharing import project, share

from todo.database import Database
from todo.domain.projects.jobs import delete_expired_sharing

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
DUE = {"kind": "day", "date": "2031-01-31"}


async def linked(person: Person, project_id: str, **fields: Any) -> dict[str, Any]:
    answer = await person.http.post(f"/api/projects/{project_id}/links", json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture
async def house(ada: Person) -> str:
    return await project(ada, description="All of it")


async def statuses(client: httpx.AsyncClient, secret: str) -> set[int]:
    return {(await client.get(f"/api/shared/{secret}{rest}")).status_code for rest in ("", "/calendar.ics")}


async def test_a_link_shows_a_project_and_those_below_it_without_people(
    ada: Person, house: str, client: httpx.AsyncClient
) -> None:
    shed = await project(ada, "Shed", parent_id=house)
    old = await project(ada, "Old", parent_id=house)
    await ada.add("Paint", project_id=house, notes="Blue", due=DUE)
    await ada.add("Rake", project_id=shed)
    await ada.add("Gone", project_id=old)
    await ada.http.patch(f"/api/projects/{old}", json={"archived": True})
    trashed = await ada.add("Trashed", project_id=house)
    await ada.http.delete(f"/api/tasks/{trashed['id']}")
    await ada.add("Private")
    link = await linked(ada, house, name="Neighbors")

    first = await client.get(f"/api/shared/{link['secret']}?count=true")
    below = await client.get(f"/api/shared/{link['secret']}?project_id={shed}")
    hidden = [
        await client.get(f"/api/shared/{link['secret']}?project_id={one}") for one in (old, ada.id, trashed["id"])
    ]

    shown = first.json()
    assert [(one["name"], one["parent_id"]) for one in shown["projects"]] == [("House", None), ("Shed", house)]
    assert ([task["title"] for task in shown["items"]], shown["total"]) == (["Paint"], 1)
    assert shown["items"][0]["due"] == DUE
    assert [task["title"] for task in below.json()["items"]] == ["Rake"]
    assert {answer.status_code for answer in hidden} == {404}
    assert str(ada.id) not in first.text + below.text
    assert "ada" not in first.text + below.text


async def test_the_tasks_of_a_link_come_in_pages_filtered_and_sorted(
    ada: Person, house: str, client: httpx.AsyncClient
) -> None:
    for name in ("C", "A", "B"):
        task = await ada.add(name, project_id=house)
    await ada.http.post(f"/api/tasks/{task['id']}/complete")
    path = f"/api/shared/{(await linked(ada, house))['secret']}"

    first = (await client.get(f"{path}?limit=2&sort=title")).json()
    rest = (await client.get(f"{path}?limit=2&sort=title&cursor={first['next_cursor']}")).json()
    done = (await client.get(f"{path}?status=done")).json()

    assert [task["title"] for task in first["items"] + rest["items"]] == ["A", "B", "C"]
    assert [task["title"] for task in done["items"]] == ["B"]
    assert (await client.get(f"{path}?sort=wrong")).status_code == 422


async def test_the_calendar_of_a_link_has_the_open_tasks_with_a_due_date(
    ada: Person, house: str, client: httpx.AsyncClient
) -> None:
    shed = await project(ada, "Shed", parent_id=house)
    await ada.add("Rake", project_id=shed, due={"kind": "zoned", "at": "2031-01-30T09:00", "timezone": "Europe/Berlin"})
    await ada.add("Paint; all, of it", project_id=house, due=DUE, priority=4, estimate_minutes=30)
    await ada.add("Some time", project_id=house)
    done = await ada.add("Done", project_id=house, due=DUE)
    await ada.http.post(f"/api/tasks/{done['id']}/complete")
    path = f"/api/shared/{(await linked(ada, house))['secret']}/calendar.ics"

    answer = await client.get(path)
    events = Calendar.from_ical((await client.get(f"{path}?as=events")).text)
    again = await client.get(path, headers={"if-none-match": answer.headers["etag"]})
    await ada.add("New", project_id=house, due=DUE)
    changed = await client.get(path, headers={"if-none-match": answer.headers["etag"]})

    tasks = Calendar.from_ical(answer.text)
    assert answer.headers["content-type"].startswith("text/calendar")
    assert str(tasks["X-WR-CALNAME"]) == "House"
    assert [(str(one["SUMMARY"]), one["DUE"].to_ical(), int(one["PRIORITY"])) for one in tasks.walk("VTODO")] == [
        ("Rake", b"20310130T080000Z", 0), ("Paint; all, of it", b"20310131", 1),
    ]  # fmt: skip
    assert [(str(one["SUMMARY"]), one["DTSTART"].to_ical()) for one in events.walk("VEVENT")] == [
        ("Rake", b"20310130T080000Z"), ("Paint; all, of it", b"20310131"),
    ]  # fmt: skip
    assert (again.status_code, changed.status_code) == (304, 200)


async def test_what_a_link_shows_is_not_indexed_and_its_address_goes_nowhere(
    ada: Person, house: str, client: httpx.AsyncClient
) -> None:
    secret = (await linked(ada, house))["secret"]

    for path in (f"/api/shared/{secret}", f"/api/shared/{secret}/calendar.ics"):
        answer = await client.get(path)
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "private, no-cache"
        again = await client.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_the_secret_is_shown_once_and_only_its_hash_is_stored(ada: Person, house: str, sql: Sql) -> None:
    key = {"idempotency-key": "one"}
    made = await ada.http.post(f"/api/projects/{house}/links", json={"name": "A"}, headers=key)
    again = await ada.http.post(f"/api/projects/{house}/links", json={"name": "A"}, headers=key)

    secret = made.json()["secret"]
    listed = (await ada.http.get(f"/api/projects/{house}/links")).json()["items"]
    tables = await sql.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    stored = [str(await sql.fetch(f'SELECT t::text FROM "{name}" AS t')) for (name,) in tables]

    assert len(secret) >= 43
    assert again.json()["code"] == "secret-shown-once"
    assert [one["name"] for one in listed] == ["A"]
    assert secret not in json.dumps(listed)
    assert not any(secret in rows for rows in stored)


@pytest.mark.parametrize(
    "end",
    ["revoked", "expired", "archived", "archived above", "deleted", "maker removed", "maker disabled", "moved away"],
)
async def test_a_link_ends_at_once(
    ada: Person, world: World, house: str, client: httpx.AsyncClient, sql: Sql, end: str
) -> None:
    carol = await world.person("carol")
    shed = await project(ada, "Shed", parent_id=house)
    await share(sql, house, carol.id, "manager")
    link = await linked(carol, shed)
    before = await statuses(client, link["secret"])

    match end:
        case "revoked":
            await ada.http.delete(f"/api/projects/{shed}/links/{link['id']}")
        case "expired":
            await sql.execute("UPDATE project_links SET expires_at = now()")
        case "archived" | "archived above":
            await ada.http.patch(f"/api/projects/{shed if end == 'archived' else house}", json={"archived": True})
        case "deleted":
            await ada.http.delete(f"/api/projects/{shed}")
        case "maker removed":
            await ada.http.delete(f"/api/projects/{house}/members/{carol.id}")
        case "maker disabled":
            await sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", carol.id)
        case "moved away":
            await ada.http.patch(f"/api/projects/{shed}", json={"parent_id": None})

    never = await client.get("/api/shared/never")
    answer = await client.get(f"/api/shared/{link['secret']}")
    assert before == {200}
    assert await statuses(client, link["secret"]) == {404}
    assert {**answer.json(), "request_id": "", "instance": ""} == {**never.json(), "request_id": "", "instance": ""}


async def test_links_stay_when_a_project_is_handed_over_until_the_former_owner_leaves(
    ada: Person, bob: Person, house: str, client: httpx.AsyncClient, sql: Sql
) -> None:
    await share(sql, house, bob.id, "manager")
    by_ada, by_bob = await linked(ada, house), await linked(bob, house)

    await ada.http.post(f"/api/projects/{house}/transfer", json={"user_id": str(bob.id)})
    listed = (await bob.http.get(f"/api/projects/{house}/links")).json()["items"]
    kept = await statuses(client, by_ada["secret"])
    await ada.http.delete(f"/api/projects/{house}/members/{ada.id}")

    assert {one["id"] for one in listed} == {by_ada["id"], by_bob["id"]}
    assert (kept, await statuses(client, by_ada["secret"]), await statuses(client, by_bob["secret"])) == (
        {200}, {404}, {200},
    )  # fmt: skip


async def test_there_are_limits_and_the_inbox_and_archived_projects_have_no_link(
    ada: Person, house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("todo.domain.projects.services.links.MAX_LINKS", 1)
    await linked(ada, house)
    answers = [
        await ada.http.post(f"/api/projects/{house}/links", json={}),
        await ada.http.post(f"/api/projects/{ada.id}/links", json={}),
        await ada.http.post(f"/api/projects/{house}/links", json={"expires_in_days": 0}),
    ]
    await ada.http.patch(f"/api/projects/{house}", json={"archived": True})
    answers.append(await ada.http.post(f"/api/projects/{house}/links", json={}))

    assert [answer.json()["code"] for answer in answers] == ["too-many", "inbox", "invalid-values", "project-archived"]


async def test_an_expired_link_is_deleted(ada: Person, house: str, database: Database, sql: Sql) -> None:
    expiring = await linked(ada, house, expires_in_days=1)
    await linked(ada, house)
    days = await sql.fetchval("SELECT expires_at - created_at FROM project_links WHERE expires_at IS NOT NULL")
    await sql.execute("UPDATE project_links SET expires_at = now() WHERE expires_at IS NOT NULL")
    listed = (await ada.http.get(f"/api/projects/{house}/links")).json()["items"]

    await delete_expired_sharing(job_context(database))

    assert days.days == 1 or round(days.total_seconds()) == 86_400
    assert expiring["id"] not in {one["id"] for one in listed}
    assert await sql.fetchval("SELECT count(*) FROM project_links") == 1
