"""`todo up`: the whole service in one command."""

import http.client
import os
import secrets
import time

import rich_click as click
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from todo import __version__
from todo.cli.address import HOST, PORT, given, require_free
from todo.cli.lazy import CommandError, imported
from todo.cli.supervision import Child, Stop, in_own_process, reap_orphans, running
from todo.embedded.server import Server, State
from todo.settings import Settings, load_settings, unknown_variables, write_secret_key


@click.command()
@HOST
@PORT
@click.option("--demo", is_flag=True, help="Add example people and tasks, once.")
def up(host: str | None, port: int | None, demo: bool) -> None:
    """Run everything: database, migrations, administrator, API and worker.

    Example:

        todo up --demo
    """
    settings = load_settings(**given(host=host, port=port))
    for sentence in unknown_variables():
        say(f"Warning: {sentence}")
    stop = Stop()
    if settings.database_url:
        run(settings, settings.database_url, stop, demo)
    else:
        with Server(settings.data_dir) as server:
            run(settings, server.url, stop, demo, server)
    say("Stopped.")


def run(settings: Settings, url: str, stop: Stop, demo: bool, server: Server | None = None) -> None:
    """Everything above the database, until somebody asks to stop."""
    require_free(settings)
    keep_secret(settings)
    in_own_process(_install, settings, url)
    environment = {
        "TODO_DATABASE_URL": url, "TODO_DATA_DIR": str(settings.data_dir),
        "TODO_HOST": settings.host, "TODO_PORT": str(settings.port),
        "TODO_DRAIN_SECONDS": "0",  # there is no other server to go to
    }  # fmt: skip
    with running(("server", "worker"), environment) as children:
        if came_up(settings, children, stop):
            banner(settings, in_own_process(_add_people, settings, url, demo))
            keep_alive(children, server, stop)


# Each imports the application in a process of its own: this one stays small.
def _install(settings: Settings, url: str) -> None:
    imported("todo.cli.first_start").install(settings, url)


def _add_people(settings: Settings, url: str, demo: bool) -> dict[str, str]:
    people: dict[str, str] = imported("todo.cli.first_start").add_people(settings, url, demo)
    return people


def keep_secret(settings: Settings) -> None:
    """Make the secret key once, and keep it beside the data it protects."""
    path = settings.data_dir / "secret_key"
    if settings.secret_key.get_secret_value() or path.exists():
        return
    try:
        write_secret_key(settings, secrets.token_urlsafe(48))
    except OSError as error:
        raise CommandError(
            f"The data folder {settings.data_dir} cannot be used ({error.strerror}):"
            " make it writable, choose another with TODO_DATA_DIR, or set TODO_SECRET_KEY."
        ) from None


def came_up(settings: Settings, children: list[Child], stop: Stop) -> bool:
    """Wait until the API serves; False when asked to stop; raises CommandError when it does not come up."""
    deadline = time.monotonic() + 60
    while not stop.wait(0.1):
        if status_of(settings, "/health/ready") == http.client.OK:
            return True
        for child in children:
            child.revive()
        if time.monotonic() > deadline:
            raise CommandError("The API did not come up within a minute: see above for its last words.")
    return False


def keep_alive(children: list[Child], server: Server | None, stop: Stop) -> None:
    """Start again whatever dies, until asked to stop; a database that only stands still is waited for."""
    before: State = "up"
    while not stop.wait(0.5):
        state = server.state() if server else "up"
        if server and state == "down":
            server.start()
            say("The database process had died; it runs again.")
        if server:
            reap_orphans()
            server.rotate_log()
        if state == "silent" and before != "silent":
            say("The database does not answer; waiting for it.")
        if state == "up" and before == "silent":
            say("The database answers again.")
        for child in children:  # without a database they would not stay up
            if state == "up" and child.revive():
                say(f"The {child.command} process had died; it runs again.")
        before = state if state != "changing" else before


def say(sentence: str) -> None:
    Console(stderr=True).print(sentence)


def reachable(settings: Settings) -> str:
    """The address to call for the one to listen on."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 -- compared, not bound


def status_of(settings: Settings, path: str) -> int:
    """What the API answers to a GET; 0 when it does not."""
    connection = http.client.HTTPConnection(reachable(settings), settings.port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def banner(settings: Settings, people: dict[str, str]) -> None:
    host = reachable(settings)
    base = settings.public_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    rows = {"Admin": f"{base}/admin", "API": f"{base}/api", "Docs": f"{base}/docs", "Health": f"{base}/health/ready"}
    rows["Data"] = "in the database of TODO_DATABASE_URL" if settings.database_url else str(settings.data_dir)
    table = Table.grid(padding=(0, 3))
    for name, value in (rows | people).items():
        table.add_row(Text(name, "bold"), Text(value, overflow="fold"))
    console = Console(width=None if os.isatty(1) else 200)  # a log has no width; in a terminal the frame must fit
    console.print(Panel(table, title=f"todo {__version__} is running", subtitle="Ctrl-C stops it", expand=False))
