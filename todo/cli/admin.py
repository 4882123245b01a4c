"""`todo admin`: opens the admin for a command, as the operator or as another user."""

import asyncio
import sys
from dataclasses import replace

import rich_click as click

from todo.access import Actor, Origin
from todo.admin.cli import importing, reading, writing
from todo.admin.cli.commands import Work
from todo.admin.service import AdminService
from todo.cli.installation import database_url, installed
from todo.cli.operator import cli_origin
from todo.database import Database, WriteSession
from todo.domain.accounts.services import roles
from todo.domain.accounts.services.authentication import actor_of
from todo.errors import Forbidden
from todo.modules import REGISTRY
from todo.settings import load_settings

COMMANDS = [
    reading.describe, reading.list_rows, reading.get, reading.history, reading.explain, writing.add,
    writing.set_fields, writing.revert, writing.delete, writing.act, reading.export, importing.import_rows,
]  # fmt: skip
admin = click.RichGroup(name="admin", commands=COMMANDS)


def serve(work: Work, user: str | None, reason: str | None) -> None:
    """Run a command of the admin; what it answers is the exit code."""
    settings = load_settings()

    async def run(url: str) -> int:
        async with installed(settings, url) as database:
            return await work(AdminService(REGISTRY, database, await origin_for(database, user), reason=reason))

    with database_url(settings) as url:
        code = asyncio.run(run(url))
    if code:
        sys.exit(code)


for command in COMMANDS:
    command.context_settings["obj"] = serve


async def origin_for(database: Database, email: str | None) -> Origin:
    """The operator of this machine, or a user on whose behalf they act. Raises NotFound, Forbidden."""
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
