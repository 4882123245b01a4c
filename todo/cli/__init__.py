"""The `todo` command: arguments here, the work in the file of the same name. Light imports, so that help is quick."""

from typing import Any

import rich_click as click

from todo import __version__
from todo.admin.cli import admin_commands
from todo.cli.accounts import access, keys, permissions, service_accounts, users
from todo.cli.calling import call
from todo.cli.operations import jobs, outbox
from todo.cli.recurring import recurrence, series

click.rich_click.TEXT_MARKUP = "rich"
click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.TEXT_PARAGRAPH_LINEBREAKS = "\n\n"
click.rich_click.PADDING_HELPTEXT_FIRST_LINE = (0, 0, 1, 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="todo")
def main() -> None:
    """A task service you run yourself.

    Start with:

        todo up
    """


HOST = click.option("--host", help="The address to listen on [TODO_HOST].")
PORT = click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on [TODO_PORT or PORT].")


@main.command()
@HOST
@PORT
@click.option("--demo", is_flag=True, help="Fill in believable people and tasks, once.")
def up(**options: Any) -> None:
    """Run everything: database, migrations, administrator, API and worker.

    Example:

        todo up --demo
    """
    call("up:up", **options)


@main.command()
@HOST
@PORT
def server(**options: Any) -> None:
    """Run one API process; start as many as you like.

    Example:

        todo server --port 8000
    """
    call("server:serve", **options)


@main.command()
@click.option("--once", is_flag=True, help="Do what is due and queued now, then end.")
def worker(**options: Any) -> None:
    """Run one worker process; start as many as you like.

    Example:

        todo worker
    """
    call("worker:work", **options)


@main.command()
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 when something is pending.")
def migrate(**options: Any) -> None:
    """Bring the database to the schema of this version.

    Safe to run from several instances at once.

    Example:

        todo migrate
    """
    call("migrate:migrate", **options)


@main.command()
@click.option("--email", help="The administrator's e-mail address [TODO_ADMIN_EMAIL].")
@click.option("--password", help="ListQuery for when left out; for scripts use [TODO_ADMIN_PASSWORD].")
@click.option("--noinput", is_flag=True, help="Never ask: what is missing is an error.")
def createsuperuser(**options: Any) -> None:
    """Add an administrator.

    Example:

        todo createsuperuser --email ada@example.com
    """
    call("createsuperuser:createsuperuser", **options)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option("--deploy", is_flag=True, help="Also what is unfit for production.")
def check(**options: Any) -> None:
    """Look for what would keep this installation from working; exit code 1 when something does.

    Example:

        todo check --deploy
    """
    call("check:check", **options)


@main.command()
@click.option("--repair", is_flag=True, help="Put right what can be put right without asking a person.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def doctor(**options: Any) -> None:
    """Look for rows that contradict each other; exit code 1 when there are any.

    Each line says what is wrong, how many rows, some of their ids, and what to do. Repairs are in the audit log.

    Example:

        todo doctor --repair
    """
    call("doctor:doctor", **options)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def settings(**options: Any) -> None:
    """Show every setting, its variable and what it means; secrets are masked.

    Example:

        todo settings
    """
    call("settings:show", **options)


@main.command("hash-benchmark")
def hash_benchmark() -> None:
    """Measure password hashing here, and recommend its cost.

    Example:

        todo hash-benchmark
    """
    call("hash_benchmark:benchmark")


def perform(verb: str, **options: Any) -> None:
    call("admin:run", verb=verb, **options)


for command in (
    users, service_accounts, permissions, access, admin_commands(perform), recurrence, series, jobs, outbox, keys,
):  # fmt: skip
    main.add_command(command)
