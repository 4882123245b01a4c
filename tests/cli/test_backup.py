"""`todo backup` and `todo restore`: what a restored installation has, and what is refused."""

import asyncio
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import httpx
import msgspec
import pyrage
import pytest
from cli.database import demonstrate, query
from conftest import SECRET, serving, settings_for
from support.factories import PASSWORD

from todo.app import create_app
from todo.backup.archive import MANIFEST, BackupError, Table, manifest_of
from todo.backup.client import fingerprint, program
from todo.backup.places import outdated

OTHER_KEY = "another key: 0123456789abcdef0123456789abcdef"


@pytest.fixture
def keys(todo, tmp_path: Path) -> tuple[str, str]:
    """A public key, and the file of its private key."""
    made = todo("backup-key", "key.txt")
    assert made.exit_code == 0
    return made.output.strip(), str(tmp_path / "key.txt")


def ask(url: str, *requests: tuple[str, str, object], token: str = "") -> list[httpx.Response]:
    """The answers of the service on this database."""

    async def run() -> list[httpx.Response]:
        async with serving(create_app(settings_for(url))) as app:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
                return [await http.request(method, path, json=body) for method, path, body in requests]

    return asyncio.run(run())


def test_a_restored_installation_has_every_row_and_its_tokens_and_sessions_are_valid(
    todo, url, empty_url, keys
) -> None:
    asyncio.run(demonstrate(url))
    login = {"email": "ada@example.com", "password": PASSWORD}
    session = ask(url, ("POST", "/api/auth/login", login))[0].json()
    before = ask(url, ("GET", "/api/tasks", None), token=session["access_token"])[0].json()
    recipient, identity = keys

    saved = todo("backup", "b.zip.age", TODO_DATABASE_URL=url, TODO_BACKUP_RECIPIENTS=recipient)
    restored = todo("restore", "b.zip.age", "--identity", identity, TODO_DATABASE_URL=empty_url)

    assert saved.exit_code == 0, saved.output
    assert restored.exit_code == 0, restored.output
    assert "every number of rows and every checksum is that of the backup" in restored.output
    refresh = ("POST", "/api/auth/refresh", {"refresh_token": session["refresh_token"]})
    tasks, again, signed_in = ask(
        empty_url, ("GET", "/api/tasks", None), refresh, ("POST", "/api/auth/login", login),
        token=session["access_token"],
    )  # fmt: skip
    assert tasks.json() == before
    assert len(before["items"]) > 5
    assert (again.status_code, signed_in.status_code) == (200, 200)
    assert schema_of(empty_url) == schema_of(url)
    assert len(schema_of(url)) > 500


def schema_of(url: str) -> list[tuple[object, ...]]:
    """The names of all tables, columns, indexes, constraints, triggers and functions."""
    rows = query(
        url,
        """SELECT 'column', table_name || '.' || column_name || ' ' || data_type || ' ' || coalesce(column_default, '')
            FROM information_schema.columns WHERE table_schema = 'public'
        UNION SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION SELECT 'constraint', conrelid::regclass || '.' || conname FROM pg_constraint
        UNION SELECT 'trigger', tgrelid::regclass || '.' || tgname FROM pg_trigger WHERE NOT tgisinternal
        UNION SELECT 'function', proname || prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        ORDER BY 1, 2""",
    )
    return [tuple(row) for row in rows]


def test_without_a_secret_key_of_its_own_the_key_of_the_backup_is_stored(todo, url, empty_url, keys, tmp_path) -> None:
    recipient, identity = keys
    todo("backup", "b.zip.age", TODO_DATABASE_URL=url, TODO_BACKUP_RECIPIENTS=recipient)

    settings = {"TODO_DATABASE_URL": empty_url, "TODO_SECRET_KEY": "", "TODO_DATA_DIR": str(tmp_path / "new")}
    restored = todo("restore", "b.zip.age", "--identity", identity, **settings)

    assert restored.exit_code == 0, restored.output
    stored = tmp_path / "new/secret_key"
    assert stored.read_text() == SECRET
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert todo("check", **settings).exit_code == 0


