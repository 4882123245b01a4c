"""E-mail, against a real SMTP server: nothing before the commit, nothing lost, nothing twice."""

import asyncio
import os
import ssl
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from conftest import settings_for
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from inbox import Inbox

from todo.access import worker_origin
from todo.database import Database
from todo.delivery import engine, outbox
from todo.delivery.email import send_email
from todo.delivery.smtp import Smtp
from todo.errors import Invalid
from todo.loops import run_once
from todo.setting_errors import SettingsError
from todo.settings import Settings

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
def mailing(database_url: str, free_port: int) -> Settings:
    return settings_for(database_url, mail_url=f"smtp://127.0.0.1:{free_port}", mail_from="Todo <todo@example.org>")


async def write(database: Database, *subjects: str, to: str = "ada@example.com", text: str = "Hello") -> None:
    for subject in subjects:
        async with database.session(worker_origin()) as session:
            await send_email(session, to, subject, text, link="https://todo.example.org/#x")


async def skip_waiting(sql: Sql) -> None:
    await sql.execute("UPDATE deliveries SET run_at = now(), lease_until = NULL WHERE done_at IS NULL")


async def deliver_due(database: Database, settings: Settings) -> int:
    return await engine.deliver_due(database, [Smtp(settings)])


async def test_what_is_committed_arrives_once(database: Database, mailing: Settings, inbox: Inbox) -> None:
    await write(database, "Grüße")

    await deliver_due(database, mailing)
    await deliver_due(database, mailing)

    assert inbox.subjects() == ["Grüße"]


async def test_what_is_rolled_back_is_never_sent(database: Database, mailing: Settings, inbox: Inbox, sql: Sql) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.session(worker_origin()) as session:
            await send_email(session, "ada@example.com", "Never", "...")
            raise ZeroDivisionError

    await deliver_due(database, mailing)

    assert inbox.taken == []
    assert await sql.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_a_message_has_what_receivers_look_for(
    database: Database, mailing: Settings, inbox: Inbox, sql: Sql
) -> None:
    await write(database, "Hello", text="<b>5 & 6</b>")
    number = await sql.fetchval("SELECT id FROM deliveries")

    await deliver_due(database, mailing)

    ((_, message),) = inbox.taken
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None and html is not None
    assert message["message-id"] == f"<{number}@example.org>"
    assert (message["from"], message["to"]) == ("Todo <todo@example.org>", "ada@example.com")
    assert abs(datetime.now(UTC) - message["date"].datetime) < timedelta(minutes=1)
    assert message.get_content_type() == "multipart/alternative"
    assert plain.get_content().split() == ["<b>5", "&", "6</b>", "https://todo.example.org/#x"]
    assert "<p>&lt;b&gt;5 &amp; 6&lt;/b&gt;</p>" in html.get_content()


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("ada@example.com\nBcc: eve@example.com", "Hello"),
        ("ada@example.com\r\nBcc: eve@example.com", "Hello"),
        ("ada@example.com", "Hello\r\nBcc: eve@example.com"),
        ("ada@example.com", "Hello\x85Bcc: eve@example.com"),
        ("ada@example.com, eve@example.com", "Hello"),
        ("nobody", "Hello"),
    ],
)
async def test_no_header_can_be_smuggled_in(database: Database, sql: Sql, to: str, subject: str) -> None:
    with pytest.raises(Invalid):
        await write(database, subject, to=to)

    assert await sql.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_a_strange_address_stays_one_receiver(database: Database, mailing: Settings, inbox: Inbox) -> None:
    await write(database, "Hello", to="eve,bob@example.com")

    await deliver_due(database, mailing)

    assert [receiver for receiver, _ in inbox.taken] == ['"eve,bob"@example.com']
    assert len(inbox.taken[0][1]["to"].addresses) == 1


async def test_while_the_server_is_away_nothing_is_lost(
    database: Database, mailing: Settings, inbox: Inbox, sql: Sql
) -> None:
    inbox.close()
    await write(database, "One", "Two", "Three")
    for _ in range(3):
        await deliver_due(database, mailing)
        await skip_waiting(sql)
    inbox.open()

    await deliver_due(database, mailing)
    await deliver_due(database, mailing)

    assert inbox.subjects() == ["One", "Two", "Three"]


async def test_a_temporary_refusal_is_tried_again(
    database: Database, mailing: Settings, inbox: Inbox, sql: Sql
) -> None:
    inbox.answers = ["451 later, please"]
    await write(database, "One", "Two")
    await deliver_due(database, mailing)
    between = list(inbox.taken)
    await skip_waiting(sql)

    await deliver_due(database, mailing)

    assert between == []
    assert inbox.subjects() == ["One", "Two"]


async def test_a_final_refusal_holds_up_nobody(database: Database, mailing: Settings, inbox: Inbox, sql: Sql) -> None:
    inbox.answers = ["554 never"]
    await write(database, "One", "Two")

    await deliver_due(database, mailing)

    assert inbox.subjects() == ["Two"]
    assert await sql.fetchval("SELECT count(*) FROM deliveries WHERE failed_at IS NOT NULL") == 1


