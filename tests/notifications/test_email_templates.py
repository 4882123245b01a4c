"""Mail: what it looks like when it arrives, the calendar file in it, and the link that ends it."""

import asyncio
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from conftest import SECRET_KEY, settings_for
from delivery.test_email import deliver_due, skip_waiting
from hypothesis import example, given
from hypothesis import strategies as st
from inbox import Inbox
from support.factories import Person, World
from support.sending import Sql, ago, arrive, confirm, due_reminder, email_templates, remind, work

from todo.database import Database
from todo.domain.notifications.rules.email_templates import one_line, when
from todo.domain.notifications.services.preferences import KINDS, link_token, read_link_token
from todo.domain.tasks import calendar
from todo.errors import NotFound
from todo.settings import SecretKey, Settings

PUBLIC = "https://todo.example.org"


@pytest.fixture
async def mailing(database: Database, database_url: str, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A worker that knows its public address and a mail server."""
    settings = settings_for(
        database_url, public_url=PUBLIC, mail_url=f"smtp://127.0.0.1:{free_port}", mail_from="Todo <todo@example.org>"
    )
    monkeypatch.setattr(database, "settings", settings)
    return settings


async def post(database: Database, sql: Sql, settings: Settings) -> None:
    """Tell what is due, and mail nothing else."""
    await sql.execute("DELETE FROM deliveries")
    await work(database)
    await deliver_due(database, settings)


def part(message: EmailMessage, kind: str) -> EmailMessage:
    (found,) = [part for part in message.walk() if part.get_content_type() == kind]
    assert isinstance(found, EmailMessage)
    return found


async def test_a_reminder_arrives_as_one_good_email(
    ada: Person, database: Database, sql: Sql, mailing: Settings, inbox: Inbox
) -> None:
    await confirm(sql, ada)
    await due_reminder(ada, sql, "Grüße <&> an alle")

    await post(database, sql, mailing)

    ((_, message),) = inbox.taken
    number = await sql.fetchval("SELECT id FROM deliveries")
    html = part(message, "text/html").get_content()
    assert (message["subject"], message["message-id"]) == ("Reminder: Grüße <&> an alle", f"<{number}@example.org>")
    assert message.get_content_type() == "multipart/mixed"
    assert "Grüße <&> an alle" in part(message, "text/plain").get_content()
    assert "Grüße &lt;&amp;&gt; an alle" in html
    assert "prefers-color-scheme: dark" in html
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(rf"<{PUBLIC}/unsubscribe/[\w-]{{44}}>", message["list-unsubscribe"])


class Links(HTMLParser):
    """Every address a page names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "background", "action"}]


async def test_an_email_loads_nothing_from_anywhere(
    ada: Person, database: Database, sql: Sql, mailing: Settings, inbox: Inbox
) -> None:
    await confirm(sql, ada)
    await due_reminder(ada, sql, '"><img src=https://evil.example/x.png>')

    await post(database, sql, mailing)

    html = part(inbox.taken[0][1], "text/html").get_content()
    assert [link.startswith(f"{PUBLIC}/unsubscribe/") for link in Links(html).found] == [True]
    assert not re.search(r"url\(|@import", html)


async def test_a_calendar_file_comes_with_a_dated_task(
    ada: Person, database: Database, sql: Sql, mailing: Settings, inbox: Inbox
) -> None:
    await confirm(sql, ada)
    task = await due_reminder(ada, sql, "Plan; then, act")

    await post(database, sql, mailing)

    file = part(inbox.taken[0][1], "text/calendar")
    lines = file.get_content().split("\n")
    assert (file.get_param("method"), file.get_filename()) == ("PUBLISH", "task.ics")
    assert {
        "METHOD:PUBLISH",
        f"UID:{task['id']}@todo.example.org",
        "SEQUENCE:1",
        f"DTSTART:{task['due_at'].replace('-', '').replace(':', '')}",
        "SUMMARY:Plan\\; then\\, act",
    } <= {line.strip() for line in lines}


async def test_without_a_public_address_there_is_no_link(ada: Person, database: Database, sql: Sql) -> None:
    await confirm(sql, ada)
    await due_reminder(ada, sql)

    await work(database)

    (mail,) = await email_templates(sql)
    assert "nsubscribe" not in mail["headers"] + mail["text"] + mail["html"]


