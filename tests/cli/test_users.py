"""`todo users` and `todo service-accounts`."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cli.database import query
from conftest import serving, settings_for
from support.factories import PASSWORD

from todo.app import create_app
from todo.cli.operator import os_user

ADA = ("createsuperuser", "--email", "ada@example.com", "--password", PASSWORD)


@pytest.fixture
def with_ada(todo, url: str) -> str:
    """A database with one administrator."""
    assert todo(*ADA, TODO_DATABASE_URL=url).exit_code == 0
    return url


def people(todo, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        todo("users", "list", "--sort", "created_at", "--json", TODO_DATABASE_URL=url).output
    )["items"]
    return found


def test_people_are_listed_with_their_roles(todo, with_ada: str) -> None:
    (ada,) = people(todo, with_ada)

    assert (ada["email"], ada["status"], ada["roles"]) == ("ada@example.com", "active", ["member", "superuser"])
    assert "ada@example.com" in todo("users", "list", TODO_DATABASE_URL=with_ada).output


def test_roles_are_given_and_taken(todo, with_ada: str) -> None:
    given = todo("users", "grant", "ada@example.com", "support", TODO_DATABASE_URL=with_ada)
    (after,) = people(todo, with_ada)
    taken = todo("users", "revoke", "ada@example.com", "support", TODO_DATABASE_URL=with_ada)
    again = todo("users", "revoke", "ada@example.com", "support", TODO_DATABASE_URL=with_ada)

    assert (given.exit_code, "support" in after["roles"], taken.exit_code) == (0, True, 0)
    assert (again.exit_code, again.output) == (3, "Error: The user does not have the role support.\n")


@pytest.mark.parametrize("command", [("disable", "ada@example.com"), ("revoke", "ada@example.com", "superuser")])
def test_the_last_superuser_stays(todo, with_ada: str, command: tuple[str, ...]) -> None:
    done = todo("users", *command, TODO_DATABASE_URL=with_ada)

    assert done.exit_code == 1
    assert "last superuser" in done.output
    assert people(todo, with_ada)[0]["status"] == "active"


def test_a_user_is_disabled_and_enabled(todo, with_ada: str) -> None:
    todo("createsuperuser", "--email", "grace@example.com", "--password", PASSWORD, TODO_DATABASE_URL=with_ada)

    out = todo("users", "disable", "ada@example.com", TODO_DATABASE_URL=with_ada)
    shut = people(todo, with_ada)[0]["status"]
    back = todo("users", "enable", "ada@example.com", TODO_DATABASE_URL=with_ada)

    assert (out.exit_code, shut, back.exit_code) == (0, "disabled", 0)
    assert people(todo, with_ada)[0]["status"] == "active"


def test_a_user_is_signed_out_everywhere(todo, with_ada: str) -> None:
    assert todo("users", "sign-out", "ada@example.com", TODO_DATABASE_URL=with_ada).exit_code == 0
    assert todo("users", "sign-out", "eve@example.com", TODO_DATABASE_URL=with_ada).exit_code == 3


def test_a_program_gets_an_account_and_a_token_that_works(todo, url: str) -> None:
    added = todo("service-accounts", "add", "backup-robot", "--roles", "member", TODO_DATABASE_URL=url)
    made = todo("service-accounts", "token", "backup-robot", "--scope", "tasks.view", TODO_DATABASE_URL=url)
    token = made.output.split()[0]

    async def ask() -> list[int]:
        async with (
            serving(create_app(settings_for(url))) as app,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test", headers={"Authorization": f"Bearer {token}"}
            ) as http,
        ):
            read, written = await http.get("/api/tasks"), await http.post("/api/tasks", json={"title": "A"})
            return [read.status_code, written.status_code]

    assert (added.exit_code, made.exit_code) == (0, 0)
    assert asyncio.run(ask()) == [200, 403]


def test_a_scope_that_the_account_lacks_is_refused(todo, url: str) -> None:
    todo("service-accounts", "add", "backup-robot", "--roles", "member", TODO_DATABASE_URL=url)

    done = todo("service-accounts", "token", "backup-robot", "--scope", "users.view", TODO_DATABASE_URL=url)

    assert done.exit_code == 1


def test_a_short_name_is_the_action_of_the_admin_with_its_reason(todo, with_ada: str) -> None:
    todo("createsuperuser", "--email", "grace@example.com", "--password", PASSWORD, TODO_DATABASE_URL=with_ada)

    short = todo("users", "disable", "grace@example.com", "--reason", "Ticket 17", TODO_DATABASE_URL=with_ada)
    todo("users", "enable", "grace@example.com", TODO_DATABASE_URL=with_ada)
    generic = ("admin", "act", "users", "disable", "grace@example.com", "--yes", "--reason", "Ticket 17")
    whole = todo(*generic, TODO_DATABASE_URL=with_ada)

    assert (short.exit_code, short.output) == (whole.exit_code, whole.output) == (0, "1 done.\n")
    events = query(with_ada, "SELECT actor, source, reason FROM audit_events WHERE action = 'users.disable'")
    assert [tuple(row) for row in events] == [(f"cli:{os_user()}", "cli", "Ticket 17")] * 2


def test_a_short_name_needs_the_permission_of_the_action(todo, with_ada: str) -> None:
    todo("createsuperuser", "--email", "grace@example.com", "--password", PASSWORD, TODO_DATABASE_URL=with_ada)
    todo("users", "revoke", "grace@example.com", "superuser", TODO_DATABASE_URL=with_ada)
    todo("users", "grant", "grace@example.com", "support", TODO_DATABASE_URL=with_ada)

    done = todo("users", "list", "--as", "grace@example.com", TODO_DATABASE_URL=with_ada)
    refused = todo("keys", "rotate", "--as", "grace@example.com", TODO_DATABASE_URL=with_ada)

    assert done.exit_code == 0
    assert (refused.exit_code, refused.output) == (1, "Error: This needs the permission signing_keys.rotate.\n")


def test_a_user_that_is_not_there_is_named(todo, with_ada: str) -> None:
    done = todo("users", "disable", "eve@example.com", TODO_DATABASE_URL=with_ada)

    assert done.exit_code == 3
    assert done.output == "Error: There is no user eve@example.com: give its id or its email.\n"
    assert todo("users", "disable", TODO_DATABASE_URL=with_ada).exit_code == 2


def test_a_vacation_begins_and_ends(todo, with_ada: str) -> None:
    until = str(datetime.now(UTC).date() + timedelta(days=7))
    begun = todo("users", "vacation", "ada@example.com", until, TODO_DATABASE_URL=with_ada)
    (row,) = query(with_ada, "SELECT vacations->0->>1 AS until FROM users")
    ended = todo("users", "end-vacation", "ada@example.com", TODO_DATABASE_URL=with_ada)
    refused = todo("users", "vacation", "ada@example.com", "2020-01-01", TODO_DATABASE_URL=with_ada)

    assert (begun.exit_code, row["until"], ended.exit_code) == (0, until, 0)
    assert (refused.exit_code, refused.output) == (1, "Error: until: The last day must not be before the first.\n")


def test_a_quota_is_set_shown_and_taken_back(todo, with_ada: str) -> None:
    done = todo("users", "quota", "ada@example.com", "storage", "--limit", "2", TODO_DATABASE_URL=with_ada)
    shown = todo("users", "show", "ada@example.com", "--json", TODO_DATABASE_URL=with_ada)
    back = todo("users", "quota", "ada@example.com", "storage", TODO_DATABASE_URL=with_ada)
    (row,) = query(with_ada, "SELECT quotas FROM users")

    assert (done.exit_code, back.exit_code, row["quotas"]) == (0, 0, "{}"), done.output
    assert json.loads(shown.output)["usage"]["storage"] == {"used": 0, "limit": 2_000_000}


def test_a_new_password_ends_every_session(todo, with_ada: str) -> None:
    async def post(path: str, **body: str) -> httpx.Response:
        async with (
            serving(create_app(settings_for(with_ada))) as app,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
        ):
            return await client.post(f"/api/auth/{path}", json=body)

    def log_in(password: str) -> httpx.Response:
        return asyncio.run(post("login", email="ada@example.com", password=password))

    token = log_in(PASSWORD).json()["refresh_token"]
    answers = "another good one\nanother good one\n"

    done = todo("users", "set-password", "Ada@example.com", answers=answers, TODO_DATABASE_URL=with_ada)

    assert done.output.endswith("Ada@example.com has a new password; every session has ended.\n")
    assert asyncio.run(post("refresh", refresh_token=token)).status_code == 401
    assert [log_in(password).status_code for password in (PASSWORD, "another good one")] == [401, 200]
    (entry,) = query(with_ada, "SELECT actor, after FROM audit_events WHERE action = 'users.set_password'")
    assert entry["actor"] == f"cli:{os_user()}"
    assert json.loads(entry["after"])["password_hash"] == "***"
    (mail,) = query(with_ada, "SELECT recipient FROM deliveries WHERE subject = 'Your password was changed'")
    assert mail["recipient"] == "ada@example.com"


@pytest.mark.parametrize(
    ("user", "password", "code", "sentence"),
    [
        ("eve@example.com", "another good one", 3, "No user has the address eve@example.com."),
        ("ada@example.com", "short", 1, "password: The password must have at least 15 characters"),
        ("robot@service.invalid", "another good one", 1, "robot@service.invalid has no password: it signs in with"),
    ],
)
def test_a_password_that_cannot_be_set_is_refused(
    todo, with_ada: str, user: str, password: str, code: int, sentence: str
) -> None:
    assert todo("service-accounts", "add", "robot", TODO_DATABASE_URL=with_ada).exit_code == 0

    done = todo("users", "set-password", user, "--password", password, TODO_DATABASE_URL=with_ada)

    assert done.exit_code == code
    assert done.output.startswith(f"Error: {sentence}")


def test_a_disabled_user_gets_no_password(todo, with_ada: str) -> None:
    query(with_ada, "UPDATE users SET status = 'disabled'")

    done = todo("users", "set-password", "ada@example.com", "--password", "another one", TODO_DATABASE_URL=with_ada)

    assert (done.exit_code, "todo users enable ada@example.com" in done.output) == (1, True)
