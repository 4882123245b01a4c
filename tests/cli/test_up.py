"""`todo up`: starts everything, keeps it running, and leaves nothing behind."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from conftest import SECRET, settings_for
from support.factories import PASSWORD, World
from support.processes import Process, eventually, frozen, postgres_pids, runs, started, worker_state

from todo.cli.first_start import invite_administrator
from todo.cli.lazy import CommandError
from todo.cli.up import banner, keep_secret
from todo.database import Database
from todo.settings import secret_key

Up = Callable[..., AbstractContextManager[Process]]


@pytest.fixture
def up(tmp_path: Path, url: str, free_port: int) -> Up:
    """`with up() as process:` on a database and a port of its own."""

    def start(*arguments: str, **environment: str) -> AbstractContextManager[Process]:
        settings = {"TODO_DATABASE_URL": url, "TODO_SECRET_KEY": SECRET, "TODO_PORT": str(free_port)}
        return started(tmp_path, "up", *arguments, **(settings | environment))

    return start


@pytest.fixture
def base(free_port: int) -> str:
    return f"http://127.0.0.1:{free_port}"


def sign_in(base: str, email: str, password: str) -> int:
    return httpx.post(f"{base}/api/auth/login", json={"email": email, "password": password}).status_code


def value_of(name: str, output: str) -> str:
    """What the banner says after this name."""
    (line,) = (line for line in output.splitlines() if line.startswith(f"│ {name}  "))
    return line.strip("│ ").removeprefix(name).strip().partition("   ")[0]


def test_it_says_where_it_is_and_stops_quickly_and_cleanly(up: Up, base: str) -> None:
    with up(TODO_LOG_LEVEL="WARNING", TODO_ADMIN_EMAIL="ada@example.com", TODO_ADMIN_PASSWORD=PASSWORD) as process:
        assert process.says("Ctrl-C"), process.output
        said, children = process.output, process.children()

        assert value_of("API", said) == f"{base}/api"
        assert value_of("Docs", said) == f"{base}/docs"
        assert value_of("Health", said) == f"{base}/health/ready"
        assert value_of("Administrator", said) == "ada@example.com"
        assert sign_in(base, "ada@example.com", PASSWORD) == 200
        assert "\x1b" not in said
        assert PASSWORD not in said

        assert process.end(signal.SIGINT) == 0
        assert children.keys() == {"server", "worker"}
        assert not any(runs(pid) for pid in children.values())
        assert process.output == said + "Stopped.\n"


def test_ctrl_c_in_the_first_seconds_stops_it_as_cleanly(up: Up) -> None:
    with up() as process:
        os.kill(process.helper(), signal.SIGINT)  # a terminal sends it to both
        assert process.end(signal.SIGINT) == 0, process.output
        assert process.output.endswith("Stopped.\n")
        assert "Traceback" not in process.output


def test_passwords_are_reported_once_and_a_killed_up_leaves_nothing_running(up: Up, base: str) -> None:
    with up("--demo") as first:
        assert first.says("Ctrl-C"), first.output
        password = value_of("Password", first.output)
        their_password = value_of("Their password", first.output)
        demo_people = value_of("Demo people", first.output).split(", ")
        orphans = first.children()
        first.end(signal.SIGKILL)

    with up("--demo") as second:
        assert second.says("Ctrl-C"), second.output
        assert not any(runs(pid) for pid in orphans.values())
        assert "Password" not in second.output
        assert value_of("Administrator", second.output) == "admin@todo.local"
        assert value_of("Lost password", second.output) == "todo users set-password admin@todo.local"
        assert sign_in(base, "admin@todo.local", password) == 200
        assert [sign_in(base, email, their_password) for email in demo_people] == [200, 200, 200]
        assert second.end(signal.SIGTERM) == 0


def test_a_child_that_dies_is_started_again_but_not_for_ever(up: Up) -> None:
    with up() as process:
        assert process.says("Ctrl-C"), process.output
        while process.popen.poll() is None:
            for pid in process.children().values():
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

        assert process.popen.returncode == 1
        assert "The server process had died; it runs again.\n" in process.output
        assert "The worker process had died; it runs again.\n" in process.output
        assert "process does not stay up: see above for its last words.\n" in process.output
        assert "Traceback" not in process.output


def test_a_database_that_stands_still_is_waited_for(tmp_path: Path, base: str, free_port: int) -> None:
    data = tmp_path / "data"
    settings = {"TODO_DATA_DIR": str(data), "TODO_PORT": str(free_port), "TODO_LOG_LEVEL": "ERROR"}
    administrator = {"TODO_ADMIN_EMAIL": "ada@example.com", "TODO_ADMIN_PASSWORD": PASSWORD}
    with started(tmp_path, "up", **settings, **administrator) as process:
        assert process.says("Ctrl-C"), process.output
        children = process.children()
        with frozen(data):
            noticed = process.says("The database does not answer; waiting for it.\n")

        assert noticed, process.output
        assert process.says("The database answers again.\n"), process.output
        assert eventually(lambda: worker_state(base) == "ok"), process.output
        assert sign_in(base, "ada@example.com", PASSWORD) == 200
        assert process.children() == children
        assert process.output.count("The database") == 2
        assert process.end() == 0
    assert not postgres_pids(data)


def test_a_lost_password_is_replaced_while_the_service_runs_and_while_it_does_not(
    tmp_path: Path, base: str, free_port: int
) -> None:
    settings = {"TODO_DATA_DIR": str(tmp_path / "data"), "TODO_PORT": str(free_port), "TODO_LOG_LEVEL": "ERROR"}

    def replace(password: str) -> None:
        with started(tmp_path, "users", "set-password", "admin@todo.local", "--password", password, **settings) as one:
            assert one.popen.wait(60) == 0, one.output

    with started(tmp_path, "up", **settings) as process:
        assert process.says("Ctrl-C"), process.output
        replace("the first new one")
        assert sign_in(base, "admin@todo.local", value_of("Password", process.output)) == 401
        assert sign_in(base, "admin@todo.local", "the first new one") == 200
        assert process.end(signal.SIGINT) == 0

    replace("the second new one")

    with started(tmp_path, "up", **settings) as process:
        assert process.says("Ctrl-C"), process.output
        assert sign_in(base, "admin@todo.local", "the second new one") == 200


def test_a_signal_during_the_start_is_heeded(up: Up) -> None:
    with up() as process:
        assert eventually(lambda: bool(process.children()), 60)

        assert process.end() == 0
        assert process.output == "Stopped.\n"


@pytest.mark.parametrize(
    ("email", "password", "sentence"),
    [
        ("ada@example.com", PASSWORD, "TODO_ADMIN_EMAIL: An account for ada@example.com already exists."),
        ("grace@example.com", "short", "TODO_ADMIN_PASSWORD: The password must have at least 15 characters"),
    ],
)
async def test_an_administrator_who_cannot_be_is_reported_in_a_sentence(
    database: Database, world: World, email: str, password: str, sentence: str
) -> None:
    await world.person("ada")
    settings = settings_for("", admin_email=email, admin_password=password)

    with pytest.raises(CommandError) as refused:
        await invite_administrator(settings, database, world.sign_in)

    assert str(refused.value).startswith(sentence)


def test_the_secret_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = settings_for("", secret_key="", data_dir=tmp_path / "data")

    keep_secret(settings)
    made = secret_key(settings)
    keep_secret(settings)

    assert secret_key(settings) == made
    assert len(made.current) >= 32
    assert (tmp_path / "data/secret_key").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_hold_the_secret_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CommandError, match="file/data cannot be used .* TODO_DATA_DIR, or set TODO_SECRET_KEY"):
        keep_secret(settings_for("", secret_key="", data_dir=tmp_path / "file/data"))


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({"host": "0.0.0.0"}, "http://127.0.0.1:9/api"),  # noqa: S104 -- nobody listens
        ({"host": "::"}, "http://[::1]:9/api"),
        ({"public_url": "https://todo.example.com/"}, "https://todo.example.com/api"),
    ],
)
def test_the_banner_shows_an_address_to_go_to(values: dict[str, str], address: str, capfd) -> None:
    banner(settings_for("", port=9, data_dir="/a/[red]/folder", **values), {})
    shown = capfd.readouterr().out

    assert value_of("API", shown) == address
    assert value_of("Data", shown) == "/a/[red]/folder"


def test_a_misspelt_variable_is_named_once_at_the_start(up: Up) -> None:
    with up(TODO_RATE_LIMITS="off", TODO_LOG_LEVEL="WARNING") as process:
        assert process.says("Ctrl-C"), process.output

    assert process.output.count("TODO_RATE_LIMITS is not a setting. Did you mean TODO_RATE_LIMIT?") == 1
