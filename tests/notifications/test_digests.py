"""The daily digest and the overdue summary: once a local day, at the person's hour, when there is something to say."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event
from support.factories import Person, World
from support.sending import Sql, ago, confirm, email_templates, sent, work, zoned
from support.sharing import project, share

from todo.database import Database

BERLIN = ZoneInfo("Europe/Berlin")


def today(person_zone: ZoneInfo = BERLIN, **later: int) -> dict[str, Any]:
    """A due on the local day of now."""
    return {"kind": "day", "date": (datetime.now(person_zone).date() + timedelta(**later)).isoformat()}


def hour_of(moment: datetime, timezone: ZoneInfo = BERLIN) -> str:
    return f"{moment.astimezone(timezone):%H:%M}"


async def prefer(person: Person, **fields: Any) -> dict[str, Any]:
    answer = await person.http.patch("/api/me/notifications", json=fields)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def come(sql: Sql) -> None:
    """Let it be time for everybody's digest."""
    await sql.execute("UPDATE notification_preferences SET next_digest_at = now() WHERE next_digest_at IS NOT NULL")


async def wants(person: Person, sql: Sql, **fields: Any) -> None:
    """Somebody who gets a digest at about this time of the day, and for whom it is time."""
    await prefer(person, **({"digest": ["app"], "digest_time": hour_of(ago(minutes=2))} | fields))
    await come(sql)