async def test_no_title_can_smuggle_in_a_header(ada: Person, database: Database, sql: Sql) -> None:
    await confirm(sql, ada)
    await due_reminder(ada, sql)
    await sql.execute("UPDATE tasks SET title = E'Hello\\r\\nBcc: eve@example.com\\u2028\\u0085' || repeat('x', 900)")
    await arrive(sql)

    await work(database)

    (mail,) = await email_templates(sql)
    assert mail["subject"].startswith("Reminder: Hello Bcc: eve@example.com xxx")
    assert len(mail["subject"]) == 200


async def test_while_the_server_is_away_nothing_is_lost_or_doubled_and_the_order_stays(
    ada: Person, bob: Person, database: Database, sql: Sql, mailing: Settings, inbox: Inbox
) -> None:
    await confirm(sql, ada, bob)
    inbox.close()
    for number in range(3):
        for person in (ada, bob):
            await due_reminder(person, sql, str(number), minutes=9 - number)
        await post(database, sql, mailing) if number == 0 else await work(database)
        await deliver_due(database, mailing)
        await skip_waiting(sql)
    inbox.open()

    await asyncio.gather(*(deliver_due(database, mailing) for _ in range(3)))
    await deliver_due(database, mailing)

    expected = [f"Reminder: {number}" for number in range(3)]
    assert (inbox.subjects(ada.email), inbox.subjects(bob.email)) == (expected, expected)


@pytest.mark.parametrize("kind", KINDS)
async def test_one_click_ends_this_kind_of_mail_and_no_other(ada: Person, client: httpx.AsyncClient, kind: str) -> None:
    everything = dict.fromkeys(KINDS, ["app", "email"])
    await ada.http.patch("/api/me/notifications", json=everything)
    link = f"/unsubscribe/{link_token(SECRET_KEY, ada.id, kind)}"

    looked = await client.get(link)
    between = (await ada.http.get("/api/me/notifications")).json()
    done = await client.post(link, data={"List-Unsubscribe": "One-Click"})
    again = await client.post(link)

    after = (await ada.http.get("/api/me/notifications")).json()
    assert (looked.status_code, done.status_code, again.status_code) == (200, 200, 200)
    assert {name: between[name] for name in KINDS} == everything
    assert {name: after[name] for name in KINDS} == everything | {kind: ["app"]}


