"""`todo admin`: opens the service for a command of the admin, as the operator or as somebody else."""

import asyncio
import sys
from dataclasses import replace
from typing import Any

import rich_click as click

from todo.access import Actor, Origin
from todo.admin.cli.actions import perform
from todo.admin.service import AdminService
from todo.app import REGISTRY
from todo.cli.failures import sentence_of
from todo.cli.installation import database_url, opened, require_installed
from todo.cli.operator import cli_origin
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
            origin = await origin_for(database, user)
            return await perform(AdminService(REGISTRY, database, origin, reason=reason), verb, options)

    try:
        with database_url(settings) as url:
            code = asyncio.run(work(url))
    except NotFound as error:
        click.echo(f"Error: {sentence_of(error)}", err=True)
        code = NOT_FOUND
    if code:
        sys.exit(code)


async def origin_for(database: Database, email: str | None) -> Origin:
    """The operator of this machine, or somebody by them. Raises NotFound, Forbidden."""
    origin = cli_origin()
    if email is None:
        return origin
    async with database.session(origin) as session:
        return origin.by(replace(await _person(session, email), by=origin.actor))


async def _person(session: WriteSession, email: str) -> Actor:
    person = await actor_of(session, (await roles.find_user(session, email)).id)
    if person is None:
        raise Forbidden(f"The account of {email} is not active.")
    return person
