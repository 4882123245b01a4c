"""`todo jobs run`."""

import asyncio

import rich_click as click

from todo.admin.cli import output
from todo.admin.cli.commands import JSON, REASON, command, say
from todo.admin.service import AdminService
from todo.cli.admin import serve
from todo.cli.progress import working
from todo.domain.operations.admin import QUEUED, jobs_of
from todo.jobs import OVER, JobOut
from todo.modules import JOBS


@command(
    "run",
    click.argument("function"),
    click.option("--wait", is_flag=True, help="Wait for the end; exit code 1 if the job fails."),
    REASON,
    JSON,
)
async def run(admin: AdminService, function: str, wait: bool, as_json: bool) -> int:
    """Run a scheduled job now, in addition to its schedule.

    A worker runs it. `todo jobs schedules` lists the functions.

    Example:

        todo jobs run empty_trash --wait
    """
    outcome = await admin.actions.act_on_one("schedules", "run_now", function, {}, lax=True)
    if not wait:
        say(outcome) if as_json else output.outcome(outcome)
        return 0
    with working(f"Waiting for {function}: Ctrl-C stops waiting, not the job."):
        job = await _ended(admin, outcome.messages[0].removeprefix(QUEUED).rstrip("."))
    if as_json:
        say(job)
    else:
        click.echo(f"{function}: {job.status}.{f' {job.error.splitlines()[-1]}' if job.error else ''}")
    return 0 if job.status == "complete" else 1


async def _ended(admin: AdminService, key: str) -> JobOut:
    async with jobs_of(admin.database, JOBS) as jobs:
        while (job := await jobs.one(key)).status not in OVER:  # noqa: ASYNC110 -- a queue in Redis notifies nobody
            await asyncio.sleep(0.5)
    return job


run.context_settings["obj"] = serve
