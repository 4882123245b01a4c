"""Whatever an operator can put right is one sentence that says what to do, and never a traceback."""

import asyncio
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import asyncpg
import pytest
from conftest import url_of

from todo.cli.failures import sentence_of
from todo.embedded import programs

PASSWORD = "geheim-geheim"


def assert_one_sentence(output: str, *parts: str) -> None:
    assert output.startswith("Error: "), output
    assert len(output.splitlines()) == 1, output
    assert [part for part in parts if part not in output] == [], output
    assert PASSWORD not in output


def refuse(listener: socket.socket, sqlstate: bytes, message: bytes) -> None:
    """Answer every connection as PostgreSQL answers one that it does not want."""
    fields = b"SFATAL\0VFATAL\0C" + sqlstate + b"\0M" + message + b"\0\0"
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(1024)
            connection.sendall(b"E" + struct.pack("!i", 4 + len(fields)) + fields)


@pytest.fixture
def suspicious_url() -> Iterator[str]:
    """A server that takes no password for the right one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = (listener, b"28P01", b'password authentication failed for user "ada"')
        threading.Thread(target=refuse, args=answer, daemon=True).start()
        yield f"postgresql://ada:{PASSWORD}@127.0.0.1:{listener.getsockname()[1]}/todo?sslmode=disable"
        listener.shutdown(socket.SHUT_RDWR)


def test_nobody_listens(todo, free_port: int) -> None:
    done = todo("migrate", TODO_DATABASE_URL=f"postgresql://ada:{PASSWORD}@127.0.0.1:{free_port}/todo")

    assert done.exit_code == 1
    assert_one_sentence(done.output, "Cannot use the database: nobody listens", "TODO_DATABASE_URL")


def test_the_host_is_unknown(todo) -> None:
    done = todo("migrate", TODO_DATABASE_URL=f"postgresql://ada:{PASSWORD}@nowhere.invalid/todo")

    assert done.exit_code == 1
    assert_one_sentence(done.output, "Cannot use the database: its host name is not known", "TODO_DATABASE_URL")


def test_the_password_is_wrong(todo, suspicious_url: str) -> None:
    done = todo("migrate", TODO_DATABASE_URL=suspicious_url)

    assert done.exit_code == 1
    assert_one_sentence(done.output, 'password authentication failed for user "ada"', "TODO_DATABASE_URL")


def test_the_database_is_missing(todo) -> None:
    done = todo("migrate", TODO_DATABASE_URL=url_of("not_there"))

    assert done.exit_code == 1
    assert_one_sentence(done.output, 'database "not_there" does not exist', "TODO_DATABASE_URL")


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://ada:{PASSWORD}@127.0.0.1/todo",
        PASSWORD,
        f"postgresql://ada:x/{PASSWORD}@127.0.0.1/todo",
        f"postgresql://ada:x#{PASSWORD}@127.0.0.1/todo",
        f"postgresql://ada:{PASSWORD}@127.0.0.1:port/todo",
        f"postgresql://ada:{PASSWORD}@127.0.0.1:0/todo",
        f"postgresql://ada:{PASSWORD}@[127.0.0.1/todo",
    ],
)
@pytest.mark.parametrize("command", ["migrate", "server", "up"])
def test_the_url_is_none(todo, command: str, url: str) -> None:
    done = todo(command, TODO_DATABASE_URL=url)

    assert done.exit_code == 1
    assert_one_sentence(done.output, "TODO_DATABASE_URL", "postgresql://user:password@host:5432/database")


def test_a_parameter_of_the_url_is_wrong(todo, free_port: int) -> None:
    done = todo("migrate", TODO_DATABASE_URL=f"postgresql://ada:{PASSWORD}@127.0.0.1:{free_port}/todo?sslmode=maybe")

    assert done.exit_code == 1
    assert_one_sentence(done.output, "sslmode", "TODO_DATABASE_URL")


def test_the_database_is_a_newer_version_s(todo, url: str) -> None:
    async def come_from_the_future() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        await connection.close()

    asyncio.run(come_from_the_future())

    for command in (["migrate"], ["migrate", "--check"], ["server"], ["worker"]):
        done = todo(*command, TODO_DATABASE_URL=url)
        assert done.exit_code == 1
        assert_one_sentence(done.output, "revision 9999", "newer version", "Install that version")


@pytest.mark.parametrize("command", ["server", "worker", "createsuperuser"])
def test_the_database_is_not_migrated(todo, command: str, empty_url: str) -> None:
    done = todo(command, TODO_DATABASE_URL=empty_url)

    assert done.exit_code == 1
    assert_one_sentence(done.output, "run `todo migrate` first")


def test_nothing_may_be_created_in_the_database(todo, empty_url: str) -> None:
    async def forbid() -> None:
        connection = await asyncpg.connect(empty_url)
        await connection.execute("CREATE ROLE guest LOGIN")
        await connection.close()

    asyncio.run(forbid())

    done = todo("migrate", TODO_DATABASE_URL=empty_url.replace("//todo@", "//guest@"))

    assert done.exit_code == 1
    assert_one_sentence(done.output, "permission denied for schema public")


@pytest.mark.parametrize("command", ["migrate", "up"])
def test_the_data_folder_cannot_be_written(todo, command: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = todo(command, TODO_DATA_DIR=str(tmp_path / "file/data"))

    assert done.exit_code == 1
    assert_one_sentence(done.output, "data folder", "file/data", "TODO_DATA_DIR")


def test_the_data_folder_is_in_use(todo, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        print("4711", end="", file=lock, flush=True)

        done = todo("up")

    assert done.exit_code == 1
    assert_one_sentence(done.output, "Another `todo up` (process 4711)", "TODO_DATA_DIR")


def test_there_is_no_server_to_embed(todo, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(programs.metadata, "distribution", missing)

    done = todo("up")

    assert done.exit_code == 1
    assert_one_sentence(done.output, ".[embedded]", "TODO_DATABASE_URL")


@pytest.mark.parametrize("secret", ["", "short"])
@pytest.mark.parametrize("command", ["migrate", "server", "worker"])
def test_there_is_no_secret_key(todo, command: str, secret: str, url: str) -> None:
    done = todo(command, TODO_DATABASE_URL=url, TODO_SECRET_KEY=secret)

    assert done.exit_code == 1
    assert_one_sentence(done.output, "TODO_SECRET_KEY: must be at least 32 random characters")


@pytest.mark.parametrize("command", ["migrate", "server", "worker"])
def test_the_secret_key_is_another_one(todo, command: str, url: str) -> None:
    done = todo(command, TODO_DATABASE_URL=url, TODO_SECRET_KEY="quite another key: 0123456789abcdef0123")

    assert done.exit_code == 1
    assert_one_sentence(done.output, "TODO_SECRET_KEY: not the key")


@pytest.mark.parametrize(("name", "value"), [("TODO_PORT", "abc"), ("TODO_ENV", "prod"), ("TODO_LOG_LEVEL", "loud")])
def test_a_setting_is_wrong(todo, name: str, value: str) -> None:
    done = todo("up", **{name: value})

    assert done.exit_code == 1
    assert_one_sentence(done.output, f"{name}: ", value)


@pytest.mark.parametrize("command", ["up", "server"])
def test_the_port_is_taken(todo, command: str, url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])

        done = todo(command, "--port", port, TODO_DATABASE_URL=url)

    assert done.exit_code == 1
    assert_one_sentence(done.output, f"Cannot listen on 127.0.0.1:{port} (Address already in use)", "--port")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied", ".env"), "Cannot use .env: Permission denied."),
        (TimeoutError(), "Cannot use the database: it does not answer. Check"),
        (OSError("Multiple exceptions"), "Cannot use the database: Multiple exceptions. Check"),
        (
            asyncpg.TooManyConnectionsError("sorry, too many clients already"),
            "The database has no connection left: raise its max_connections",
        ),
    ],
)
def test_what_is_rare_is_a_sentence_too(error: Exception, sentence: str) -> None:
    assert str(sentence_of(error)).startswith(sentence)


def test_a_fault_of_ours_is_none() -> None:
    assert sentence_of(ValueError("nothing that an operator could put right")) is None
    assert sentence_of(asyncpg.UndefinedTableError("a table is missing")) is None


def test_a_reader_that_has_gone_is_no_fault_of_the_database(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "todo", "settings"], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")