def test_the_standard_tools_open_a_backup(todo, url, keys, tmp_path) -> None:
    recipient, identity = keys
    todo("backup", "b.zip.age", TODO_DATABASE_URL=url, TODO_BACKUP_RECIPIENTS=recipient)

    key = pyrage.x25519.Identity.from_str(Path(identity).read_text().splitlines()[-1])
    (tmp_path / "b.zip").write_bytes(pyrage.decrypt((tmp_path / "b.zip.age").read_bytes(), [key]))

    with ZipFile(tmp_path / "b.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["database.dump", "secret_key", "manifest.json"]
        assert archive.read("secret_key").decode() == SECRET


def test_a_backup_that_is_not_encrypted_names_the_key_and_does_not_contain_it(todo, url, empty_url, tmp_path) -> None:
    saved = todo("backup", "b.zip", TODO_DATABASE_URL=url)
    refused = todo("restore", "b.zip", TODO_DATABASE_URL=empty_url, TODO_SECRET_KEY="")
    restored = todo("restore", "b.zip", TODO_DATABASE_URL=empty_url)

    assert f"NOT encrypted, so the secret key {fingerprint(SECRET)} is not in it" in saved.output
    assert SECRET.encode() not in (tmp_path / "b.zip").read_bytes()
    assert stat.S_IMODE((tmp_path / "b.zip").stat().st_mode) == 0o600
    assert refused.output.startswith(f"Error: The secret key {fingerprint(SECRET)} is not in this backup")
    assert restored.exit_code == 0, restored.output


def test_a_backup_goes_to_the_standard_output(tmp_path, url, empty_url, todo) -> None:
    environment = os.environ | {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET}
    with (tmp_path / "piped.zip").open("wb") as out:
        subprocess.run(
            [sys.executable, "-m", "todo", "backup", "-"], stdout=out, env=environment, check=True, cwd=tmp_path
        )

    assert todo("restore", "piped.zip", TODO_DATABASE_URL=empty_url).exit_code == 0


def test_a_backup_during_writes_is_of_one_moment(todo, url, empty_url) -> None:
    stop = threading.Event()
    asyncio.run(demonstrate(url))

    def write() -> None:
        while not stop.is_set():
            query(
                url, "WITH one AS (INSERT INTO mail_suppressions VALUES (gen_random_uuid()::text)) UPDATE users SET"
                " updated_at = now()"
            )  # fmt: skip

    query(url, "CREATE TABLE mail_suppressions (address text)")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        saved = todo("backup", "b.zip", TODO_DATABASE_URL=url)
    finally:
        stop.set()
        writer.join()

    assert saved.exit_code == 0, saved.output
    assert todo("restore", "b.zip", TODO_DATABASE_URL=empty_url).exit_code == 0


def test_a_database_that_is_not_empty_is_refused_and_left_alone(todo, url) -> None:
    asyncio.run(demonstrate(url))
    todo("backup", "b.zip", TODO_DATABASE_URL=url)
    before = query(url, "SELECT count(*) FROM tasks")

    refused = todo("restore", "b.zip", TODO_DATABASE_URL=url)

    assert refused.exit_code == 1
    assert refused.output.startswith("Error: The database is not empty, it has ")
    assert query(url, "SELECT count(*) FROM tasks") == before


def test_rows_that_differ_from_the_backup_are_named(todo, url, empty_url, tmp_path) -> None:
    todo("backup", "b.zip", TODO_DATABASE_URL=url)
    with ZipFile(tmp_path / "b.zip") as old, ZipFile(tmp_path / "other.zip", "w") as new:
        manifest = manifest_of(old)
        roles = manifest.tables["roles"]
        manifest.tables["roles"] = Table(roles.rows + 1, roles.checksum)
        manifest.tables["signing_keys"] = Table(manifest.tables["signing_keys"].rows, "1")
        manifest.tables["gone"] = Table(0, "0")
        new.writestr(MANIFEST, msgspec.json.encode(manifest))
        new.writestr("database.dump", old.read("database.dump"))

    failed = todo("restore", "other.zip", TODO_DATABASE_URL=empty_url)

    assert failed.exit_code == 1
    assert failed.output == (
        f"Error: Not restored as it was: roles has {roles.rows} rows instead of {roles.rows + 1}, signing_keys has"
        " other rows, gone is missing. Do not use this database.\n"
    )


def test_a_dump_that_is_damaged_leaves_the_database_empty(todo, url, empty_url, tmp_path) -> None:
    todo("backup", "b.zip", TODO_DATABASE_URL=url)
    with ZipFile(tmp_path / "b.zip") as old, ZipFile(tmp_path / "cut.zip", "w") as new:
        new.writestr(MANIFEST, old.read(MANIFEST))
        new.writestr("database.dump", old.read("database.dump")[:-20_000])

    failed = todo("restore", "cut.zip", TODO_DATABASE_URL=empty_url)

    assert failed.exit_code == 1
    assert failed.output.startswith("Error: pg_restore failed, and the database is still empty: ")
    assert query(empty_url, "SELECT FROM pg_tables WHERE schemaname = 'public'") == []


def test_what_is_no_backup_is_refused_in_a_sentence(todo, url, empty_url, keys, tmp_path) -> None:
    recipient, identity = keys
    todo("backup", "b.zip.age", TODO_DATABASE_URL=url, TODO_BACKUP_RECIPIENTS=recipient)
    todo("backup-key", "other.txt")
    (tmp_path / "text").write_text("no backup")
    (tmp_path / "cut.age").write_bytes((tmp_path / "b.zip.age").read_bytes()[:-100])
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photo", b"")

    def said(*arguments: str) -> str:
        done = todo("restore", *arguments, TODO_DATABASE_URL=empty_url)
        assert done.exit_code == 1
        return done.output

    assert "is damaged, or not a backup of todo" in said("text")
    assert "it has no valid manifest.json" in said("photos.zip")
    assert "name the file with the private key with --identity" in said("b.zip.age")
    assert "No matching keys found" in said("b.zip.age", "--identity", "other.txt")
    assert "holds no private key of age" in said("b.zip.age", "--identity", "text")
    assert "cannot be decrypted" in said("cut.age", "--identity", identity)


def test_another_secret_key_is_refused_before_anything_is_restored(todo, url, empty_url) -> None:
    todo("backup", "b.zip", TODO_DATABASE_URL=url)

    refused = todo("restore", "b.zip", TODO_DATABASE_URL=empty_url, TODO_SECRET_KEY=OTHER_KEY)

    assert refused.output.startswith("Error: The secret key here is not that of the backup ")
    assert query(empty_url, "SELECT FROM pg_tables WHERE schemaname = 'public'") == []


def test_a_backup_of_a_newer_version_is_refused(todo, url, empty_url) -> None:
    query(url, "UPDATE alembic_version SET version_num = '9999'")
    todo("backup", "b.zip", TODO_DATABASE_URL=url)

    refused = todo("restore", "b.zip", TODO_DATABASE_URL=empty_url)

    assert "whose schema (9999) this version does not know" in refused.output


def test_programs_that_are_too_old_for_the_server_are_named_with_their_version() -> None:
    with pytest.raises(BackupError) as refused:
        program("pg_dump", 99, 99)

    assert str(refused.value).startswith("This needs pg_dump of PostgreSQL 99 or newer (")
    assert "pg_dump is of version 18" in str(refused.value)


def test_old_backups_are_deleted_but_never_the_newest_or_other_files(todo, url, tmp_path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    at = datetime.now(UTC)
    old, kept = (f"todo-{at - timedelta(days=days):%Y%m%dT%H%M%SZ}.zip" for days in (15, 13))
    for name in (old, kept, "mine.zip"):
        (folder / name).touch()

    done = todo("backup", TODO_DATABASE_URL=url, TODO_BACKUP_DIR=str(folder), TODO_BACKUP_DAYS="14")

    assert f"Deleted {folder / old}." in done.output
    assert {kept, "mine.zip"} < {path.name for path in folder.iterdir()}
    assert len([*folder.iterdir()]) == 3
    assert outdated([path.name for path in folder.iterdir()], 1, at + timedelta(days=100)) == [kept]


def test_a_backup_that_fails_leaves_nothing_behind(todo, empty_url, tmp_path) -> None:
    failed = todo("backup", "b.zip", TODO_DATABASE_URL=empty_url)

    assert failed.output == ("Error: There is nothing to back up: the database has no schema yet (`todo migrate`).\n")
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_worker_stores_a_backup_and_a_failure_is_named_in_its_schedule(todo, url, empty_url, tmp_path) -> None:
    settings = {"TODO_DATABASE_URL": url, "TODO_BACKUP_DIR": str(tmp_path / "backups")}
    assert todo("jobs", "run", "back_up", **settings).exit_code == 0
    assert todo("worker", "--once", **settings).exit_code == 0

    (stored,) = (tmp_path / "backups").iterdir()
    assert todo("restore", str(stored), TODO_DATABASE_URL=empty_url).exit_code == 0

    (tmp_path / "file").touch()
    settings["TODO_BACKUP_DIR"] = str(tmp_path / "file")
    todo("jobs", "run", "back_up", **settings)
    todo("worker", "--once", **settings)
    ((error, failures),) = query(url, "SELECT error, failures FROM job_runs WHERE function = 'back_up'")
    assert f"Cannot use {tmp_path / 'file'}: File exists." in error
    assert failures > 0


def test_without_a_folder_the_schedule_does_nothing(todo, url, tmp_path) -> None:
    todo("jobs", "run", "back_up", TODO_DATABASE_URL=url)
    todo("worker", "--once", TODO_DATABASE_URL=url)

    assert [row["status"] for row in query(url, "SELECT status FROM job_runs WHERE function = 'back_up'")] == [
        "complete"
    ]
    assert [*tmp_path.glob("*.zip")] == []
