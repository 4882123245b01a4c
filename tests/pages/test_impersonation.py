"""Acting as somebody else: never to gain by it, always with both names in the trail."""

import re
from datetime import timedelta

import asyncpg
import httpx
import pytest
from pages.conftest import Entering
from support.factories import PASSWORD, Person, World
from support.pages import Visitor, text_of
from support.sharing import project, share

from todo.database import now

WHY = "Ticket 42: cannot find her tasks"
TITLES = ("Shared", "Hers")


@pytest.fixture
async def ada(world: World) -> Person:
    return await world.person("ada", "member", timezone="Asia/Tokyo")


@pytest.fixture
async def support(world: World, sql: "asyncpg.Connection[asyncpg.Record]") -> Person:
    """Somebody who may look after people and act as them, and do all a member can; nothing else."""
    person = await world.person("support", "member", "support")
    await sql.execute(
        "WITH role AS (INSERT INTO roles (id, version, created_at, updated_at, name, permissions)"
        " VALUES (gen_random_uuid(), 1, now(), now(), 'actors', '{users.impersonate}') RETURNING id)"
        " INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM role",
        person.id,
    )
    yield person
    await sql.execute("DELETE FROM user_roles; DELETE FROM roles WHERE name = 'actors'")


async def act_as(visitor: Visitor, person: Person, **fields: str) -> httpx.Response:
    return await visitor.send(f"/admin/impersonation/{person.id}", reason=WHY, **fields)


async def test_they_see_what_that_person_sees_and_a_banner(visitor: Visitor, ada: Person, boss: Person) -> None:
    await ada.add("Hers")
    await boss.add("Mine")

    begun = await visitor.follow(await act_as(visitor, ada))
    tasks = text_of(await visitor.get("/admin/tasks"))

    assert "You are impersonating ada@example.com in read-only mode, until" in begun
    assert "Hers" in tasks and "Mine" not in tasks
    assert "You are boss@example.com" in tasks


@pytest.mark.parametrize("path", ["/admin/users", "/admin/roles", "/admin/jobs", "/admin/account", "/admin/health"])
async def test_what_that_person_may_not_see_is_refused(visitor: Visitor, ada: Person, path: str) -> None:
    await act_as(visitor, ada, writes="1")

    assert (await visitor.get(path)).status_code == 403


async def test_only_looking_changes_nothing(visitor: Visitor, ada: Person) -> None:
    task = await ada.add("As it was")
    await act_as(visitor, ada)

    refused = await visitor.send(f"/admin/tasks/{task['id']}", title="Other", _version="1")

    assert refused.status_code == 403
    assert "Stop impersonating" in text_of(refused)
    assert "As it was" in text_of(await visitor.get("/admin/tasks"))


