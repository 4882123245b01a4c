"""Quotas: what each user stores is counted, and growth beyond a limit is refused."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from conftest import serving, settings_for
from support.factories import OPERATOR, PASSWORD, Person, World, job_context, origin_for
from support.series import Json, Sql, act, begin, changed, steer, work
from support.waiting import waiting_for_locks

from todo.app import create_app
from todo.database import Database
from todo.domain.accounts.jobs import sum_up_usage
from todo.domain.accounts.schemas.usage import QuotaIn
from todo.domain.accounts.services.quotas import set_quota

SCOPES = {"name": "Script", "scopes": ["tasks.view"]}
ABSOLUTE = {"timing": {"kind": "absolute", "at": "2031-01-01T09:00:00Z"}}


async def limit(database: Database, person: Person, **limits: int | None) -> None:
    async with database.session(origin_for(OPERATOR)) as session:
        for resource, most in limits.items():
            await set_quota(session, OPERATOR, person.id, QuotaIn(resource, most))  # type: ignore[arg-type]  # a name


async def usage(person: Person) -> Json:
    answer = await person.http.get("/api/me/usage")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def used(person: Person) -> dict[str, int]:
    return {name: one["used"] for name, one in (await usage(person)).items()}


async def miscounted(sql: Sql) -> list[Any]:
    return await sql.fetch("SELECT miscounted_usage()")


async def purge(person: Person, task: Json) -> None:
    assert (await person.http.delete(f"/api/tasks/{task['id']}")).status_code == 204
    assert (await person.http.delete(f"/api/trash/{task['id']}")).status_code == 204


async def test_a_user_sees_what_they_store_and_their_limits(ada: Person) -> None:
    task = await ada.add("Räkna", notes="abc")
    await begin(ada, "2031-01-01")
    await ada.http.post(f"/api/tasks/{task['id']}/reminders", json=ABSOLUTE)
    await ada.http.post("/api/auth/tokens", json=SCOPES)

    found = await usage(ada)

    assert {name: one["limit"] for name, one in found.items()} == {
        "tasks": 100_000, "series": 2_000, "reminders": 100_000, "tokens": 100, "storage": 500_000_000,
    }  # fmt: skip
    assert {name: found[name]["used"] for name in ("tasks", "series", "reminders", "tokens")} == {
        "tasks": 2, "series": 1, "reminders": 1, "tokens": 1,
    }  # fmt: skip
    assert found["storage"]["used"] > len("Räkna".encode()) + 3 + len("Water the plants")


async def test_storage_is_the_bytes_of_titles_and_notes(ada: Person) -> None:
    task = await ada.add("Räkna", notes="abc")
    added = (await used(ada))["storage"]
    await changed(ada, task, {"notes": "abcdef"})
    longer = (await used(ada))["storage"]
    await changed(ada, task, {"notes": "", "priority": 2})

    assert (added, longer, (await used(ada))["storage"]) == (9, 12, 6)


GROWTH: dict[str, Callable[[Person, Json], Awaitable[httpx.Response]]] = {
    "tasks": lambda ada, _: ada.http.post("/api/tasks", json={"title": "One more"}),
    "series": lambda ada, _: ada.http.post("/api/tasks", json={"title": "x", "recurrence": {"rrule": "FREQ=DAILY"}}),
    "reminders": lambda ada, task: ada.http.post(f"/api/tasks/{task['id']}/reminders", json=ABSOLUTE),
    "tokens": lambda ada, _: ada.http.post("/api/auth/tokens", json=SCOPES),
    "storage": lambda ada, task: ada.http.patch(f"/api/tasks/{task['id']}", json={"notes": "x" * 50_000}),
}


async def fill(ada: Person, sql: Sql, name: str) -> Json:
    """A task of somebody who has just what this limit allows."""
    task = await ada.add()
    for grow in (GROWTH[name], GROWTH["reminders"], GROWTH["tokens"], GROWTH["series"]):
        assert (await grow(ada, task)).status_code < 300
    most = (await used(ada))[name]
    await sql.execute("UPDATE users SET quotas = jsonb_build_object($1::text, $2::bigint)", name, most)
    return task


@pytest.mark.parametrize("name", GROWTH)
async def test_growth_beyond_a_limit_is_a_409_that_names_it(ada: Person, sql: Sql, name: str) -> None:
    task = await fill(ada, sql, name)
    before, events = await used(ada), await sql.fetchval("SELECT count(*) FROM audit_events")

    refused = await (GROWTH[name](ada, task) if name != "storage" else ada.http.post("/api/tasks", json={"title": "x"}))

    body = refused.json()
    assert (refused.status_code, body["code"], body["violated-policies"]) == (409, "quota-reached", [name])
    assert await used(ada) == before
    assert await sql.fetchval("SELECT count(*) FROM audit_events") == events
    assert await miscounted(sql) == []


@pytest.mark.parametrize("name", GROWTH)
async def test_without_that_limit_it_is_stored(ada: Person, sql: Sql, name: str) -> None:
    task = await fill(ada, sql, name)
    await sql.execute("UPDATE users SET quotas = jsonb_build_object($1::text, 0)", name)

    assert (await GROWTH[name](ada, task)).status_code < 300
    assert (await usage(ada))[name]["limit"] is None


async def test_a_refusal_says_the_limit_and_what_to_do(ada: Person, database: Database) -> None:
    await limit(database, ada, tasks=1)
    await ada.add()

    refused = await GROWTH["tasks"](ada, {})

    assert refused.json()["detail"] == (
        "The quota of tasks is reached: 1. Delete tasks from the trash: closed and deleted ones count."
        " The operator can raise the limit."
    )


async def test_who_is_over_a_new_limit_can_still_store_what_it_does_not_count(ada: Person, database: Database) -> None:
    task = await ada.add()
    await ada.add()
    await limit(database, ada, tasks=1)

    assert (await ada.http.patch(f"/api/tasks/{task['id']}", json={"notes": "longer"})).status_code == 200
    assert (await GROWTH["reminders"](ada, task)).status_code == 201


async def test_the_trash_counts_until_it_is_emptied(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add()
    await ada.add(parent_id=task["id"])
    await limit(database, ada, tasks=2)
    await ada.http.delete(f"/api/tasks/{task['id']}")
    in_trash = await GROWTH["tasks"](ada, {})

    assert (await ada.http.delete(f"/api/trash/{task['id']}")).status_code == 204
    assert (in_trash.status_code, (await used(ada))["tasks"]) == (409, 0)
    assert (await GROWTH["tasks"](ada, {})).status_code == 201
    assert await miscounted(sql) == []


@pytest.mark.parametrize("kind", ["one statement", "transaction"])
async def test_of_ten_at_once_as_many_are_stored_as_the_limit_allows(
    ada: Person, database: Database, sql: Sql, kind: str
) -> None:
    parent = await ada.add()
    await limit(database, ada, tasks=4)
    below = {"parent_id": parent["id"]} if kind == "transaction" else {}

    answers = await asyncio.gather(*(ada.http.post("/api/tasks", json={"title": f"{n}"} | below) for n in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    assert await sql.fetchval("SELECT count(*) FROM tasks") == 4


async def test_two_transactions_cannot_pass_the_limit_together(ada: Person, database: Database, sql: Sql) -> None:
    """Each sees only itself until it commits: the second waits at its commit, and counts the first."""
    await limit(database, ada, tasks=1)
    add = f"""
        INSERT INTO tasks (id, created_at, updated_at, version, owner_id, project_id, created_by, title, notes,
            status, priority)
        VALUES (new_id(), now(), now(), 1, '{ada.id}', '{ada.id}', '{ada.id}', 'First', '', 'open', 0)"""
    async with sql.transaction():
        await sql.execute(add)
        await sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        second = asyncio.create_task(ada.http.post("/api/tasks", json={"title": "Second"}))
        await waiting_for_locks(sql, 1)

    assert (await second).status_code == 409


async def test_a_repeated_request_is_refused_again_and_nothing_of_it_is_kept(
    ada: Person, database: Database, sql: Sql
) -> None:
    await limit(database, ada, tasks=1)
    await ada.add()
    key = {"Idempotency-Key": "one"}

    refused = [await ada.http.post("/api/tasks", json={"title": "x"}, headers=key) for _ in range(2)]
    await limit(database, ada, tasks=2)
    added = await ada.http.post("/api/tasks", json={"title": "x"}, headers=key)

    assert [answer.json()["code"] for answer in refused] == ["quota-reached"] * 2
    assert added.status_code == 201


async def test_occurrences_open_although_the_account_is_full(ada: Person, database: Database, sql: Sql) -> None:
    task = await begin(ada, "2026-01-01", on_missed="backfill", max_open=3)
    await ada.add("Sweep", parent_id=task["id"])
    await limit(database, ada, tasks=3)

    await work(database)
    opened = (await used(ada))["tasks"]
    following = await act(ada, task, "complete")

    assert opened == 6
    assert following["status"] == "done"
    assert (await GROWTH["series"](ada, task)).json()["violated-policies"] == ["tasks"]
    assert await miscounted(sql) == []


async def test_at_twice_the_limit_a_series_waits_and_loses_nothing(ada: Person, database: Database, sql: Sql) -> None:
    await begin(ada, "2026-01-01", on_missed="backfill", max_open=3)
    await limit(database, ada, tasks=1)

    await work(database)
    (waiting,) = await sql.fetch("SELECT status, failures, last_error FROM series")
    await limit(database, ada, tasks=10)
    await sql.execute("UPDATE series SET next_run_at = now()")
    await work(database)

    assert (waiting["status"], waiting["failures"]) == ("active", 1)
    assert "quota" in waiting["last_error"]
    assert (await used(ada))["tasks"] == 3


async def test_at_twice_the_limit_closing_an_occurrence_is_refused(ada: Person, database: Database) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.add()
    await limit(database, ada, tasks=1)

    refused = await ada.http.post(f"/api/tasks/{task['id']}/complete")

    assert refused.json()["code"] == "quota-reached"
    assert (await ada.http.get(f"/api/tasks/{task['id']}")).json()["status"] == "open"


async def test_a_series_of_a_full_account_stops_no_other(ada: Person, bob: Person, database: Database) -> None:
    await begin(ada, "2026-01-01", on_missed="backfill", max_open=3)
    await begin(bob, "2026-01-01", on_missed="backfill", max_open=3)
    await limit(database, ada, tasks=1)

    await work(database)

    assert [(await used(person))["tasks"] for person in (ada, bob)] == [1, 3]


async def test_a_series_that_is_split_needs_no_second_place(ada: Person, database: Database) -> None:
    task = await begin(ada, "2031-01-01")
    await limit(database, ada, series=1)

    await changed(ada, task, {"recurrence": {"rrule": "FREQ=WEEKLY"}}, "following")

    assert (await used(ada))["series"] == 1
    assert (await GROWTH["series"](ada, task)).status_code == 409


async def test_what_ends_counts_no_more(ada: Person, database: Database, sql: Sql) -> None:
    task = await begin(ada, "2031-01-01")
    await ada.http.post(f"/api/tasks/{task['id']}/reminders", json={"timing": {"kind": "relative"}})
    token = (await ada.http.post("/api/auth/tokens", json=SCOPES)).json()

    await steer(ada, task, "end", {"open": "cancel"})
    await ada.http.delete(f"/api/auth/tokens/{token['id']}")
    found = await used(ada)

    assert (found["series"], found["tokens"], found["reminders"]) == (0, 0, 2)  # its template, and one of the task
    assert await miscounted(sql) == []


async def test_an_erased_account_leaves_no_count(ada: Person, sql: Sql) -> None:
    await begin(ada, "2031-01-01")

    await sql.execute("DELETE FROM users")

    assert await sql.fetchval("SELECT count(*) FROM usage_changes") == 0


async def test_many_changes_are_summed_up(ada: Person, database: Database, sql: Sql) -> None:
    task = await ada.add()
    for _ in range(60):
        await changed(ada, task, {"notes": "x" * random.randint(1, 9)})
    rows = await sql.fetchval("SELECT count(*) FROM usage_changes")
    await sql.execute("INSERT INTO usage_changes (user_id, tasks, series, reminders, tokens, storage)"
                      " SELECT id, 0, 0, 0, 0, 0 FROM users, generate_series(1, 60)")  # fmt: skip

    await sum_up_usage(job_context(database))

    assert rows <= 52
    assert await sql.fetchval("SELECT count(*) FROM usage_changes") == 1
    assert await miscounted(sql) == []


async def test_rows_summed_up_by_the_check_of_the_first_are_checked_with_it(
    ada: Person, database: Database, sql: Sql
) -> None:
    await ada.add()
    await limit(database, ada, tasks=1)
    changes = [*((ada.id, 0, 1) for _ in range(60)), (ada.id, 1, 0)]
    add = "INSERT INTO usage_changes (user_id, tasks, storage, series, reminders, tokens, is_growth)"
    values = ", ".join(f"('{user_id}', {tasks}, {storage}, 0, 0, 0, true)" for user_id, tasks, storage in changes)

    with pytest.raises(asyncpg.PostgresError, match="the quota of tasks is reached"):
        await sql.execute(f"{add} VALUES {values}")
    await sql.execute(f"{add} VALUES {values.rpartition(', (')[0]}")

    assert await sql.fetchval("SELECT count(*) FROM usage_changes") == 1


async def test_the_settings_are_the_limits_of_all_who_have_none_of_their_own(
    database_url: str, database: Database, sql: Sql
) -> None:
    before = await sql.fetchval("SELECT limits FROM quota_defaults")
    async with serving(create_app(settings_for(database_url, quota_tasks=1, quota_storage_mb=0))) as app:
        world = World(app)
        ada, bob = await world.person("ada"), await world.person("bob")
        await limit(database, bob, tasks=2)
        stored = [[(await GROWTH["tasks"](who, {})).status_code for _ in range(3)] for who in (ada, bob)]
        unlimited = (await usage(ada))["storage"]["limit"]
        await world.close()
    await sql.execute("UPDATE quota_defaults SET limits = $1", before)

    assert stored == [[201, 409, 409], [201, 201, 409]]
    assert unlimited is None


async def test_an_own_limit_is_audited_and_can_be_taken_back(ada: Person, database: Database, sql: Sql) -> None:
    await limit(database, ada, tasks=5, storage=2)
    own = await usage(ada)
    await limit(database, ada, tasks=None)

    assert (own["tasks"]["limit"], own["storage"]["limit"]) == (5, 2_000_000)
    assert (await usage(ada))["tasks"]["limit"] == 100_000
    (first, *_) = await sql.fetch("SELECT before, after FROM audit_events WHERE action = 'users.set_quota' ORDER BY id")
    assert (first["before"], first["after"]) == ('{"quotas": {}}', '{"quotas": {"tasks": 5}}')


async def test_random_changes_are_counted_as_they_are(ada: Person, database: Database, sql: Sql) -> None:
    task = await begin(ada, "2026-01-01", on_missed="backfill", max_open=2)
    await ada.add("Sweep", parent_id=task["id"])
    await ada.http.post(f"/api/tasks/{task['id']}/reminders", json={"timing": {"kind": "relative"}})
    for scope in ("this", "following", "all"):
        await work(database)
        open_ones = (await ada.http.get("/api/tasks?status=open")).json()["items"]
        recurring = [one for one in open_ones if one["series_id"]]
        await ada.http.post(f"/api/tasks/{recurring[0]['id']}/complete")
        await ada.http.post(f"/api/tasks/{recurring[0]['id']}/reopen")
        await ada.http.patch(f"/api/tasks/{recurring[-1]['id']}?scope={scope}", json={"title": scope * 9})
        await ada.http.delete(f"/api/tasks/{recurring[-1]['id']}?scope={scope}")
        await ada.http.post(f"/api/trash/{recurring[-1]['id']}/restore")

    assert await miscounted(sql) == []


async def test_the_oldest_session_ends_when_there_are_too_many(
    ada: Person, client: httpx.AsyncClient, sql: Sql
) -> None:
    body = {"email": ada.email, "password": PASSWORD}
    first = (await client.post("/api/auth/login", json=body)).json()
    await sql.execute("""
        INSERT INTO sessions (id, created_at, updated_at, version, user_id, amr, address, user_agent, seen_at,
            expires_at, acting_writes)
        SELECT new_id(), now(), now(), 1, user_id, amr, '', '', now(), expires_at, false
        FROM sessions, generate_series(1, 99)""")
    before = await sql.fetchval("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")

    await client.post("/api/auth/login", json=body)

    ended = await sql.fetch("SELECT revoked_for FROM sessions WHERE revoked_at IS NOT NULL")
    refreshed = await client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert (before, [row["revoked_for"] for row in ended]) == (100, ["limit"])
    assert refreshed.status_code == 401
