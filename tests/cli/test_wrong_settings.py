"""Every setting refuses a wrong value in one sentence: the variable, what is allowed, and what it is instead."""

import json
import os
import re
from pathlib import Path

import pytest

from todo.cli.supervision import warn_of_unknown_variables
from todo.setting_errors import SettingsError
from todo.settings import Settings, load_settings

ANYTHING = {"admin_password"}  # it is checked when the first administrator is added
HIDDEN = "geheim"
WRONG = {
    "env": "prod",
    "host": "http://localhost",
    "port": "tcp://10.0.0.1:8000",
    "backup_dir": "~no-such-user/backups",
    "data_dir": "~no-such-user/todo",
    "admin_name": "x" * 41,
    "admin_css": "/no-such.css",
    "public_url": "localhost",
    "database_url": f"mysql://ada:{HIDDEN}@127.0.0.1/todo",
    "database_direct_url": HIDDEN,
    "database_read_url": f"postgresql://ada:x#{HIDDEN}@127.0.0.1/todo",
    "database_pool": "1",
    "database_overflow": "many",
    "database_statement_timeout": "0",
    "database_wait": "inf",
    "queue_url": f"amqp://ada:{HIDDEN}@127.0.0.1",
    "secret_key": HIDDEN,
    "secret_key_fallbacks": f"{HIDDEN},{HIDDEN}",
    "admin_email": "nomail",
    "issuers": "https://id.example.com",
    "mail_url": HIDDEN,
    "sentry_dsn": HIDDEN,
    "mail_from": "nobody",
    "rate_limit": "100",
    "cors_origins": '["http://localhost:3000"',
    "trusted_proxies": "10.0.0.1/8",
}
FOREIGN_WORDS = re.compile(r"[Ii]nput|pydantic|regex|pattern|JSON object|Value error|validation|Expecting|Traceback|\^")


def wrong(name: str) -> str:
    return WRONG.get(name, "perhaps")


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - ANYTHING))
def test_a_wrong_value_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variable = f"TODO_{name.upper()}"
    monkeypatch.setenv(variable, wrong(name))

    with pytest.raises(SettingsError) as refused:
        load_settings(_env_file=None)

    said = str(refused.value)
    assert re.fullmatch(rf"{variable}: must .+\.", said), said
    assert HIDDEN not in said
    assert not FOREIGN_WORDS.search(said), said
    assert said.count(variable) == 1
    if wrong(name) == "perhaps":
        assert said.endswith(", not perhaps.")


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields)))
def test_an_empty_value_is_the_default(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    default = getattr(load_settings(_env_file=None), name)
    monkeypatch.setenv(f"TODO_{name.upper()}", "")

    assert getattr(load_settings(_env_file=None), name) == default


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "0", "TODO_PORT: must be a whole number from 1 to 65535, not 0."),
        ("ENV", "prod", "TODO_ENV: must be development, production or test, not prod."),
        ("VERIFY_EMAIL", "perhaps", "TODO_VERIFY_EMAIL: must be true or false, not perhaps."),
        ("HEAD_TIMEOUT", "-1", "TODO_HEAD_TIMEOUT: must be a number greater than 0, not -1."),
        ("MAX_CONNECTIONS", "0", "TODO_MAX_CONNECTIONS: must be a whole number of at least 1, not 0."),
        (
            "RATE_LIMIT", "100 per minute",
            "TODO_RATE_LIMIT: must be off, or requests per second, minute, hour or day such as 100/minute,"
            " not 100 per minute.",
        ),
        (
            "CORS_ORIGINS", "localhost:3000",
            "TODO_CORS_ORIGINS: must be web origins such as https://app.example.com, separated by commas,"
            " not localhost:3000.",
        ),
        (
            "PUBLIC_URL", "localhost",
            "TODO_PUBLIC_URL: must begin with https:// or http://, such as https://todo.example.com, not localhost.",
        ),
        ("ADMIN_EMAIL", "nomail", "TODO_ADMIN_EMAIL: must be an e-mail address such as ada@example.com, not nomail."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"TODO_{name}", value)

    with pytest.raises(SettingsError) as refused:
        load_settings(_env_file=None)

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"a" * 200_001, "is larger"),
        (b"a::before { content: '\xff' }", "is not text in UTF-8"),
    ],
)
def test_a_style_sheet_that_cannot_be_served_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TODO_ADMIN_CSS", "own.css")
    if content is not None:
        Path("own.css").write_bytes(content)

    with pytest.raises(SettingsError) as refused:
        load_settings(_env_file=None)

    assert str(refused.value) == f"TODO_ADMIN_CSS: must be a CSS file in UTF-8 of up to 200 KB, but own.css {reason}."


