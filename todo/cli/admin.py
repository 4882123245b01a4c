"""`todo admin`: opens the service for a command of the admin, as the operator or as somebody else."""

import asyncio
import os
import pwd
import sys
from dataclasses import replace
from typing import Any

import rich_click as click

from todo.access import Actor
from todo.admin.cli.performing import perform
from todo.admin.service import AdminService
from todo.app import REGISTRY
from todo.audit import ORIGIN, Origin
from todo.cli.failures import sentence_of
from todo.cli.installation import database_url, opened, require_installed
from todo.database import Database, WriteSession
from todo.domain.accounts.services import roles
from todo.domain.accounts.services.authentication import actor_of
from todo.errors import Forbidden, NotFound
from todo.settings import load_settings

NOT_FOUND = 3


def run(verb: str, user: str | None, reason: str | None = None, **options: Any) -> None:
    """A command of `todo admin`; exit code 1 when it is refused, 3 when something is not there."""
    settings = load_settings()

    async def work(url: str) -> int:
        await require_installed(settings, url)
        async with opened(settings, url) as database:
            actor = await actor_for(database, user)
            return await perform(AdminService(REGISTRY, database, actor, reason=reason), verb, options)

    ORIGIN.set(Origin(face="cli"))
    try:
        with database_url(settings) as url:
            code = asyncio.run(work(url))
    except NotFound as error:
        click.echo(f"Error: {sentence_of(error)}", err=True)
        code = NOT_FOUND
    if code:
        sys.exit(code)


async def actor_for(database: Database, email: str | None) -> Actor:
    """The operator of this machine, or somebody by them. Raises NotFound, Forbidden."""
    operator = Actor(id=None, name=f"cli:{os_user()}", kind="operator", permissions=frozenset({"*"}))
    if email is None:
        return operator
    async with database.session() as session:
        return replace(await _person(session, email), by=operator)


async def _person(session: WriteSession, email: str) -> Actor:
    person = await actor_of(session, (await roles.find_user(session, email)).id)
    if person is None:
        raise Forbidden(f"The account of {email} is not active.")
    return person


def os_user() -> str:
    """The account of the operating system; its number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name  # not getpass: that believes the environment
    except KeyError:
        return str(os.getuid())
