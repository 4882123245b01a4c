"""`todo up`: the whole service in one command."""

import asyncio
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
from todo.cli.demo import fill
from todo.cli.installation import configured_url, opened
from todo.cli.lazy import CommandError
from todo.cli.migrate import install
from todo.cli.operator import cli_origin
from todo.cli.server import HOST, PORT, given, require_free
from todo.cli.supervision import Child, Stop, running
from todo.database import Database
from todo.domain.accounts.services.sign_in import SignIn, add_superuser
from todo.domain.accounts.services.users import has_superuser
from todo.embedded.server import Server, State
from todo.errors import Problem
from todo.settings import Settings, load_settings, secret_key

DEFAULT_ADMIN = "admin@todo.local"


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
    stop = Stop()
    if settings.database_url:
        run(settings, configured_url(settings), stop, demo)
    else:
        with Server(settings.data_dir) as server:
            run(settings, server.url, stop, demo, server)


def run(settings: Settings, url: str, stop: Stop, demo: bool, server: Server | None = None) -> None:
    """Everything above the database, until somebody asks to stop."""
    require_free(settings)
    keep_secret(settings)
    asyncio.run(install(settings, url))
    environment = {
        "TODO_DATABASE_URL": url, "TODO_DATA_DIR": str(settings.data_dir),
        "TODO_HOST": settings.host, "TODO_PORT": str(settings.port),
    }  # fmt: skip
    with running(("server", "worker"), environment) as children:
        if came_up(settings, children, stop):
            banner(settings, asyncio.run(invite(settings, url, demo)))
            keep_alive(children, server, stop)


def keep_secret(settings: Settings) -> None:
    """Make the secret key once, and keep it beside the data it protects."""
    path = settings.data_dir / "secret_key"
    if settings.secret_key.get_secret_value() or path.exists():
        return
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name("secret_key.part")  # renamed when complete: a kill leaves no half key
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(48))
        part.rename(path)
    except OSError as error:
        raise CommandError(
            f"The data folder {settings.data_dir} cannot be used ({error.strerror}):"
            " make it writable, choose another with TODO_DATA_DIR, or set TODO_SECRET_KEY."
        ) from None


async def invite(settings: Settings, url: str, demo: bool) -> dict[str, str]:
    """See that there are demo people, if wanted, and an administrator; what the banner tells of those who are new."""
    async with opened(settings, url) as database:
        sign_in = SignIn(database, settings, secret_key(settings))
        people = await fill(database, sign_in, new_password(settings)) if demo else {}
        return people | await invite_administrator(settings, database, sign_in)


async def invite_administrator(settings: Settings, database: Database, sign_in: SignIn) -> dict[str, str]:
    async with database.session(cli_origin()) as session:
        if await has_superuser(session):
            return {}
    email, password = settings.admin_email or DEFAULT_ADMIN, settings.admin_password.get_secret_value()
    ours = "" if password else new_password(settings)
    try:
        await add_superuser(sign_in, cli_origin(), email, password or ours)
    except Problem as problem:
        wrong_password = any(error.field == "body.password" for error in problem.errors)
        variable = "TODO_ADMIN_PASSWORD" if wrong_password else "TODO_ADMIN_EMAIL"
        message = problem.errors[0].message if problem.errors else problem.detail
        raise CommandError(f"{variable}: {message} Choose another one.") from None
    return {"Administrator": email} | ({"Password": f"{ours}   (shown once: keep it)"} if ours else {})


def new_password(settings: Settings) -> str:
    return secrets.token_urlsafe(max(18, settings.password_min_length))


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
