"""Notifications of what others do with shared work: whom they reach, when, and what they never show."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import pytest
from support.factories import Person, World
from support.sending import Sql, confirm, email_templates, sent, work
from support.sharing import project, share

from todo.database import Database
from todo.delivery.engine import deliver_due
from todo.delivery.models import Delivery
from todo.domain.notifications.services.shared_mails import is_wanted

Json: TypeAlias = dict[str, Any]
PREFERENCES = "/api/me/notifications"


@pytest.fixture
async def house(ada: Person, bob: Person, sql: Sql) -> str:
    """A project of ada's, with bob as an editor; both get mail."""
    found = await project(ada)
    await share(sql, found, bob.id, "editor")
    await confirm(sql, ada, bob)
    return found


@pytest.fixture
async def carol(world: World, house: str, sql: Sql) -> Person:
    found = await world.person("carol")
    await share(sql, house, found.id, "editor")
    await confirm(sql, found)
    return found


async def comment(person: Person, task: Json, text: str = "Done?") -> Json:
    answer = await person.http.post(f"/api/tasks/{task['id']}/comments", json={"text": text})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def assign(person: Person, task: Json, *people: Person) -> None:
    body = {"assignee_ids": [str(one.id) for one in people]}
    assert (await person.http.patch(f"/api/tasks/{task['id']}", json=body)).status_code == 200


async def prefer(person: Person, **fields: Any) -> None:
    assert (await person.http.patch(PREFERENCES, json=fields)).status_code == 200


async def mails(sql: Sql) -> list[tuple[str, str]]:
    return [(mail["recipient"].partition("@")[0], mail["subject"]) for mail in await email_templates(sql)]


class Post:
    """The channel `email`, which keeps what it sends."""

    name = "email"

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def deliver(self, delivery: Delivery) -> None:
        self.sent.append((delivery.recipient.partition("@")[0], delivery.subject))


