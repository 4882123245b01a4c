"""`todo keys`: the keys that sign our access tokens."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import rich_click as click
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from todo.cli.calling import CommandError
from todo.cli.installation import database_url, opened, require_installed
from todo.cli.operator import cli_origin
from todo.domain.accounts.models import KEY, SigningKey
from todo.domain.accounts.services.key_rotation import LOCK, KeyService
from todo.settings import load_settings, secret_key


def show() -> None:
    keys = run(lambda service: service.all())
    table = Table("Key", "Status", "Made", "Retired")
    for key in keys:
        table.add_row(str(key.id), key.status, day(key.created_at), day(key.retired_at))
    Console(width=110).print(table)


def day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def rotate() -> None:
    active, *_ = run(lambda service: service.rotate_and_list())
    click.echo(f"{active.id} signs from now on; tokens of the key before stay good until they end.")


def revoke(kid: str) -> None:
    try:
        key_id = UUID(kid)
    except ValueError:
        raise CommandError(f"{kid} is not the id of a key: see `todo keys list`.") from None
    run(lambda service: service.revoke_and_list(key_id))
    click.echo(f"{kid} is gone: its tokens are refused within five seconds.")


class Keys(KeyService):
    """The verbs of `todo keys`, each answering all keys, the one that signs first."""

    async def all(self) -> list[SigningKey]:
        order = select(SigningKey).order_by(KEY.status, KEY.created_at)
        return list((await self.session.scalars(order)).all())

    async def rotate_and_list(self) -> list[SigningKey]:
        await self.rotate()
        return await self.all()

    async def revoke_and_list(self, key_id: UUID) -> list[SigningKey]:
        await self.revoke(key_id)
        return await self.all()


def run(verb: Callable[[Keys], Awaitable[list[SigningKey]]]) -> list[SigningKey]:
    """One verb in one transaction, alone."""

    async def work(url: str) -> list[SigningKey]:
        async with opened(settings, url) as database, database.session(cli_origin()) as session:
            await session.execute(select(func.pg_advisory_xact_lock(LOCK)))
            return await verb(Keys(session, session.origin.actor, secret_key(settings)))

    settings = load_settings()
    with database_url(settings) as url:
        asyncio.run(require_installed(settings, url))
        return asyncio.run(work(url))