async def test_a_change_made_as_somebody_names_both(
    visitor: Visitor, ada: Person, boss: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    task = await ada.add("As it was")
    await act_as(visitor, ada, writes="1")

    await visitor.follow(await visitor.send(f"/admin/tasks/{task['id']}", title="Other", _version="1"))

    entry = await sql.fetchrow("SELECT * FROM audit_events WHERE action = 'tasks.change'")
    assert (entry["actor_id"], entry["on_behalf_of"]) == (boss.id, ada.id)


async def test_beginning_and_ending_are_in_the_audit_log_with_the_reason(
    visitor: Visitor, ada: Person, boss: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await act_as(visitor, ada)
    stopped = await visitor.follow(await visitor.send("/admin/impersonation/stop"))

    entries = await sql.fetch(
        "SELECT * FROM audit_events WHERE action LIKE 'users.impersonate%' AND subject_id = $1 ORDER BY id", ada.id
    )
    assert [entry["action"] for entry in entries] == ["users.impersonate", "users.impersonate_end"]
    assert entries[0]["reason"] == WHY
    assert {entry["actor_id"] for entry in entries} == {boss.id}
    assert "You are yourself again" in stopped and "You are impersonating" not in stopped


async def test_it_ends_by_itself_after_an_hour(
    visitor: Visitor, ada: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await act_as(visitor, ada)
    until = await sql.fetchval("SELECT acting_until FROM sessions WHERE acting_as = $1", ada.id)

    await sql.execute("UPDATE sessions SET acting_until = now() WHERE acting_as = $1", ada.id)

    assert timedelta(minutes=59) < until - now() <= timedelta(hours=1)
    assert "You are impersonating" not in text_of(await visitor.get("/admin/users"))


async def test_it_ends_when_that_person_is_disabled(
    visitor: Visitor, ada: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await act_as(visitor, ada)

    await sql.execute("UPDATE users SET status = 'disabled' WHERE id = $1", ada.id)

    assert "You are impersonating" not in text_of(await visitor.get("/admin/users"))


async def test_signing_out_ends_the_operators_session(visitor: Visitor, ada: Person) -> None:
    await act_as(visitor, ada)

    await visitor.send("/admin/logout")

    assert (await visitor.get("/admin")).headers["location"].startswith("/admin/login")


@pytest.mark.parametrize("reason", ["", "  ", "no", "x" * 501])
async def test_a_reason_is_needed(visitor: Visitor, ada: Person, reason: str) -> None:
    refused = await visitor.send(f"/admin/impersonation/{ada.id}", reason=reason)

    assert refused.status_code == 422
    assert "The reason must have 3 to" in text_of(refused)
    assert "You are impersonating" not in text_of(await visitor.get("/admin/users"))


async def test_it_asks_for_a_fresh_read_reauthentication(
    visitor: Visitor, ada: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await sql.execute("UPDATE sessions SET reauthenticated_at = now() - interval '11 minutes'")

    prompted = await act_as(visitor, ada)
    wrong = await act_as(visitor, ada, reauthentication_password="not the one")
    begun = await act_as(visitor, ada, reauthentication_password=PASSWORD)

    assert (prompted.status_code, wrong.status_code, begun.status_code) == (403, 403, 303)
    assert "Confirm your identity" in text_of(prompted)


async def test_nobody_acts_as_somebody_who_may_do_more(entering: Entering, support: Person, boss: Person) -> None:
    visitor = await entering(support)

    prompted, refused = await visitor.get(f"/admin/impersonation/{boss.id}"), await act_as(visitor, boss)

    assert (prompted.status_code, refused.status_code) == (403, 403)
    assert "This user has permissions that you do not have" in text_of(refused)


async def test_who_may_act_as_others_acts_as_who_may_do_less(entering: Entering, support: Person, ada: Person) -> None:
    visitor = await entering(support)

    assert "You are impersonating ada@example.com" in await visitor.follow(await act_as(visitor, ada))


async def test_it_ends_when_that_person_may_do_more(
    entering: Entering, support: Person, ada: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    visitor = await entering(support)
    await act_as(visitor, ada)

    await sql.execute(
        "INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = 'superuser'", ada.id
    )

    assert "You are impersonating" not in text_of(await visitor.get("/admin/users"))


async def test_without_the_permission_there_is_neither_button_nor_way(
    entering: Entering, world: World, ada: Person
) -> None:
    visitor = await entering(await world.person("help", "support"))

    assert "Impersonate" not in text_of(await visitor.get(f"/admin/users/{ada.id}"))
    assert (await act_as(visitor, ada)).status_code == 403


async def test_one_at_a_time_and_never_oneself(visitor: Visitor, ada: Person, boss: Person, world: World) -> None:
    other = await world.person("other", "member")

    oneself = await act_as(visitor, boss)
    await act_as(visitor, ada, writes="1")
    nested = await act_as(visitor, other)

    assert (oneself.status_code, nested.status_code) == (403, 403)


async def test_the_token_for_the_api_stays_that_of_oneself(visitor: Visitor, ada: Person, boss: Person) -> None:
    await act_as(visitor, ada, writes="1")

    assert (await visitor.http.get("/api/auth/me")).status_code == 401
    assert (await boss.http.get("/api/auth/me")).json()["email"] == boss.email


async def test_people_are_named_as_the_api_names_them_to_this_person(
    visitor: Visitor, world: World, ada: Person, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """Themselves, and members of projects they share, by name and without a link; nobody else."""
    grace, eve = await world.person("grace", "member"), await world.person("eve", "member")
    house = await project(grace)
    await share(sql, house, ada.id)
    await share(sql, house, eve.id, "commenter")
    shared = await grace.http.post("/api/tasks", json={"title": "Shared", "project_id": house})
    (await eve.http.post(f"/api/tasks/{shared.json()['id']}/comments", json={"text": "Hello"})).raise_for_status()
    (await grace.http.delete(f"/api/projects/{house}/members/{eve.id}")).raise_for_status()
    await ada.add("Hers")
    await act_as(visitor, ada)

    page, comments = await visitor.get("/admin/tasks"), await visitor.get("/admin/comments")

    owners = {title: {"grace", "ada"} & words for words in words_of_rows(page) for title in TITLES if title in words}
    assert owners == {"Shared": {"grace"}, "Hers": {"ada"}}
    assert 'href="/admin/users/' not in page.text
    assert [{"eve", "visible"} & words for words in words_of_rows(comments)] == [{"visible"}]


def words_of_rows(page: httpx.Response) -> list[set[str]]:
    rows = re.findall(r"<tr.*?</tr>", page.text.partition("<tbody")[2], re.DOTALL)
    return [set(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
