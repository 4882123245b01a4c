"""`todo settings`."""

import json

import pytest

from todo.settings import masked


def test_every_setting_is_shown_with_its_variable(todo) -> None:
    done = todo("settings", PORT="9000", TODO_ADMIN_PASSWORD="geheim", COLUMNS="200")

    assert done.exit_code == 0
    assert "TODO_DATABASE_STATEMENT_TIMEOUT" in done.output
    assert "9000" in done.output
    assert "geheim" not in done.output


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
