"""What the tables `mails` and `outbox` held is in `deliveries`: nothing is lost on the way up, and down."""

import asyncpg
import pytest
from alembic import command
from conftest import create_database, settings_for
from inbox import Inbox

from todo import migrate
from todo.database import Database
from todo.delivery.engine import deliver_due
from todo.delivery.smtp import Smtp
from todo.settings import Settings

BEFORE, AFTER = "0014", "0015"
ROWS = """
INSERT INTO users (id, created_at, updated_at, version, email, name, kind, status, timezone, credential_version)
VALUES (gen_random_uuid(), now(), now(), 1, 'ada@example.com', 'Ada', 'person', 'active', 'UTC', 0);
INSERT INTO mails (id, created_at, updated_at, version, "to", subject, text, html, headers, attachments, send_at,
                   attempts, sent_at, failed_at)
SELECT gen_random_uuid(), now(), now(), 1, 'ada@example.com', subject, 'Hello', '<p>Hello</p>',
       '{"List-Unsubscribe": "<https://example.org/x>"}',
       '[{"filename": "task.ics", "type": "calendar", "parameters": {"method": "PUBLISH"}, "text": "BEGIN:VCALENDAR"}]',
       now(), 3, sent_at, failed_at
FROM (VALUES ('Pending', null::timestamptz, null::timestamptz), ('Sent', now(), null), ('Given up', null, now()))
    AS given (subject, sent_at, failed_at);
INSERT INTO outbox (id, created_at, updated_at, version, user_id, dedup, channel, payload, run_at, attempts)
SELECT gen_random_uuid(), now(), now(), 1, id, 'pigeon 1', 'pigeon', '{"title": "Water"}', now(), 2 FROM users;
INSERT INTO roles (id, created_at, updated_at, version, name, permissions)
VALUES (gen_random_uuid(), now(), now(), 1, 'helper', '{jobs.view,mails.retry,mails.view,outbox.view}');
"""


@pytest.fixture
async def old(worker_id_or_main: str, free_port: int) -> Settings:
    """A database as it was before, with rows."""
    url = await create_database(f"todo_old_{worker_id_or_main}")
    settings = settings_for(url, mail_url=f"smtp://127.0.0.1:{free_port}")
    await migrate.upgrade(settings, revision=BEFORE)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(ROWS)
    finally:
        await connection.close()
    return settings


async def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(settings.database_url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_mail_written_before_the_migration_is_delivered_after_it(old: Settings, inbox: Inbox) -> None:
    ((number,),) = await rows(old, "SELECT id FROM mails WHERE subject = 'Pending'")
    await migrate.upgrade(old)
    database = await Database(old).open()

    await deliver_due(database, [Smtp(old)])
    await database.close()

    ((to, message),) = inbox.taken
    assert (to, message["subject"], message["message-id"]) == ("ada@example.com", "Pending", f"<{number}@localhost>")
    assert message["list-unsubscribe"] == "<https://example.org/x>"
    assert [part.get_content_type() for part in message.walk() if not part.is_multipart()] == [
        "text/plain", "text/html", "text/calendar",
    ]  # fmt: skip


async def test_the_state_of_every_row_and_the_permissions_move(old: Settings) -> None:
    await migrate.upgrade(old, revision=AFTER)

    ended = "done_at IS NOT NULL, failed_at IS NOT NULL"
    query = f"SELECT channel, subject, attempts, {ended}, payload <> '{{}}' FROM deliveries ORDER BY channel, subject"
    assert await rows(old, query) == [
        ("email", "Given up", 3, False, True, True),
        ("email", "Pending", 3, False, False, True),
        ("email", "Sent", 3, True, False, False),
        ("pigeon", "pigeon 1", 2, False, False, True),
    ]
    granted = await rows(old, "SELECT permissions FROM roles WHERE name = 'helper'")
    assert granted == [(["deliveries.retry", "deliveries.view", "jobs.view"],)]


async def test_the_way_down_loses_nothing(old: Settings) -> None:
    mails = """SELECT id, "to", subject, attempts, send_at, sent_at, failed_at FROM mails ORDER BY id"""
    pending = "SELECT text, html, headers, attachments FROM mails WHERE subject <> 'Sent' ORDER BY id"
    calls = "SELECT id, user_id, dedup, channel, payload, attempts FROM outbox"
    before = [await rows(old, query) for query in (mails, pending, calls)]
    await migrate.upgrade(old, revision=AFTER)

    await migrate.run(old, lambda connection: command.downgrade(migrate.config(connection), BEFORE))

    assert [await rows(old, query) for query in (mails, pending, calls)] == before
