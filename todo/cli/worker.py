"""`todo worker`."""

import asyncio

from todo import loops
from todo.app import CRONS, FUNCTIONS, LOOPS
from todo.cli.installation import database_url, opened, require_installed
from todo.cli.supervision import exit_on_signals, follow_supervisor
from todo.http import logs
from todo.queue import new_worker
from todo.settings import Settings, load_settings


def work() -> None:
    settings = load_settings()
    logs.configure(settings)
    exit_on_signals()
    with database_url(settings) as url:
        asyncio.run(_work(settings, url))


async def _work(settings: Settings, url: str) -> None:
    await require_installed(settings, url)
    follow_supervisor()
    async with opened(settings, url) as database:
        worker = new_worker(settings, database, CRONS, FUNCTIONS)
        await worker.queue.connect()
        hot = asyncio.create_task(loops.run(database, LOOPS))
        try:
            await worker.start()
        finally:
            hot.cancel()
            await asyncio.gather(hot, return_exceptions=True)
            await worker.queue.disconnect()
