"""`todo up`: the whole service in one command."""

import asyncio
import contextlib
import http.client
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from todo import __version__
from todo.cli import CommandError
from todo.cli.demo import fill
from todo.cli.installation import database_url, install, opened
from todo.cli.server import given
from todo.cli.supervision import Child
from todo.domain.accounts.services import SignIn, add_superuser, has_superuser
from todo.settings import Settings, load_settings, secret_key

DEFAULT_ADMIN = "admin@todo.local"


def up(host: str | None, port: int | None, demo: bool) -> None:
    settings = load_settings(**given(host=host, port=port))
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    make_data_dir(settings)
    with database_url(settings) as url:
        require_free(settings.host, settings.port)
        keep_secret(settings)
        credentials = asyncio.run(set_up(settings, url, demo))
        environment = {
            "TODO_DATABASE_URL": url, "TODO_DATA_DIR": str(settings.data_dir), "TODO_SECRET_KEY": secret_key(settings),
            "TODO_HOST": settings.host, "TODO_PORT": str(settings.port),
        }  # fmt: skip
        with running([Child("server", environment), Child("worker", environment)]) as children:
            wait_until_ready(settings, children, stopping)
            if not stopping.is_set():
                banner(settings, credentials)
            while not stopping.wait(0.3):
                for child in children:
                    if child.revive():
                        Console(stderr=True).print(f"The {child.command} process had died; it runs again.")


def make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        writable = os.access(settings.data_dir, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise CommandError(f"Cannot write to {settings.data_dir}: name a folder of your own in TODO_DATA_DIR.")


def require_free(host: str, port: int) -> None:
    """Raises CommandError when something listens on this port already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port} ({error.strerror}): choose another with --port or TODO_PORT.") from None


def keep_secret(settings: Settings) -> None:
    """Make the secret key once, and keep it beside the data it protects."""
    path = settings.data_dir / "secret_key"
    if settings.secret_key.get_secret_value() or path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))


async def set_up(settings: Settings, url: str, demo: bool) -> tuple[str, str] | None:
    """Migrate, and see that there is an administrator; their e-mail and password when we made one up."""
    await install(settings, url)
    async with opened(settings, url) as database:
        sign_in = SignIn(database, settings, secret_key(settings))
        async with database.session() as session:
            found = await has_superuser(session)
        credentials = None
        if not found:
            email = settings.admin_email or DEFAULT_ADMIN
            password = settings.admin_password.get_secret_value()
            credentials = (email, password or secrets.token_urlsafe(18))
            await add_superuser(sign_in, *credentials)
        if demo:
            await fill(database, sign_in)
        return credentials if credentials and not settings.admin_password.get_secret_value() else None


@contextlib.contextmanager
def running(children: list[Child]) -> Iterator[list[Child]]:
    """The children for the time of the block; all are asked to stop together, and waited for."""
    try:
        for child in children:
            child.start()
        yield children
    finally:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.wait(15)


def wait_until_ready(settings: Settings, children: list[Child], stopping: threading.Event) -> None:
    """Return when the API serves, or when asked to stop; raises CommandError when it does not come up."""
    deadline = time.monotonic() + 60
    while not stopping.wait(0.1):
        if is_ready(settings):
            return
        for child in children:
            child.revive()
        if time.monotonic() > deadline:
            raise CommandError("The API did not come up within a minute.")


def reachable(host: str) -> str:
    """The address to call for one to listen on."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound


def is_ready(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(reachable(settings.host), settings.port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def banner(settings: Settings, credentials: tuple[str, str] | None) -> None:
    host = reachable(settings.host)
    base = settings.public_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    table = Table.grid(padding=(0, 3))
    rows = {"API": f"{base}/api", "Docs": f"{base}/docs", "Admin": f"{base}/admin", "Health": f"{base}/health/ready"}
    rows["Data"] = str(settings.data_dir) if not settings.database_url else "the database of TODO_DATABASE_URL"
    if credentials:
        rows["Sign in as"], rows["Password"] = credentials[0], f"{credentials[1]}   (shown once: keep it)"
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/]", value)
    Console(width=100).print(Panel(table, title=f"todo {__version__} is running", subtitle="Ctrl-C stops it", expand=False))
