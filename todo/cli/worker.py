"""`todo worker`."""

import asyncio
from contextlib import suppress
from typing import Any

import rich_click as click
from saq import Worker

from todo import loops
from todo.cli.installation import database_url, installed, require_sessions
from todo.cli.observation import observe
from todo.cli.supervision import exit_on_signals, follow_supervisor, warn_of_unknown_variables
from todo.database import Database
from todo.domain.accounts.services.quotas import store_defaults
from todo.modules import JOBS, LOOPS
from todo.queue import HAS_WAITING
from todo.saq_queue import connected, new_worker, relay
from todo.settings import Settings, load_settings


@click.command()
@click.option("--once", is_flag=True, help="Do everything that is due and queued now, then end.")
def worker(once: bool) -> None:
    """Run one worker process; start as many as you like.

    Example:

        todo worker
    """
    settings = load_settings()
    observe(settings)
    warn_of_unknown_variables()
    exit_on_signals()
    with database_url(settings) as url:
        asyncio.run(_work(settings, url, once))


async def _work(settings: Settings, url: str, once: bool) -> None:
    async with installed(settings, url) as database:
        await require_sessions(settings, url)
        await store_defaults(database)
        follow_supervisor()
        if once:
            await _work_once(settings, database)
            return
        worker = new_worker(settings, database, JOBS.schedules, JOBS.functions)
        async with connected(worker.queue):
            hot = loops.run(database, [*LOOPS, relay(worker.queue)])
            await _work_on(worker, asyncio.create_task(hot))


async def _work_once(settings: Settings, database: Database) -> None:
    """Until nothing is due and no job waits, those that jobs have asked for included."""
    functions = [*JOBS.functions, *(cron.function for cron in JOBS.schedules)]
    while True:
        worker = new_worker(settings, database, [], functions, burst=True)
        async with connected(worker.queue):
            await loops.run_once(database, [*LOOPS, relay(worker.queue)])
            await worker.start()
        if not await database.primary.one_or_none(HAS_WAITING):
            return


async def _work_on(worker: Worker[Any], hot: "asyncio.Task[None]") -> None:
    """Until a signal; loops that end by themselves end the process, for its supervisor to see."""
    hot.add_done_callback(lambda _: worker.event.set())
    try:
        await worker.start()
    finally:
        if not hot.done():
            hot.cancel()
        with suppress(asyncio.CancelledError):
            await hot
