"""The database of a command, as a test looks at it."""

import asyncio
from typing import Any

import asyncpg
from conftest import SECRET_KEY, settings_for
from support.factories import PASSWORD

from todo.cli.demo import fill
from todo.cli.installation import opened
from todo.domain.accounts.services.sign_in import SignIn


def query(url: str, statement: str, *values: Any) -> list[asyncpg.Record]:
    """The rows of one statement."""

    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(run())


async def demonstrate(url: str) -> None:
    """Fill in the people and tasks of `todo up --demo`."""
    settings = settings_for(url)
    async with opened(settings, url) as database:
        sign_in = SignIn(database, settings, SECRET_KEY)
        await sign_in.start()
        await fill(database, sign_in, PASSWORD)
        await sign_in.stop()