def test_all_wrong_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODO_PORT", "many")
    monkeypatch.setenv("TODO_ISSUERS", json.dumps([{"issuer": "https://id.example.com", "colour": 1}]))

    with pytest.raises(SettingsError) as refused:
        load_settings(_env_file=None)

    assert str(refused.value).split(". ") == [
        "TODO_PORT: must be a whole number from 1 to 65535, not many",
        "TODO_ISSUERS.0.audience: must be given",
        "TODO_ISSUERS.0.profile: must be given",
        "TODO_ISSUERS.0.colour: is not a known field.",
    ]


def test_a_port_of_the_platform_is_named_as_it_is_called_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "http")

    with pytest.raises(SettingsError, match="^PORT: must be a whole number"):
        load_settings(_env_file=None)


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ("http://localhost:3000", ("http://localhost:3000",)),
        ("http://localhost:3000/", ("http://localhost:3000",)),
        ("http://LOCALHOST:3000, HTTPS://App.Example.com,", ("http://localhost:3000", "https://app.example.com")),
        ('["http://localhost:3000", "https://app.example.com/"]', ("http://localhost:3000", "https://app.example.com")),
        ("https://app.example.com:443", ("https://app.example.com",)),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
        ("", ()),
        ("[]", ()),
    ],
)
def test_origins_are_listed_as_they_are_copied(
    monkeypatch: pytest.MonkeyPatch, given: str, origins: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TODO_CORS_ORIGINS", given)

    assert load_settings(_env_file=None).cors_origins == origins


def test_proxies_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODO_TRUSTED_PROXIES", "10.0.0.1, 172.16.0.0/12")

    assert load_settings(_env_file=None).trusted_proxies == ("10.0.0.1/32", "172.16.0.0/12")


@pytest.mark.parametrize(
    ("name", "value"),
    [("TODO_CORS_ORIGINS", "localhost"), ("TODO_MAIL_URL", "foo"), ("TODO_PUBLIC_URL", "localhost")],
)
def test_every_command_refuses_with_the_same_sentence(todo, url: str, name: str, value: str) -> None:
    given = {name: value, "TODO_DATABASE_URL": url}

    refused = {command: todo(command, **given) for command in ("up", "settings", "migrate", "server", "worker")}
    checked = todo("check", **given)

    (sentence,) = {done.output for done in refused.values()}
    assert sentence.startswith(f"Error: {name}: must ")
    assert {done.exit_code for done in refused.values()} == {1}
    assert checked.exit_code == 1
    assert checked.output == sentence.replace("Error: ", "error   settings.invalid  ")


def test_a_settings_file_that_is_no_text_is_named(todo) -> None:
    Path(".env").write_bytes(b"TODO_PORT=\xff\n")

    done = todo("settings")

    assert (done.exit_code, done.output) == (1, "Error: .env: must be text in UTF-8.\n")


@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_misspelt_variable_is_named_with_the_one_that_was_meant(todo, url: str, place: str) -> None:
    given = {"TODO_RATE_LIMITS": "off"} if place == "environment" else {}
    if place == "file":
        Path(".env").write_text("TODO_RATE_LIMITS=off\n")

    done = todo("check", TODO_DATABASE_URL=url, **given)

    assert done.exit_code == 0
    assert done.output.splitlines()[0] == (
        "warning settings.unknown  TODO_RATE_LIMITS is not a setting. Did you mean TODO_RATE_LIMIT?"
    )


def test_a_variable_that_resembles_no_setting_is_named_too(todo, url: str) -> None:
    done = todo("check", TODO_DATABASE_URL=url, TODO_COLOUR="red")

    assert "TODO_COLOUR is not a setting. `todo settings` lists all of them.\n" in done.output


def test_a_file_with_the_value_is_a_known_variable(todo, url: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(os.environ["TODO_SECRET_KEY"])

    done = todo("check", TODO_DATABASE_URL=url, TODO_SECRET_KEY_FILE=str(tmp_path / "secret"))

    assert "settings." not in done.output


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TODO_DATA_DIR", "~/todo")

    assert load_settings(_env_file=None).data_dir == Path.home() / "todo"


def test_a_process_of_its_own_logs_a_misspelt_variable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TODO_RATE_LIMITS", "off")
    warn_of_unknown_variables()
    monkeypatch.setenv("TODO_SUPERVISED", "1")
    warn_of_unknown_variables()

    assert caplog.messages == ["TODO_RATE_LIMITS is not a setting. Did you mean TODO_RATE_LIMIT?"]
