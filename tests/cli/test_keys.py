"""`todo keys`, `todo permissions`, `todo access`, `todo hash-benchmark`, `todo check --deploy`."""

import json
import re
from pathlib import Path

from pyrage import x25519

ADA = ("createsuperuser", "--email", "ada@example.com", "--password", "correct horse battery staple")


def kids(output: str, status: str) -> list[str]:
    return [key["id"] for key in json.loads(output)["items"] if key["status"] == status]


def test_a_rotation_lets_the_waiting_key_sign(todo, url: str) -> None:
    before = todo("keys", "list", "--json", TODO_DATABASE_URL=url).output

    done = todo("keys", "rotate", TODO_DATABASE_URL=url)

    after = todo("keys", "list", "--json", TODO_DATABASE_URL=url).output
    assert done.exit_code == 0
    assert kids(after, "active") == kids(before, "pending")
    assert kids(after, "retired") == kids(before, "active")
    assert len(kids(after, "pending")) == 1


def test_a_retired_key_can_be_revoked_and_the_one_that_signs_cannot(todo, url: str) -> None:
    todo("keys", "rotate", TODO_DATABASE_URL=url)
    listed = todo("keys", "list", "--json", TODO_DATABASE_URL=url).output

    gone = todo("keys", "revoke", kids(listed, "retired")[0], TODO_DATABASE_URL=url)
    refused = todo("keys", "revoke", kids(listed, "active")[0], TODO_DATABASE_URL=url)
    unknown = todo("keys", "revoke", "nonsense", TODO_DATABASE_URL=url)

    assert gone.exit_code == 0
    assert (refused.exit_code, refused.output) == (
        1, "Error: This key signs tokens now: rotate the keys first, then revoke it.\n",
    )  # fmt: skip
    assert unknown.exit_code == 3
    assert kids(todo("keys", "list", "--json", TODO_DATABASE_URL=url).output, "retired") == []


def test_the_matrix_says_which_role_grants_which(todo, url: str) -> None:
    plain = todo("permissions").output.splitlines()
    rows = todo("permissions", "--matrix", TODO_DATABASE_URL=url).output.splitlines()

    assert "tasks.view" in plain
    (row,) = [row for row in rows if "tasks.view" in row]
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["tasks.view", "", "", "yes", "yes", ""]


def test_access_is_explained(todo, url: str) -> None:
    todo(*ADA, TODO_DATABASE_URL=url)

    yes = todo("access", "why", "ada@example.com", "tasks.view", TODO_DATABASE_URL=url)
    row = todo(
        "access", "why", "ada@example.com", "tasks.view", "0190f5f0-7c1d-7000-8000-000000000000", TODO_DATABASE_URL=url
    )
    nobody = todo("access", "why", "eve@example.com", "tasks.view", TODO_DATABASE_URL=url)
    unknown = todo("access", "why", "ada@example.com", "tasks.fly", TODO_DATABASE_URL=url)

    assert (yes.exit_code, yes.output) == (0, "yes: tasks.view comes with the role member and superuser.\n")
    assert (row.exit_code, "not among those they can see" in row.output) == (1, True)
    assert (nobody.exit_code, nobody.output) == (1, "no: nobody has the address eve@example.com.\n")
    assert unknown.exit_code == 1
    assert unknown.output.startswith("Error: PERMISSION: there is no permission tasks.fly")


def test_scopes_are_listed_with_what_they_allow(todo) -> None:
    lines = todo("access", "scopes").output.splitlines()

    assert "tasks.view" in [line.split()[0] for line in lines]
    assert [line for line in lines if line.startswith("accounts.")] == [
        line for line in lines if line.startswith("accounts.me ")
    ]
    assert all(line.endswith(".") for line in lines)


def test_whose_a_found_token_is(todo, url: str) -> None:
    todo("service-accounts", "add", "robot", "--roles", "member", TODO_DATABASE_URL=url)
    made = todo("service-accounts", "token", "robot", "--scope", "tasks.view", TODO_DATABASE_URL=url).output.split()[0]

    known = todo("access", "token", answers=f"{made}\n", TODO_DATABASE_URL=url)
    unknown = todo("access", "token", answers="todo_pat_of_nobody\n", TODO_DATABASE_URL=url)

    assert known.exit_code == 0
    assert "a token of robot@service.invalid, who is active." in known.output
    assert "its scopes are tasks.view.\nIt expires at " in known.output
    assert made not in known.output
    assert unknown.exit_code == 3
    assert unknown.output.startswith("Error: This is no personal access token of this service")


def test_the_cost_of_hashing_is_measured_and_recommended(todo) -> None:
    done = todo("hash-benchmark")

    assert done.exit_code == 0
    assert re.search(r"TODO_ARGON2_MEMORY_KIB=\d+ TODO_ARGON2_ITERATIONS=\d\n$", done.output)


def test_what_is_unfit_for_production_is_found(todo, url: str) -> None:
    done = todo("check", "--deploy", "--json", TODO_DATABASE_URL=url)
    found = {finding["id"] for finding in json.loads(done.output)}

    assert done.exit_code == 1
    assert {"deploy.env", "deploy.public_url", "deploy.mail", "deploy.password_cost", "deploy.second_factor"} <= found


def test_a_proper_installation_has_nothing_unfit(todo, url: str, tmp_path: Path) -> None:
    done = todo(
        "check", "--deploy", "--json",
        TODO_DATABASE_URL=url, TODO_ENV="production", TODO_PUBLIC_URL="https://todo.example.com",
        TODO_ARGON2_MEMORY_KIB="47104", TODO_ARGON2_ITERATIONS="1", TODO_MAIL_URL="smtps://u:p@mail.example.com",
        TODO_RATE_LIMIT="100/minute", TODO_BACKUP_DIR=str(tmp_path),
        TODO_BACKUP_RECIPIENTS=str(x25519.Identity.generate().to_public()),
    )  # fmt: skip

    assert [finding["id"] for finding in json.loads(done.output)] == ["worker.late"]