async def test_an_assigned_person_is_notified_once(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    task = await ada.add("Paint", project_id=house, assignee_ids=[str(bob.id), str(ada.id)])
    await ada.http.patch(f"/api/tasks/{task['id']}", json={"title": "Paint it"})

    await work(database, workers=2)

    assert (await sent(bob), await sent(ada)) == (["ada assigned you: Paint it"], [])
    assert await mails(sql) == [("bob", "ada assigned you: Paint it")]
    (shown,) = (await bob.http.get("/api/notifications")).json()["items"]
    assert (shown["kind"], shown["task_id"], shown["comment_id"]) == ("assigned", task["id"], None)


async def test_who_is_assigned_later_and_not_any_more(
    ada: Person, bob: Person, carol: Person, house: str, database: Database
) -> None:
    task = await ada.add("Paint", project_id=house)
    await assign(ada, task, bob)
    await assign(ada, task, carol)

    await work(database)

    assert (await sent(bob), await sent(carol)) == ([], ["ada assigned you: Paint"])


async def test_a_comment_reaches_who_has_to_do_with_the_task(
    ada: Person, bob: Person, carol: Person, world: World, house: str, database: Database, sql: Sql
) -> None:
    dave = await world.person("dave")
    await share(sql, house, dave.id, "commenter")
    task = await bob.add("Paint", project_id=house)
    await assign(bob, task, carol)
    await comment(dave, task, "Which color?")
    await work(database)
    await comment(ada, task, "Ask @bob")
    await work(database)

    titles = {person.email: await sent(person) for person in (ada, bob, carol, dave)}

    assert titles == {
        ada.email: [],
        bob.email: ["dave commented: Paint", "ada mentioned you: Paint"],
        carol.email: ["bob assigned you: Paint", "dave commented: Paint", "ada commented: Paint"],
        dave.email: ["ada commented: Paint"],
    }
    assert sorted(await mails(sql)) == [("bob", "ada mentioned you: Paint"), ("carol", "bob assigned you: Paint")]


async def test_an_edit_notifies_only_those_it_newly_mentions(
    ada: Person, bob: Person, carol: Person, house: str, database: Database
) -> None:
    task = await ada.add("Paint", project_id=house)
    written = await comment(ada, task, "@bob")
    path = f"/api/tasks/{task['id']}/comments/{written['id']}"
    await ada.http.patch(path, json={"text": "@bob and @carol"})
    await ada.http.patch(path, json={"text": "@carol, @bob."})

    await work(database)

    assert await sent(bob) == await sent(carol) == ["ada mentioned you: Paint"]
    (shown,) = (await bob.http.get("/api/notifications")).json()["items"]
    assert shown["comment_id"] == written["id"]


@pytest.mark.parametrize("recurring", [False, True])
async def test_who_added_or_assigned_a_task_hears_that_it_is_done(
    ada: Person, bob: Person, carol: Person, house: str, database: Database, recurring: bool
) -> None:
    again = {"due": {"kind": "day", "date": "2031-01-31"}, "recurrence": {"rrule": "FREQ=MONTHLY"}}
    task = await bob.add("Paint", project_id=house, **(again if recurring else {}))
    await assign(carol, task, ada)
    await work(database)

    await ada.http.post(f"/api/tasks/{task['id']}/complete")
    await work(database)

    assert await sent(bob) == await sent(carol) == ["ada completed: Paint"]
    assert await sent(ada) == ["carol assigned you: Paint"]


async def test_what_is_taken_back_at_once_is_not_announced(
    ada: Person, bob: Person, house: str, database: Database
) -> None:
    task = await bob.add("Paint", project_id=house)
    await ada.http.post(f"/api/tasks/{task['id']}/complete")
    await ada.http.post(f"/api/tasks/{task['id']}/reopen")

    await work(database)

    assert await sent(bob) == []


async def test_of_what_one_does_oneself_there_is_no_notice(ada: Person, house: str, database: Database) -> None:
    task = await ada.add("Paint", project_id=house, assignee_ids=[str(ada.id)])
    await comment(ada, task, "@ada")
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    await work(database)

    assert await sent(ada) == []


async def test_what_nobody_shares_leaves_nothing_to_do(ada: Person, sql: Sql) -> None:
    task = await ada.add()
    await comment(ada, task)
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    assert await sql.fetchval("SELECT count(*) FROM activities") == 0


async def remove(ada: Person, bob: Person, house: str) -> None:
    assert (await ada.http.delete(f"/api/projects/{house}/members/{bob.id}")).status_code == 204


async def test_who_was_removed_before_the_worker_came_gets_nothing(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    task = await ada.add("Paint", project_id=house, assignee_ids=[str(bob.id)])
    await comment(ada, task, "@bob")
    await remove(ada, bob, house)

    await work(database)

    assert await sql.fetchval("SELECT count(*) FROM notifications") == 0
    assert await mails(sql) == []


async def test_who_was_removed_before_the_mail_was_sent_gets_none(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    await sql.execute("DELETE FROM deliveries")
    await ada.add("Paint", project_id=house, assignee_ids=[str(bob.id)])
    await work(database)
    assert await mails(sql) == [("bob", "ada assigned you: Paint")]
    await remove(ada, bob, house)
    post = Post()

    await deliver_due(database, [post], is_wanted)

    assert post.sent == []
    assert await sql.fetchval("SELECT count(*) FROM deliveries WHERE dedup_key IS NOT NULL") == 0


async def test_who_was_removed_in_quiet_hours_gets_no_mail_in_the_morning(
    ada: Person, bob: Person, carol: Person, house: str, database: Database, sql: Sql
) -> None:
    moment = datetime.now(UTC)
    quiet = {"begin": f"{moment - timedelta(hours=1):%H:%M}", "end": f"{moment + timedelta(hours=1):%H:%M}"}
    for person in (bob, carol):
        await person.http.patch("/api/auth/me", json={"timezone": "UTC"})
        await prefer(person, quiet_hours=quiet)
    await ada.add("Paint", project_id=house, assignee_ids=[str(bob.id), str(carol.id)])
    await work(database)
    before = await mails(sql)
    await remove(ada, bob, house)

    await sql.execute("UPDATE notifications SET mail_at = now()")
    await work(database)

    assert await sent(carol) == ["ada assigned you: Paint"]
    assert (before, await mails(sql)) == ([], [("carol", "ada assigned you: Paint")])


async def test_the_list_shows_what_one_sees_still(ada: Person, bob: Person, house: str, database: Database) -> None:
    task = await ada.add("Paint", project_id=house, assignee_ids=[str(bob.id)])
    await work(database)
    (shown,) = (await bob.http.get("/api/notifications")).json()["items"]
    await ada.http.delete(f"/api/tasks/{task['id']}")

    assert (await bob.http.get("/api/notifications?count=true")).json()["total"] == 0
    assert (await bob.http.get("/api/notifications/unread")).json() == {"unread": 0}
    assert (await bob.http.post(f"/api/notifications/{shown['id']}/read")).status_code == 404
    assert (await bob.http.post("/api/notifications/read")).json() == {"marked": 0}

    await ada.http.post(f"/api/trash/{task['id']}/restore")
    assert await sent(bob) == ["ada assigned you: Paint"]


async def test_a_purged_task_leaves_no_title_behind(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    task = await ada.add("Paint", project_id=house, assignee_ids=[str(bob.id)])
    await work(database)
    assert await sent(bob) == ["ada assigned you: Paint"]

    for path in (f"/api/tasks/{task['id']}", f"/api/trash/{task['id']}"):
        assert (await ada.http.delete(path)).status_code == 204

    assert await sql.fetch("SELECT title FROM notifications") == []


async def test_a_deleted_comment_and_its_notifications_go_together(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    task = await ada.add("Paint", project_id=house)
    written = await comment(ada, task, "@bob")
    await work(database)

    await ada.http.delete(f"/api/tasks/{task['id']}/comments/{written['id']}")
    post = Post()
    await deliver_due(database, [post], is_wanted)

    assert await sent(bob) == []
    assert ("bob", "ada mentioned you: Paint") not in post.sent


@pytest.mark.parametrize(
    ("level", "kinds"),
    [
        ("all", ["assigned", "mentioned", "commented", "completed"]),
        ("mentions", ["assigned", "mentioned"]),
        ("none", []),
    ],
)
async def test_a_project_can_be_heard_less_of(
    ada: Person, bob: Person, house: str, database: Database, level: str, kinds: list[str]
) -> None:
    await prefer(bob, projects=[{"project_id": house, "level": level}])
    task = await bob.add("Paint", project_id=house)
    await assign(ada, task, bob)
    await comment(ada, task, "@bob")
    await comment(ada, task)
    await ada.http.post(f"/api/tasks/{task['id']}/complete")

    await work(database)

    found = (await bob.http.get("/api/notifications")).json()["items"]
    assert sorted(one["kind"] for one in found) == sorted(kinds)
    levels = (await bob.http.get(PREFERENCES)).json()["projects"]
    assert levels == ([] if level == "all" else [{"project_id": house, "level": level}])


async def test_levels_are_of_projects_that_one_sees(ada: Person, bob: Person, house: str) -> None:
    hidden, never = await project(ada, "Hidden"), str(UUID(int=0))

    answers = [
        await bob.http.patch(PREFERENCES, json={"projects": [{"project_id": one, "level": "none"}]})
        for one in (hidden, never)
    ]

    assert {answer.status_code for answer in answers} == {422}
    assert answers[0].json()["errors"] == answers[1].json()["errors"]
    await prefer(bob, projects=[{"project_id": house, "level": "none"}])
    await remove(ada, bob, house)
    await prefer(bob, projects=[{"project_id": house, "level": "none"}], digest_time="07:00")


@pytest.mark.parametrize(
    ("channels", "in_app", "by_mail"),
    [(["app", "email"], 1, 1), (["app"], 1, 0), (["email"], 0, 1), ([], 0, 0)],
)
async def test_each_kind_has_its_channels(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql, channels: list[str], in_app: int, by_mail: int
) -> None:
    await prefer(bob, commented=channels)
    await comment(ada, await bob.add("Paint", project_id=house))

    await work(database)

    assert (len(await sent(bob)), len(await mails(sql))) == (in_app, by_mail)


async def test_a_mail_turned_off_before_it_was_written_is_in_the_list(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    await prefer(bob, commented=["email"])
    await comment(ada, await bob.add("Paint", project_id=house))
    await work(database)
    await sql.execute("UPDATE notifications SET mail_waits = true; DELETE FROM deliveries")
    await prefer(bob, commented=["app"])

    await work(database)

    assert (await sent(bob), await mails(sql)) == (["ada commented: Paint"], [])


async def test_a_burst_of_comments_of_a_hundred_members_is_one_mail_each(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    await sql.execute(
        """WITH added AS (
            INSERT INTO users (id, created_at, updated_at, version, email, name, timezone, kind, status,
                credential_version, email_verified_at)
            SELECT gen_random_uuid(), now(), now(), 1, n || '@many.example', 'many', 'UTC', 'person', 'active', 0, now()
            FROM generate_series(1, 100) AS n RETURNING id)
        INSERT INTO project_access SELECT id, $1, 'commenter' FROM added""",
        UUID(house),
    )
    task = await ada.add("Paint", project_id=house)
    await sql.execute(
        """INSERT INTO notification_preferences (id, created_at, updated_at, version, user_id, email, reminder, missed,
            digest, overdue, series_ended, digest_time, day_time, commented)
        SELECT gen_random_uuid(), now(), now(), 1, id, true, '[]', '[]', '[]', '[]', '[]', '08:00', '09:00',
            '["app", "email"]' FROM users WHERE name = 'many'""",
    )
    await sql.execute(
        """WITH written AS (
            INSERT INTO comments (id, created_at, updated_at, version, task_id, author_id, text)
            SELECT gen_random_uuid(), now(), now(), 1, $1, id, 'x' FROM users WHERE name = 'many'
            RETURNING id, author_id)
        INSERT INTO activities SELECT gen_random_uuid(), 'commented', $1, id, author_id, '{}' FROM written""",
        UUID(task["id"]),
    )

    await work(database, workers=2)

    assert await sql.fetchval("SELECT count(*) FROM activities") == 0
    assert await sql.fetchval("SELECT count(*) FROM notifications") == 100 * 99 + 100  # all but their own, and ada's
    sent_to = [recipient for recipient, _ in await mails(sql)]
    assert (len(sent_to), len(set(sent_to))) == (100, 100)


async def test_a_digest_has_what_is_assigned_in_projects_of_others(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    today = {"kind": "day", "date": datetime.now(UTC).date().isoformat()}
    await ada.add("Paint", project_id=house, due=today, assignee_ids=[str(bob.id)])
    await ada.add("Rake", project_id=house, due=today)
    await bob.add("Own", due=today)
    await bob.http.patch("/api/auth/me", json={"timezone": "UTC"})
    await prefer(bob, digest=["app"], digest_time=f"{datetime.now(UTC) - timedelta(minutes=2):%H:%M}", assigned=[])
    await sql.execute("UPDATE notification_preferences SET next_digest_at = now() WHERE next_digest_at IS NOT NULL")

    await work(database)

    (digest,) = (await bob.http.get("/api/notifications")).json()["items"]
    lines = [line.partition(" (")[0] for line in digest["text"].splitlines()]
    assert sorted(lines) == ["- Own", "- Paint", "Today"]


async def test_an_erased_person_is_named_in_no_notification(
    ada: Person, bob: Person, house: str, database: Database, sql: Sql
) -> None:
    await comment(bob, await ada.add("Paint", project_id=house))
    await work(database)
    assert await sent(ada) == ["bob commented: Paint"]

    await sql.execute("DELETE FROM users WHERE id = $1", bob.id)

    assert await sent(ada) == []


async def test_what_is_assigned_one_by_one_is_notified_one_by_one(
    ada: Person, bob: Person, house: str, database: Database
) -> None:
    await asyncio.gather(*(ada.add(f"Task {n}", project_id=house, assignee_ids=[str(bob.id)]) for n in range(3)))

    await work(database)

    assert len(await sent(bob)) == 3


async def test_a_notification_says_when_the_task_is_due(
    ada: Person, bob: Person, house: str, database: Database
) -> None:
    due = {"kind": "day", "date": "2031-01-31"}
    await ada.add("Paint", project_id=house, due=due, assignee_ids=[str(bob.id)])

    await work(database)

    (shown,) = (await bob.http.get("/api/notifications")).json()["items"]
    assert shown["text"] == "ada assigned you: Paint\nFriday, 31 January 2031"