async def test_nobody_gets_a_digest_unasked(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add(due=today())

    await prefer(ada, digest_time="08:00")
    await work(database)

    assert (await sent(ada), await sql.fetchval("SELECT next_digest_at FROM notification_preferences")) == ([], None)


async def test_a_digest_says_of_today_and_of_what_is_overdue(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add("Today", due=today())
    await ada.add("Long ago", due=today(days=-3))
    await ada.add("Tomorrow", due=today(days=1))
    done = await ada.add("Done", due=today())
    await ada.http.post(f"/api/tasks/{done['id']}/complete")
    await wants(ada, sql)

    await work(database)

    (digest,) = (await ada.http.get("/api/notifications")).json()["items"]
    assert (digest["kind"], digest["title"]) == ("digest", "1 task today, 1 overdue")
    heads = [line.partition(" (")[0] for line in digest["text"].splitlines() if line]
    assert heads == ["Today", "- Today", "Overdue", "- Long ago"]


async def test_the_summary_of_what_is_overdue_is_a_message_of_its_own(
    ada: Person, database: Database, sql: Sql
) -> None:
    await ada.add("Today", due=today())
    await ada.add("Long ago", due=today(days=-3))
    await wants(ada, sql, digest=[], overdue=["app"])

    await work(database)

    assert await sent(ada) == ["Overdue: 1 task"]


@pytest.mark.parametrize("kind", ["digest", "overdue"])
async def test_when_there_is_nothing_to_say_nothing_is_said(
    ada: Person, database: Database, sql: Sql, kind: str
) -> None:
    await ada.add("Tomorrow", due=today(days=1))
    await ada.add("Some day")
    await wants(ada, sql, **{"digest": [], kind: ["app"]})

    await work(database)

    assert await sent(ada) == []


async def test_it_comes_once_a_day_however_often_workers_look(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add(due=today())
    await wants(ada, sql)

    await work(database, workers=3)
    await come(sql)
    await work(database)

    assert len(await sent(ada)) == 1


async def test_the_next_one_is_tomorrow_at_the_same_hour(ada: Person, database: Database, sql: Sql) -> None:
    hour = hour_of(ago(minutes=2))
    await wants(ada, sql, digest_time=hour)

    await work(database)

    following = await sql.fetchval("SELECT next_digest_at FROM notification_preferences")
    assert hour_of(following) == hour
    assert following > datetime.now(UTC) + timedelta(hours=20)


async def test_a_digest_asked_for_begins_with_the_next(ada: Person, database: Database) -> None:
    await ada.add(due=today())

    await prefer(ada, digest=["app"], digest_time=hour_of(ago(minutes=2)))
    await work(database)

    assert await sent(ada) == []


async def test_one_that_comes_hours_too_late_is_left_out(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add(due=today())
    await wants(ada, sql, digest_time=hour_of(ago(hours=7)))

    await work(database)

    assert await sent(ada) == []
    assert await sql.fetchval("SELECT next_digest_at > now() FROM notification_preferences")


async def test_who_moves_on_the_same_day_gets_no_second_one(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add(due=today(days=-1))
    await wants(ada, sql)
    await work(database)

    # An hour west: the same hour comes again.
    await ada.http.patch("/api/auth/me", json={"timezone": "Europe/London"})
    await sql.execute(
        "UPDATE notification_preferences SET digest_time = $1", hour_of(ago(minutes=1), ZoneInfo("Europe/London"))
    )
    await come(sql)
    await work(database)

    same_day = datetime.now(BERLIN).date() == datetime.now(ZoneInfo("Europe/London")).date()
    assert len(await sent(ada)) == (1 if same_day else 2)


async def test_who_moves_gets_the_next_one_at_the_new_hour(ada: Person, database: Database, sql: Sql) -> None:
    await prefer(ada, digest=["app"], digest_time="08:00")

    await ada.http.patch("/api/auth/me", json={"timezone": "Asia/Tokyo"})
    await work(database)

    following = await sql.fetchval("SELECT next_digest_at FROM notification_preferences")
    assert hour_of(following, ZoneInfo("Asia/Tokyo")) == "08:00"


async def test_somebody_disabled_gets_none(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add(due=today())
    await wants(ada, sql)
    await sql.execute("UPDATE users SET status = 'disabled'")

    await work(database)

    assert await sql.fetchval("SELECT count(*) FROM notifications") == 0


async def test_by_mail_it_is_a_message_with_its_lists(ada: Person, database: Database, sql: Sql) -> None:
    await ada.add("Water <b>", due=today())
    await confirm(sql, ada)
    await wants(ada, sql, digest=["email"])

    await work(database)

    (mail,) = await email_templates(sql)
    assert (mail["subject"], mail["attachments"]) == ("1 task today", "[]")
    assert "- Water <b> (" in mail["text"]
    assert "Water &lt;b&gt;" in mail["html"]
    assert await sent(ada) == []


async def test_a_long_list_is_cut(ada: Person, database: Database, sql: Sql) -> None:
    for number in range(55):
        await ada.add(str(number), due=today())
    await wants(ada, sql)

    await work(database)

    (digest,) = (await ada.http.get("/api/notifications")).json()["items"]
    assert (digest["title"], digest["text"].splitlines()[-1]) == ("55 tasks today", "and 5 more")


async def test_many_people_cost_as_many_statements_as_one(
    world: World, ada: Person, database: Database, sql: Sql
) -> None:
    counts = []
    for people in ([ada], [await world.person(f"p{number}") for number in range(6)]):
        for person in people:
            await person.add(due=zoned(ago(hours=-0.01)))
            await prefer(person, digest=["app"], digest_time=hour_of(ago(minutes=2)))
        await come(sql)
        statements: list[str] = []
        listener = lambda *arguments, statements=statements: statements.append(arguments[2])  # noqa: E731
        event.listen(database.engine.sync_engine, "before_cursor_execute", listener)
        await work(database)
        event.remove(database.engine.sync_engine, "before_cursor_execute", listener)
        counts.append(len(statements))

    assert counts[0] == counts[1]


async def test_a_day_is_that_of_its_reader(world: World, database: Database, sql: Sql) -> None:
    west = ZoneInfo("Pacific/Pago_Pago")
    ada = await world.person("ada", timezone="Pacific/Kiritimati")
    eve = await world.person("eve", timezone=west.key)
    house = await project(ada)
    await share(sql, house, eve.id, "editor")
    for days, title in [(-1, "Yesterday"), (0, "Today"), (1, "Tomorrow")]:
        await ada.add(title, due=today(west, days=days), project_id=house, assignee_ids=[str(eve.id)])
    await prefer(eve, digest=["app"], digest_time=hour_of(ago(minutes=2), west))
    await come(sql)

    await work(database)

    assert "1 task today, 1 overdue" in await sent(eve)