async def test_the_page_of_a_link_is_a_form_without_script(ada: Person, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/unsubscribe/{link_token(SECRET_KEY, ada.id, 'digest')}")

    assert answer.headers["content-type"].startswith("text/html")
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert "script" not in answer.text
    assert '<form method="post">' in answer.text
    assert Links(answer.text).found == ["/account/files/account.css"]


async def test_an_unsubscription_leaves_its_trace(ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    await client.post(f"/unsubscribe/{link_token(SECRET_KEY, ada.id, 'reminder')}")

    row = await sql.fetchrow("SELECT actor_id, after FROM audit_events WHERE action = 'notifications.unsubscribe'")
    assert tuple(row) == (ada.id, '{"reminder": ["app"]}')


async def test_nobody_can_make_a_link(world: World, ada: Person, client: httpx.AsyncClient, sql: Sql) -> None:
    good = link_token(SECRET_KEY, ada.id, "reminder")
    other = link_token(SecretKey("another secret of another installation"), ada.id, "reminder")
    gone = link_token(SECRET_KEY, uuid4(), "reminder")
    bad = ["x", "%00", "A" * 44, good[:-2], good[:-3] + "AAA", good + "AAAA", other, gone, "A" * 5000, "ü"]

    statuses = {(await client.post(f"/unsubscribe/{token}")).status_code for token in bad}

    assert statuses == {404}
    assert await sql.fetchval("SELECT count(*) FROM notification_preferences") == 0


@given(st.binary(max_size=60))
def test_bytes_that_are_no_link_are_not_found(raw: bytes) -> None:
    token = re.sub("[^A-Za-z0-9_-]", "", raw.decode("latin-1"))

    with pytest.raises(NotFound):
        read_link_token(SECRET_KEY, token)


@given(st.uuids(), st.sampled_from(KINDS))
def test_a_link_says_whom_and_what(user_id: UUID, kind: str) -> None:
    assert read_link_token(SECRET_KEY, link_token(SECRET_KEY, user_id, kind)) == (user_id, kind)


def test_a_link_of_a_former_secret_key_works_while_that_is_a_fallback() -> None:
    user_id, changed = uuid4(), "another secret, just as long as it must be"
    token = link_token(SECRET_KEY, user_id, "digest")

    assert read_link_token(SecretKey(changed, (SECRET_KEY.current,)), token) == (user_id, "digest")
    with pytest.raises(NotFound):
        read_link_token(SecretKey(changed), token)


def unfolded(text: str) -> list[str]:
    return text.replace("\r\n ", "").split("\r\n")


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


TASK: dict[str, Any] = {
    "id": UUID(int=7), "version": 3, "title": "Plan", "notes": "", "estimate_minutes": None,
    "due": {"kind": "day", "date": "2026-12-31"}, "due_at": datetime(2026, 12, 30, 23, tzinfo=UTC),
}  # fmt: skip
STAMP = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_day_is_a_date_in_the_calendar() -> None:
    lines = unfolded(calendar.event(TASK, "example.org", STAMP) or "")

    assert "DTSTART;VALUE=DATE:20261231" in lines
    assert "DTEND;VALUE=DATE:20270101" in lines
    assert "SEQUENCE:3" in lines
    assert "UID:00000000-0000-0000-0000-000000000007@example.org" in lines


def test_a_time_is_an_instant_with_the_length_it_was_given() -> None:
    due = {"kind": "zoned", "at": "2026-12-31T09:00", "timezone": "Europe/Berlin"}
    timed = TASK | {"due": due, "due_at": datetime(2026, 12, 31, 8, tzinfo=UTC), "estimate_minutes": 45}

    lines = unfolded(calendar.event(timed, "example.org", STAMP) or "")

    assert {"DTSTART:20261231T080000Z", "DURATION:PT45M"} <= set(lines)


def test_what_has_no_date_has_no_file() -> None:
    assert calendar.event(TASK | {"due": None}, "example.org", STAMP) is None


words = st.text(st.characters(codec="utf-8"), max_size=300)


@given(words, words)
@example("\\N", "C:\\New; a, b\\\n")
def test_every_text_comes_back_from_the_calendar(title: str, notes: str) -> None:
    text = calendar.event(TASK | {"title": title, "notes": notes}, "example.org", STAMP) or ""

    def kept(value: str) -> str:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
        return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", value)

    values = dict(line.split(":", 1) for line in unfolded(text) if ":" in line)
    assert unescaped(values["SUMMARY"]) == kept(title)
    assert unescaped(values.get("DESCRIPTION", "")) == kept(notes)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert text.endswith("END:VCALENDAR\r\n")


@given(words)
def test_a_title_is_one_line_that_fits(title: str) -> None:
    line = one_line(title)

    assert len(line) <= 200
    assert not re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", line)


@pytest.mark.parametrize(
    ("due", "words"),
    [
        (None, ""),
        ({"kind": "day", "date": "2026-12-31"}, "Thursday, 31 December 2026"),
        ({"kind": "floating", "at": "2026-12-31T09:00"}, "Thursday, 31 December 2026, 09:00"),
        (
            {"kind": "zoned", "at": "2026-12-31T09:00", "timezone": "Asia/Tokyo"},
            "Thursday, 31 December 2026, 09:00 (Asia/Tokyo)",
        ),
    ],
)
def test_a_due_in_words(due: dict[str, Any] | None, words: str) -> None:
    assert when(due, "Europe/Berlin") == words


async def test_a_reminder_of_a_task_without_date_has_no_file(ada: Person, database: Database, sql: Sql) -> None:
    await confirm(sql, ada)
    task = await ada.add()
    await remind(ada, task, timing={"kind": "absolute", "at": ago().isoformat()})
    await arrive(sql)

    await work(database)

    (mail,) = await email_templates(sql)
    assert mail["attachments"] == "[]"
