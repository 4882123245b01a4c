"""`todo backup s3://...` and `todo restore s3://...`, at a server of S3's protocol."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zipfile import ZipFile

import httpx
import pytest
from cli.database import query
from support.processes import eventually
from support.servers import free_port

from todo.backup import create
from todo.backup.archive import BackupError
from todo.backup.s3 import Bucket

# In an environment of its own: its requirements exclude ours.
SERVER = ["uvx", "--quiet", "--from", "moto[server]==5.2.5", "moto_server", "-H", "127.0.0.1", "-p"]
PLACE = "s3://backups/todo"
Http = httpx.Client


def answers(base: str) -> bool:
    try:
        return httpx.get(base).status_code > 0
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of S3's protocol."""
    base = f"http://127.0.0.1:{(port := free_port())}"
    with (tmp_path_factory.mktemp("s3") / "log").open("wb") as log:
        process = subprocess.Popen([*SERVER, str(port)], stdout=log, stderr=log)
        assert eventually(lambda: answers(base), 240)
        yield base
        process.terminate()
        process.wait()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    """An empty bucket, over HTTP, and what commands need to use it."""
    for name, value in {
        "ENDPOINT_URL": server, "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"AWS_{name}", value)
    httpx.post(f"{server}/moto-api/reset")
    with httpx.Client(base_url=f"{server}/backups") as http:
        assert http.put("").status_code == 200
        yield http


def keys_in(bucket: Http) -> list[str]:
    return re.findall("<Key>(.*?)</Key>", bucket.get("?list-type=2").text)


def uploads_in(bucket: Http) -> list[str]:
    return re.findall("<Key>(.*?)</Key>", bucket.get("?uploads").text)


def test_a_backup_in_a_bucket_is_restored(todo: Callable, url: str, empty_url: str, bucket: Http) -> None:
    recipient = todo("backup-key", "key.txt").output.strip()

    saved = todo("backup", PLACE, TODO_DATABASE_URL=url, TODO_BACKUP_RECIPIENTS=recipient)
    (key,) = keys_in(bucket)
    restored = todo("restore", f"s3://backups/{key}", "--identity", "key.txt", TODO_DATABASE_URL=empty_url)

    assert saved.exit_code == restored.exit_code == 0, saved.output + restored.output
    assert re.fullmatch(r"todo/todo-\d{8}T\d{6}Z\.zip\.age", key)
    assert f"Wrote s3://backups/{key}, " in saved.output
    assert "every number of rows and every checksum is that of the backup" in restored.output
    assert todo("check", TODO_DATABASE_URL=empty_url).exit_code == 0


def test_a_backup_gets_the_name_that_is_given(todo: Callable, url: str, bucket: Http) -> None:
    assert todo("backup", f"{PLACE}/before.zip", TODO_DATABASE_URL=url).exit_code == 0

    assert keys_in(bucket) == ["todo/before.zip"]
    with Bucket(PLACE).reading("before.zip") as path, ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["database.dump", "manifest.json"]


def test_old_backups_in_a_bucket_are_deleted_but_nothing_else(todo: Callable, url: str, bucket: Http) -> None:
    at = datetime.now(UTC)
    old, kept = (f"todo-{at - timedelta(days=days):%Y%m%dT%H%M%SZ}.zip" for days in (15, 13))
    for name in (old, kept, "mine.zip", f"below/{old}"):
        bucket.put(f"/todo/{name}", content=b"x")
    bucket.put(f"/{old}", content=b"x")

    done = todo("backup", TODO_DATABASE_URL=url, TODO_BACKUP_DIR=PLACE, TODO_BACKUP_DAYS="14")

    assert done.exit_code == 0, done.output
    assert f"Deleted {PLACE}/{old}." in done.output
    assert {old, f"todo/{kept}", "todo/mine.zip", f"todo/below/{old}"} < {*keys_in(bucket)}
    assert len(keys_in(bucket)) == 5


def test_a_worker_stores_a_backup_in_a_bucket(todo: Callable, url: str, bucket: Http) -> None:
    settings = {"TODO_DATABASE_URL": url, "TODO_BACKUP_DIR": PLACE}
    todo("jobs", "run", "back_up", **settings)
    todo("worker", "--once", **settings)

    assert query(url, "SELECT error FROM job_runs WHERE function = 'back_up'") == [(None,)]
    assert len(keys_in(bucket)) == 1


@pytest.mark.parametrize("recipients", [True, False], ids=["encrypted", "plain"])
def test_a_backup_that_fails_leaves_neither_an_object_nor_parts(
    todo: Callable, url: str, bucket: Http, monkeypatch: pytest.MonkeyPatch, recipients: bool
) -> None:
    def fail(*arguments: object) -> int:
        archive = arguments[-1]
        assert isinstance(archive, ZipFile)
        with archive.open("database.dump", "w", force_zip64=True) as file:
            for _ in range(40):
                file.write(b"x" * 2**20)
            assert recipients or uploads_in(bucket), "it has begun"
        raise BackupError("pg_dump failed: the disk is on fire")

    monkeypatch.setattr(create, "_dump", fail)
    recipient = todo("backup-key", "key.txt").output.strip() if recipients else ""

    failed = todo("backup", PLACE, TODO_DATABASE_URL=url, TODO_BACKUP_RECIPIENTS=recipient)

    assert (failed.exit_code, failed.output) == (1, "Error: pg_dump failed: the disk is on fire\n")
    assert (keys_in(bucket), uploads_in(bucket)) == ([], [])


def test_what_cannot_be_used_is_said_in_a_sentence(todo: Callable, url: str, empty_url: str, bucket: Http) -> None:
    elsewhere = todo("backup", "s3://nobody/todo", TODO_DATABASE_URL=url)
    todo("backup", PLACE, TODO_DATABASE_URL=url)
    (key,) = keys_in(bucket)
    missing = todo("restore", f"{PLACE}/other.zip", TODO_DATABASE_URL=empty_url)
    folder = todo("restore", PLACE, TODO_DATABASE_URL=empty_url)

    assert elsewhere.exit_code == 1
    assert elsewhere.output.startswith("Error: Cannot use s3://nobody/todo: ")
    assert elsewhere.output.count("\n") == 1
    assert missing.output == f"Error: There is no {PLACE}/other.zip. The newest there is s3://backups/{key}.\n"
    assert folder.output.endswith(f"The newest there is s3://backups/{key}.\n")


def test_a_bucket_without_the_extra_is_refused(todo: Callable, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "todo.backup.s3", None)

    refused = todo("backup", PLACE, TODO_DATABASE_URL=url)

    assert refused.output == f"Error: {PLACE}: buckets need the extra `s3` (in todo's folder: pip install '.[s3]').\n"


LARGE = """
import resource, sys
from todo.backup.s3 import Bucket

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

bucket, before = Bucket("s3://backups/todo"), peak()
with bucket.writing("large.zip") as out:
    for _ in range(300):
        out.write(bytes(2**20))
with bucket.reading("large.zip") as path:
    assert path.stat().st_size == 300 * 2**20
print(peak() - before)
"""


def test_a_large_backup_needs_little_memory(bucket: Http) -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 150, "MiB, of 300"
