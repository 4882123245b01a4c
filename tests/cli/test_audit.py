"""Every command that writes is in the audit log, with the account of the operating system."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from cli.database import demonstrate, query
from cli.test_doctor import UNCHECKED, on
from support.factories import PASSWORD

from todo.cli import main
from todo.cli.operator import os_user

READS = {
    "access scopes", "access token", "access why", "admin describe", "admin explain", "admin export", "admin get",
    "admin history", "admin list", "audit list", "audit show", "backup", "backup-key", "check", "completion", "dbshell",
    "hash-benchmark", "jobs list", "jobs schedules", "jobs show", "keys list", "labels list", "openapi",
    "outbox list", "outbox show", "permissions", "projects list", "projects members", "projects show",
    "recurrence preview", "routes", "send-test-email", "series list", "series show", "series why", "sessions list",
    "sessions show", "settings", "shell", "tasks list", "tasks show", "tasks why", "tokens list", "tokens show",
    "users list", "users show", "views list",
}  # fmt: skip
LASTING = {"server", "up", "worker"}  # what they change is the worker's, or is for a request
FAILED = """INSERT INTO deliveries (id, created_at, updated_at, version, channel, recipient, subject, payload, run_at,
    attempts, failed_at) VALUES (gen_random_uuid(), now(), now(), 1, 'email', 'ada@example.com', 'Given up', '{}',
    now(), 12, now())"""

Prepare = Callable[[Any, str], list[str]]


def paths_of(group: click.Group, prefix: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        path = f"{prefix}{name}"
        if isinstance(command, click.Group):
            yield from paths_of(command, f"{path} ")
        else:
            yield path


def given(*arguments: str) -> Prepare:
    """A command whose arguments need nothing first."""
    return lambda todo, url: list(arguments)


def found(sql: str, *arguments: str) -> Prepare:
    """A command about the row that a query finds: its id stands for `{}`."""
    return lambda todo, url: [one.replace("{}", str(query(url, sql)[0][0])) for one in arguments]


def after(*first: str) -> Callable[[Prepare], Prepare]:
    """Another command before this one."""

    def both(prepare: Prepare) -> Prepare:
        def prepared(todo: Any, url: str) -> list[str]:
            arguments = prepare(todo, url)
            prior = [one.replace("{}", arguments[0] if arguments else "") for one in first]
            assert todo(*prior, TODO_DATABASE_URL=url).exit_code == 0
            return arguments

        return prepared

    return both


ADA = "ada@example.com"
ROBOT = ("service-accounts", "add", "robot", "--roles", "member")
SERIES = "SELECT id FROM series WHERE status = 'active' AND next_run_at IS NOT NULL LIMIT 1"
TASK = "SELECT id FROM tasks WHERE deleted_at IS NULL AND status = 'open' LIMIT 1"
OCCURRENCE = "SELECT id FROM tasks WHERE deleted_at IS NULL AND status = 'open' AND series_id IS NOT NULL LIMIT 1"
OVERDUE = """SELECT series_id FROM tasks JOIN series ON series.id = series_id AND series.status = 'active'
    WHERE tasks.status = 'open' AND deleted_at IS NULL AND due_at < now() - interval '1 day' LIMIT 1"""
CLOSED = "SELECT id FROM tasks WHERE status = 'done' AND series_id IS NULL LIMIT 1"
ENGINE = "Analytical engine"
NEW_KEY = "SELECT id FROM signing_keys WHERE status = 'pending'"


VACATION = (ADA, str(date.today() + timedelta(days=9)))  # noqa: DTZ011 -- any day to come


def failed_delivery(todo: Any, url: str) -> list[str]:
    query(url, FAILED)
    return ["--all", "--filter", "state=failed", "--yes"]


def queued_job(todo: Any, url: str) -> list[str]:
    assert todo("jobs", "run", "empty_trash", TODO_DATABASE_URL=url).exit_code == 0
    return [query(url, "SELECT key FROM saq_jobs")[0]["key"]]


def signed_in(todo: Any, url: str) -> list[str]:
    session = """INSERT INTO sessions (id, created_at, updated_at, version, user_id, amr, address, user_agent, seen_at,
        expires_at, acting_writes)
        SELECT gen_random_uuid(), now(), now(), 1, id, '{pwd}', '', '', now(), now() + interval '1 day', false
        FROM users LIMIT 1 RETURNING id"""
    return [str(query(url, session)[0]["id"])]


def robots_token(todo: Any, url: str) -> list[str]:
    assert todo(*ROBOT, TODO_DATABASE_URL=url).exit_code == 0
    assert todo("service-accounts", "token", "robot", "--scope", "tasks.view", TODO_DATABASE_URL=url).exit_code == 0
    return [str(query(url, "SELECT id FROM personal_tokens")[0]["id"])]


def changed_task(todo: Any, url: str) -> list[str]:
    task_id = str(query(url, TASK)[0]["id"])
    assert todo("admin", "set", "tasks", task_id, "priority=3", TODO_DATABASE_URL=url).exit_code == 0
    event = "SELECT id FROM audit_events WHERE action = 'tasks.change' ORDER BY id DESC LIMIT 1"
    return ["tasks", task_id, str(query(url, event)[0]["id"])]


def broken_series(todo: Any, url: str) -> list[str]:
    on(url, UNCHECKED, f"UPDATE series SET status = 'ended' WHERE id = ({SERIES})")
    return ["--repair"]


WRITES: dict[str, Prepare] = {
    "admin act": found(TASK, "tasks", "complete", "{}"),
    "admin add": found("SELECT id FROM users LIMIT 1", "tasks", "title=Water", "owner_id={}"),
    "admin delete": found(TASK, "tasks", "{}", "--yes"),
    "admin revert": changed_task,
    "admin set": found(TASK, "tasks", "{}", "title=Something else"),
    "doctor": broken_series,
    "createsuperuser": given("--email", "root@example.com", "--password", PASSWORD),
    "jobs abort": queued_job,
    "jobs retry": after("jobs", "abort", "{}")(queued_job),
    "jobs run": given("empty_trash"),
    "labels add": given("name=garden", f"user_id={ADA}"),
    "labels delete": given("brass", "--yes"),
    "labels rename": given("brass", "name=bronze"),
    "keys revoke": found(NEW_KEY, "{}"),
    "keys rewrap": given(),
    "keys rotate": given(),
    "outbox retry": failed_delivery,
    "projects add": given("name=House", f"owner_id={ADA}"),
    "projects archive": given(ENGINE),
    "projects delete": given(ENGINE, "--yes"),
    "projects set": given(ENGINE, "color=#3366ff"),
    "projects share": after("createsuperuser", "--email", "root@example.com", "--password", PASSWORD)(
        given(f"project_id={ENGINE}", "user_id=root@example.com", "role=editor")
    ),
    "projects transfer": given(ENGINE, "grace@example.com"),
    "projects unarchive": after("projects", "archive", ENGINE)(given(ENGINE)),
    "series end": found(SERIES, "{}"),
    "series pause": found(SERIES, "{}"),
    "series resume": after("series", "pause", "{}")(found(SERIES, "{}")),
    "series run": found(SERIES, "{}"),
    "series skip-missed": found(OVERDUE, "{}"),
    "service-accounts add": given("robot", "--roles", "member"),
    "service-accounts token": after(*ROBOT)(given("robot", "--scope", "tasks.view")),
    "sessions end": signed_in,
    "tokens revoke": robots_token,
    "tasks add": given("title=Water", f"owner_id={ADA}"),
    "tasks cancel": found(TASK, "{}"),
    "tasks complete": found(TASK, "{}"),
    "tasks delete": found(TASK, "{}", "--yes"),
    "tasks reopen": found(CLOSED, "{}"),
    "tasks set": found(TASK, "{}", "priority=3"),
    "tasks skip": found(OCCURRENCE, "{}"),
    "users disable": given(ADA),
    "views add": given("name=Soon", f"user_id={ADA}"),
    "views delete": after("views", "add", "name=Soon", f"user_id={ADA}")(given("Soon", "--yes")),
    "views set": after("views", "add", "name=Soon", f"user_id={ADA}")(given("Soon", "filter=closed")),
    "users enable": after("users", "disable", ADA)(given(ADA)),
    "users grant": given(ADA, "support"),
    "users quota": given(ADA, "tasks", "--limit", "5"),
    "users revoke": given(ADA, "member"),
    "users set-password": given(ADA, "--password", "a new one, long enough"),
    "users sign-out": given(ADA),
    "users vacation": given(*VACATION),
    "users end-vacation": after("users", "vacation", *VACATION)(given(ADA)),
}


def imported(todo: Any, url: str) -> list[str]:
    owner = query(url, "SELECT id FROM users LIMIT 1")[0]["id"]
    Path("tasks.csv").write_text(f"title,owner_id\nWater,{owner}\n")
    return ["tasks", "tasks.csv", "--apply"]


WRITES["admin import"] = imported


def test_every_command_is_known_to_read_or_to_write() -> None:
    assert {*paths_of(main)} == READS | LASTING | {*WRITES} | {"db upgrade", "makemigrations", "migrate", "restore"}


@pytest.mark.parametrize("path", WRITES)
def test_what_a_command_changes_is_the_operators(todo: Any, url: str, path: str) -> None:
    asyncio.run(demonstrate(url))
    arguments = WRITES[path](todo, url)
    before = {row["id"] for row in query(url, "SELECT id FROM audit_events")}

    done = todo(*path.split(), *arguments, TODO_DATABASE_URL=url)

    assert done.exit_code == 0, done.output
    events = [row for row in query(url, "SELECT * FROM audit_events") if row["id"] not in before]
    sent = {(row["actor"], row["actor_kind"], row["source"]) for row in events if row["source"] != "worker"}
    assert sent == {(f"cli:{os_user()}", "operator", "cli")}
    assert all(row["request_id"] for row in events)


def test_an_installation_is_the_operators(todo: Any, empty_url: str) -> None:
    done = todo("migrate", TODO_DATABASE_URL=empty_url)

    assert done.exit_code == 0, done.output
    sent = {(row["actor"], row["source"]) for row in query(empty_url, "SELECT * FROM audit_events")}
    assert sent == {(f"cli:{os_user()}", "cli")}
