"""What `todo up` does once: the schema before the service runs, then an administrator and example people.

`todo up` runs it in a process of its own, because it imports the whole application.
"""

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any, TypeVar

from todo.cli import migrate
from todo.cli.demo import fill
from todo.cli.failures import sentence_of
from todo.cli.installation import opened
from todo.cli.lazy import CommandError
from todo.cli.operator import cli_origin
from todo.database import Database
from todo.domain.accounts.services.sign_in import SignIn, add_superuser
from todo.domain.accounts.services.users import superusers
from todo.errors import Problem
from todo.settings import Settings, secret_key

T = TypeVar("T")

DEFAULT_ADMIN = "admin@todo.local"


def install(settings: Settings, url: str) -> None:
    """Bring the database to this version. Raise CommandError."""
    _run(migrate.install(settings, url))


def add_people(settings: Settings, url: str, demo: bool) -> dict[str, str]:
    """Add example people, if wanted, and an administrator where there is none. Return lines for the banner.

    Raise CommandError.
    """
    return _run(_add_people(settings, url, demo))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; what an operator can put right becomes a CommandError, which another process can read."""
    try:
        return asyncio.run(work)
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        raise CommandError(sentence) from None


async def _add_people(settings: Settings, url: str, demo: bool) -> dict[str, str]:
    async with opened(settings, url) as database:
        sign_in = SignIn(database, settings, secret_key(settings))
        people = await fill(database, sign_in, new_password(settings)) if demo else {}
        return people | await invite_administrator(settings, database, sign_in)


async def invite_administrator(settings: Settings, database: Database, sign_in: SignIn) -> dict[str, str]:
    """Add an administrator where there is none. Return the lines of the banner. Raise CommandError."""
    async with database.session(cli_origin()) as session:
        if present := await superusers(session):
            return {"Administrator": present[0], "Lost password": f"todo users set-password {present[0]}"}
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
