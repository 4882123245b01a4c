"""`todo jobs`: the queue, seen and steered from the command line."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table

from todo.app import JOBS
from todo.cli.installation import database_url, opened, require_installed
from todo.cli.operator import cli_origin
from todo.jobs import JobOut, Jobs
from todo.queue import cause_of, connected, open_queue
from todo.settings import load_settings

T = TypeVar("T")


def with_jobs(work: Callable[[Jobs], Awaitable[T]]) -> T:
    """Do something with the queue of the settings."""

    async def run(url: str) -> T:
        await require_installed(settings, url)
        async with connected(open_queue(settings, url)) as queue, opened(settings, url) as database:
            return await work(Jobs(queue, database, JOBS))

    settings = load_settings()
    with database_url(settings) as url:
        return asyncio.run(run(url))


def show(status: tuple[str, ...], limit: int, as_json: bool) -> None:
    found = with_jobs(lambda jobs: jobs.find(status, limit))
    if as_json:
        return print_json(found)
    table = Table("Key", "Function", "Status", "Attempts", "Queued", "Finished", "Error")
    for job in found:
        error = cause_of(job.error or "")
        table.add_row(
            job.key, job.function, job.status, str(job.attempts), day(job.queued_at), day(job.finished_at), error[:60]
        )
    Console(width=160).print(table)
    return None


def schedules(as_json: bool) -> None:
    found = with_jobs(lambda jobs: jobs.schedules())
    if as_json:
        return print_json(found)
    table = Table("Function", "Does", "Schedule (UTC)", "Next", "Last", "How it went", "Runs", "Failures")
    for entry in found:
        went = entry.last_error or entry.last_status or ""
        columns = (entry.function, entry.does, entry.schedule, day(entry.next_at), day(entry.last_at), went[:40])
        table.add_row(*columns, str(entry.runs), str(entry.failures))
    Console(width=170).print(table)
    return None


def show_one(key: str) -> None:
    print_json(with_jobs(lambda jobs: jobs.one(key)))


def change(verb: str, key: str) -> None:
    """`retry`, `abort` and `run`, as an operator."""

    async def work(jobs: Jobs) -> JobOut:
        job: JobOut = await getattr(jobs, verb)(cli_origin(), key)
        return job

    job = with_jobs(work)
    click.echo(f"{job.key} ({job.function}) is {job.status}.")


def day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def print_json(found: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