DELIVER = """
import asyncio, sys
from todo.database import Database
from todo.delivery.engine import deliver_due
from todo.delivery.smtp import Smtp
from todo.settings import load_settings

async def main():
    settings = load_settings(_env_file=None)
    database = await Database(settings).open()
    await deliver_due(database, [Smtp(settings)])

asyncio.run(main())
"""


async def test_killed_in_mid_delivery_it_goes_out_when_the_lease_is_over(
    database: Database, mailing: Settings, inbox: Inbox, sql: Sql, tmp_path: Path
) -> None:
    inbox.free.clear()
    await write(database, "Hello")
    environment = {"TODO_DATABASE_URL": mailing.database_url, "TODO_MAIL_URL": mailing.mail_url.get_secret_value()}
    command = (sys.executable, "-c", DELIVER)
    process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=os.environ | environment)
    assert await asyncio.to_thread(inbox.reached.wait, 20)
    process.kill()
    await process.wait()
    inbox.free.set()
    inbox.close()
    inbox.taken.clear()  # what it may have made of the broken connection
    inbox.open()

    await deliver_due(database, mailing)
    early = inbox.subjects()
    await sql.execute("UPDATE deliveries SET lease_until = now() - interval '1 second'")
    await deliver_due(database, mailing)

    row = await sql.fetchrow("SELECT id, attempts FROM deliveries WHERE done_at IS NOT NULL")
    assert early == []
    assert [message["message-id"] for _, message in inbox.taken] == [f"<{row['id']}@example.org>"]
    assert row["attempts"] == 2


async def test_without_a_server_the_worker_logs_the_mail(
    database: Database, sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    await write(database, "Hello", text="first\nWARNING forged line")

    await run_once(database, [engine.delivery_loop([Smtp])])

    assert "mail to ada@example.com: Hello\n    first\n    WARNING forged line" in caplog.text
    assert await sql.fetchval("SELECT done_at FROM deliveries") is not None


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """One for 127.0.0.1 that signs itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=127.0.0.1")
    here, today = x509.IPAddress(ip_address("127.0.0.1")), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(today - timedelta(days=1)).not_valid_after(today + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([here]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path / "server.pem"
    path.write_bytes(pem + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return path, context


async def test_a_password_travels_encrypted(
    database: Database, database_url: str, free_port: int, certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    inbox = Inbox(free_port, tls_context=certificate[1]).open()
    await write(database, "Hello")

    await deliver_due(database, settings_for(database_url, mail_url=f"smtp://ada:p%40ss@127.0.0.1:{free_port}"))
    inbox.close()

    assert inbox.subjects() == ["Hello"]
    assert inbox.logins == [(b"ada", b"p@ss", True)]


async def test_no_password_goes_to_a_server_without_encryption(
    database: Database, database_url: str, inbox: Inbox, sql: Sql
) -> None:
    await write(database, "Hello")

    await deliver_due(database, settings_for(database_url, mail_url=f"smtp://ada:secret@127.0.0.1:{inbox.port}"))

    assert (inbox.taken, inbox.logins) == ([], [])
    assert "secret" not in await sql.fetchval("SELECT last_error FROM deliveries")


@pytest.mark.parametrize("url", ["mail.example.com", "smtp://", "http://example.com", "smtp://u:geheim@host:port"])
def test_a_bad_address_of_a_server_is_named_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="TODO_MAIL_URL") as error:
        settings_for("postgresql://nowhere/todo", mail_url=url)

    assert "geheim" not in str(error.value)


@pytest.mark.parametrize("sender", ["nobody", "Todo <>"])
def test_a_bad_sender_is_named(sender: str) -> None:
    with pytest.raises(SettingsError, match="TODO_MAIL_FROM"):
        settings_for("postgresql://nowhere/todo", mail_from=sender)


async def test_in_production_the_console_gets_no_message_and_the_delivery_can_be_retried(
    database: Database, database_url: str, mailing: Settings, inbox: Inbox, sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    await write(database, "Choose a new password", text="todo_secret_of_the_link")
    production = settings_for(
        database_url, env="production", mail_url="console://", public_url="https://todo.example.org"
    )

    await deliver_due(database, production)

    failed = await sql.fetchrow("SELECT id, failed_at, last_error FROM deliveries")
    assert failed["failed_at"] is not None and "TODO_MAIL_URL" in failed["last_error"]
    assert "todo_secret_of_the_link" not in caplog.text
    async with database.session(worker_origin()) as session:
        assert await outbox.retry(session, failed["id"])
    await deliver_due(database, mailing)
    assert inbox.subjects() == ["Choose a new password"]


async def test_an_email_names_the_request_it_comes_from(
    database: Database, mailing: Settings, inbox: Inbox, sql: Sql
) -> None:
    async with database.session(worker_origin("request-17")) as session:
        await send_email(session, "ada@example.com", "Hello", "text")

    await deliver_due(database, mailing)

    assert [message["X-Request-ID"] for _, message in inbox.taken] == ["request-17"]
