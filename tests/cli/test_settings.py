"""`todo settings`."""

import json
import subprocess
from pathlib import Path

import pytest

from todo.settings import masked


def test_every_setting_is_shown_with_its_variable(todo) -> None:
    done = todo("settings", PORT="9000", TODO_ADMIN_PASSWORD="geheim", COLUMNS="40")

    assert done.exit_code == 0
    assert "\nTODO_DATABASE_STATEMENT_TIMEOUT=15\n" in done.output
    assert "\nTODO_PORT=9000\n" in done.output
    assert "\n# TODO_ADMIN_PASSWORD=********\n" in done.output
    assert "geheim" not in done.output


def test_what_is_shown_can_be_saved_as_the_environment(todo, tmp_path: Path) -> None:
    issuers = [{"issuer": "https://id.example.com", "audience": ["a"], "profile": "oidc"}]
    given = {
        "TODO_CORS_ORIGINS": "http://localhost:3000,https://app.example.com",
        "TODO_TRUSTED_PROXIES": "10.0.0.0/8",
        "TODO_ISSUERS": json.dumps(issuers),
        "TODO_MAIL_FROM": "Todo # 1 <todo@example.com>",
        "TODO_DATABASE_WAIT": "2.5",
        "TODO_VERIFY_EMAIL": "yes",
    }
    shown = todo("settings", **given).output
    (tmp_path / ".env").write_text(shown)

    assert todo("settings").output == shown
    assert json.loads(todo("settings", "--json").output)["TODO_MAIL_FROM"] == given["TODO_MAIL_FROM"]
    bash = subprocess.run(
        ["bash", "-euc", 'set -a; . ./.env; printf %s "$TODO_ISSUERS"'], cwd=tmp_path, capture_output=True, text=True
    )
    assert json.loads(bash.stdout) == issuers, bash.stderr


def test_settings_are_for_scripts_too(todo) -> None:
    done = todo("settings", "--json", TODO_DATABASE_URL="postgres://ada:geheim@db.example.com/todo")
    shown = json.loads(done.output)

    assert shown["TODO_DATABASE_URL"] == "postgres://ada:********@db.example.com/todo"
    assert shown["TODO_SECRET_KEY"] == "********"
    assert shown["TODO_ADMIN_PASSWORD"] == ""


@pytest.mark.parametrize(
    "url",
    [
        "postgres://ada:geheim@db/todo",
        "postgres://ada:ge/h@geheim@db/todo",
        "redis://:geheim@db",
        "postgres://db/todo?user=ada&password=geheim&sslmode=require",
    ],
)
def test_no_password_is_shown_wherever_it_hides(url: str) -> None:
    assert "geheim" not in masked(url)
    assert "********" in masked(url)


@pytest.mark.parametrize("url", ["", "postgres://db/todo", "postgres://ada@db/todo", "http://[::1]:8000/"])
def test_what_holds_no_password_is_shown_as_it_is(url: str) -> None:
    assert masked(url) == url


def test_a_bad_value_names_its_variable(todo) -> None:
    done = todo("settings", TODO_DATABASE_POOL="many")

    assert done.exit_code == 1
    assert done.output.startswith("Error: TODO_DATABASE_POOL: ")


def test_a_secret_file_that_cannot_be_read_is_named(todo) -> None:
    done = todo("settings", TODO_SECRET_KEY_FILE="/nowhere/secret")

    assert done.exit_code == 1
    assert done.output.startswith("Error: TODO_SECRET_KEY_FILE: cannot read /nowhere/secret")


def test_the_port_is_read_from_a_file_like_every_setting(todo, tmp_path: Path) -> None:
    (tmp_path / "port").write_text("9001\n")

    assert "\nTODO_PORT=9001\n" in todo("settings", TODO_PORT_FILE=str(tmp_path / "port")).output
