"""`todo worker`."""

import asyncio
import logging

from todo.app import CRONS
from todo.cli.installation import database_url, opened, require_installed
from todo.cli.supervision import exit_on_signals, follow_supervisor
from todo.queue import new_worker
from todo.settings import Settings, load_settings


def work() -> None:
    settings = load_settings()
    logging.basicConfig(level=settings.log_level if settings.log_level != "INFO" else "WARNING")
    # At every stop SAQ and its pool warn of what did not finish: tasks and connections that only wait for work.
    for name in ("saq", "psycopg.pool"):
        logging.getLogger(name).setLevel("DEBUG" if settings.log_level == "DEBUG" else "ERROR")
    exit_on_signals()
    with database_url(settings) as url:
        asyncio.run(_work(settings, url))


async def _work(settings: Settings, url: str) -> None:
    await require_installed(settings, url)
    follow_supervisor()
    async with opened(settings, url) as database:
        worker = new_worker(settings, database, CRONS)
        await worker.queue.connect()
        try:
            await worker.start()
        finally:
            await worker.queue.disconnect()
