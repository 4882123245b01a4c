"""Declares the commands about what the workers do."""

from typing import Any

import rich_click as click

from todo.cli.calling import call

JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")
STATUSES = ("queued", "active", "aborting", "aborted", "failed", "complete")


@click.group()
def jobs() -> None:
    """Look at the queue, and steer it.

    Example:

        todo jobs list --status failed
    """


@jobs.command("list")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Only these; may be repeated.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@JSON
def list_jobs(**options: Any) -> None:
    """Show the newest jobs; what is over can be seen for a week.

    Example:

        todo jobs list --status failed
    """
    call("jobs:show", **options)


@jobs.command()
@JSON
def schedules(**options: Any) -> None:
    """Show what runs by itself: when, and how it went the last time.

    Example:

        todo jobs schedules
    """
    call("jobs:schedules", **options)


@jobs.command("show")
@click.argument("key")
def show_job(key: str) -> None:
    """Show one job whole, with its error, as JSON.

    Example:

        todo jobs show cron:empty_trash
    """
    call("jobs:show_one", key=key)


@jobs.command()
@click.argument("key")
def retry(key: str) -> None:
    """Let a job that is over run again.

    Example:

        todo jobs retry 0d9b4f0e6a7c11f0
    """
    call("jobs:change", verb="retry", key=key)


@jobs.command()
@click.argument("key")
def abort(key: str) -> None:
    """Stop a job that waits or runs.

    Example:

        todo jobs abort 0d9b4f0e6a7c11f0
    """
    call("jobs:change", verb="abort", key=key)


@jobs.command("run")
@click.argument("function")
def run_now(function: str) -> None:
    """Run a scheduled function now, beside its schedule.

    Example:

        todo jobs run empty_trash
    """
    call("jobs:change", verb="run", key=function)


@click.group()
def outbox() -> None:
    """Look at what is on its way out, by mail or otherwise, and try again what has failed.

    Example:

        todo outbox list --failed
    """


@outbox.command("list")
@click.option("--failed", is_flag=True, help="What was given up, instead of what waits.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@JSON
def list_outbox(**options: Any) -> None:
    """Show what waits to go out, the oldest first.

    Example:

        todo outbox list --failed
    """
    call("outbox:show", **options)


@outbox.command("retry")
@click.argument("id", required=False)
@click.option("--all", "everything", is_flag=True, help="Everything that was given up.")
@JSON
def retry_outbox(**options: Any) -> None:
    """Try again what was given up: one, or all.

    Example:

        todo outbox retry --all
    """
    call("outbox:retry", **options)
