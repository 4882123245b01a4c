"""`todo worker`."""

import asyncio
import logging

from todo.app import CRONS
from todo.cli.installation import database_url, opened
from todo.cli.server import require_current
from todo.cli.supervision import follow_supervisor
from todo.queue import new_worker
from todo.settings import Settings, load_settings


def work() -> None:
    settings = load_settings()
    logging.basicConfig(level=settings.log_level if settings.log_level != "INFO" else "WARNING")
    with database_url(settings) as url:
        require_current(settings, url)
        follow_supervisor()
        asyncio.run(_work(settings, url))


async def _work(settings: Settings, url: str) -> None:
    async with opened(settings, url) as database:
        worker = new_worker(settings, database, CRONS)
        await worker.queue.connect()
        try:
            await worker.start()
        finally:
            await worker.queue.disconnect()
