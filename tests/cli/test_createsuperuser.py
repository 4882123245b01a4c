"""`todo createsuperuser`."""

import pytest
from support.factories import PASSWORD

ADA = ("--email", "ada@example.com", "--password", PASSWORD)


def test_an_administrator_is_added_once(todo, url: str) -> None:
    first = todo("createsuperuser", *ADA, TODO_DATABASE_URL=url)
    second = todo("createsuperuser", "--email", "ADA@example.com", "--password", PASSWORD, TODO_DATABASE_URL=url)

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert first.output == "ada@example.com is an administrator now.\n"
    assert second.output == "Error: An account for ADA@example.com already exists.\n"


def test_what_is_missing_is_asked_for(todo, url: str) -> None:
    done = todo("createsuperuser", answers=f"ada@example.com\n{PASSWORD}\n{PASSWORD}\n", TODO_DATABASE_URL=url)

    assert done.exit_code == 0
    assert PASSWORD not in done.output


def test_noinput_asks_nothing(todo, url: str) -> None:
    done = todo("createsuperuser", "--noinput", "--email", "ada@example.com", TODO_DATABASE_URL=url)

    assert done.exit_code == 1
    assert done.output.startswith("Error: --noinput needs --email and --password")


def test_noinput_takes_both_from_the_environment(todo, url: str) -> None:
    given = {"TODO_ADMIN_EMAIL": "ada@example.com", "TODO_ADMIN_PASSWORD": PASSWORD}

    assert todo("createsuperuser", "--noinput", TODO_DATABASE_URL=url, **given).exit_code == 0


@pytest.mark.parametrize(
    ("email", "password", "sentence"),
    [
        ("ada", PASSWORD, "email: Enter a valid e-mail address."),
        ("ada@example.com", "short", "password: The password must have at least 15 characters"),
    ],
)
def test_what_is_wrong_is_reported_in_a_sentence(todo, url: str, email: str, password: str, sentence: str) -> None:
    done = todo("createsuperuser", "--email", email, "--password", password, TODO_DATABASE_URL=url)

    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {sentence}")
    assert len(done.output.splitlines()) == 1
