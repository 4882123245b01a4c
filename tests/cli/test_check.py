"""`todo check`."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from cli.database import query
from litestar import get
from sqlalchemy import func, update

import todo.cli.check as check
import todo.cli.surroundings as surroundings
from todo.access import worker_origin
from todo.audit_partitions import month_of, name_of
from todo.database import Database, now
from todo.http.health import NAME, Heartbeat, beat
from todo.settings import Settings


async def heartbeat(url: str, **settings: str) -> None:
    database = await Database(Settings(**settings), url).open()
    await beat(database)
    async with database.session(worker_origin()) as session:  # not since this process began: no schedule is late yet
        await session.execute(update(Heartbeat).values(started_at=func.now()))
    await database.close()


def test_a_missing_worker_is_a_warning(todo, url: str) -> None:
    done = todo("check", TODO_DATABASE_URL=url)

    assert done.exit_code == 0
    assert done.output.startswith("warning worker.late  ")


def test_everything_in_order_is_said(todo, url: str) -> None:
    asyncio.run(heartbeat(url))

    done = todo("check", TODO_DATABASE_URL=url)

    assert (done.exit_code, done.output) == (0, "Everything is in order.\n")


def test_a_worker_with_another_queue_is_a_warning(todo, url: str) -> None:
    asyncio.run(heartbeat(url, queue_url="redis://:secret@other"))

    done = todo("check", TODO_DATABASE_URL=url)

    assert done.output == (
        f"warning queue.mixed  Worker {NAME} has its queue in redis://other:6379/0, this process in the database:"
        " set the same TODO_QUEUE_URL for all servers and workers, and restart them.\n"
    )


def test_findings_are_for_scripts_too(todo, empty_url: str) -> None:
    done = todo("check", "--json", TODO_DATABASE_URL=empty_url)
    (finding,) = json.loads(done.output)

    assert done.exit_code == 1
    assert (finding["id"], finding["level"]) == ("database.migrations", "error")
    assert "todo migrate" in finding["message"]


def test_nothing_found_is_an_empty_list(todo, url: str) -> None:
    asyncio.run(heartbeat(url))

    assert json.loads(todo("check", "--json", TODO_DATABASE_URL=url).output) == []


def test_a_month_without_a_partition_of_the_audit_log_is_a_warning(todo, url: str) -> None:
    asyncio.run(heartbeat(url))
    month = month_of(now().date(), 1)
    query(url, f"DROP TABLE {name_of(month)}")

    done = todo("check", TODO_DATABASE_URL=url)

    assert done.output == (
        f"warning audit.partitions  No partition for {month:%Y-%m}: run `todo jobs run maintain_audit_log`.\n"
    )


def found(todo, url: str, **environment: str) -> dict[str, str]:
    """The findings of `todo check` besides that there is no worker."""
    done = todo("check", "--json", TODO_DATABASE_URL=url, **environment)
    return {one["id"]: one["message"] for one in json.loads(done.output) if one["id"] != "worker.late"}


def test_what_waits_too_long_is_a_warning(todo, url: str) -> None:
    ago = "now() - interval '11 minutes'"
    query(
        url,
        f"INSERT INTO waiting_jobs (id, created_at, updated_at, version, function, arguments, request_id)"
        f" VALUES (gen_random_uuid(), {ago}, {ago}, 1, 'empty_trash', '{{}}', '')",
    )

    assert found(todo, url) == {"backlog.waiting_jobs": "1 jobs wait to be queued for more than 10 minutes."}


def test_a_clock_that_is_wrong_is_a_warning(todo, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "now", lambda: now() + timedelta(minutes=1))

    message = found(todo, url)["clock"]
    assert "differ by 60 seconds" in message or "differ by 61 seconds" in message


def test_a_disk_with_little_room_is_a_warning(todo, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "FREE_BYTES", 1e18)

    assert found(todo, url) == {}, "the database is elsewhere"
    assert f"GB are free in {tmp_path} (TODO_BACKUP_DIR)" in found(todo, url, TODO_BACKUP_DIR=str(tmp_path))["disk"]


def test_an_old_server_and_one_without_connections_are_found(todo, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "OLDEST", 99)
    monkeypatch.setattr(surroundings, "CONNECTIONS", "SELECT 96, 100")

    messages = found(todo, url)
    assert messages["database.version"].endswith("is too old: 99 or newer is needed.")
    assert messages["database.connections"].startswith("96 of 100 connections are used")


def test_a_queue_that_is_away_is_found(todo, url: str) -> None:
    assert found(todo, url, TODO_QUEUE_URL="redis://127.0.0.1:1").keys() == {"queue.away"}


def test_a_key_that_does_not_fit_is_found(todo, url: str) -> None:
    done = todo("check", TODO_DATABASE_URL=url, TODO_SECRET_KEY="another key, as long as it must be: 0123456789")

    assert done.exit_code == 1
    assert done.output.startswith("error   start  TODO_SECRET_KEY: ")


def test_a_database_that_is_away_is_found(todo, free_port: int) -> None:
    done = todo("check", TODO_DATABASE_URL=f"postgresql://todo@127.0.0.1:{free_port}/todo")

    assert done.exit_code == 1
    assert done.output.startswith("error   start  Cannot use the database: nobody listens at that address.")


def test_a_route_without_a_guard_is_found(todo, url: str, monkeypatch) -> None:
    @get("/open", operation_id="wide_open")
    async def wide_open() -> None:
        """Anybody may."""

    create_app = check.create_app

    def create_leaky_app(settings: Settings):
        app = create_app(settings)
        app.register(wide_open)
        return app

    monkeypatch.setattr(check, "create_app", create_leaky_app)

    done = todo("check", TODO_DATABASE_URL=url)

    assert done.exit_code == 1
    assert "routes.unguarded  wide_open asks for no permission" in done.output


def test_a_fault_of_ours_keeps_its_traceback(todo, url: str, monkeypatch) -> None:
    monkeypatch.setattr(check, "check_database", None)

    with pytest.raises(TypeError):
        todo("check", TODO_DATABASE_URL=url)
