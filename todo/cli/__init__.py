"""The `todo` command: arguments here, the work in the file of the same name. Light imports, so that help is quick."""

import importlib
import sys
from typing import Any

import rich_click as click

from todo import __version__

click.rich_click.TEXT_MARKUP = "rich"
click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.TEXT_PARAGRAPH_LINEBREAKS = "\n\n"
click.rich_click.PADDING_HELPTEXT_FIRST_LINE = (0, 0, 1, 0)


class CommandError(Exception):
    """Ends the command with exit code 1 and this sentence."""


def call(target: str, **arguments: Any) -> None:
    """Run `module:function` with these arguments; what it refuses becomes one sentence and exit code 1."""
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(f"todo.cli.{module}"), name)
    try:
        function(**arguments)
    except Exception as error:
        sentence = importlib.import_module("todo.cli.failures").sentence_of(error)
        if sentence is None:
            raise
        click.echo(f"Error: {sentence}", err=True)
        sys.exit(1)


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
def worker() -> None:
    """Run one worker process; start as many as you like.

    Example:

        todo worker
    """
    call("worker:work")


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
@click.option("--password", help="Asked for when left out; for scripts use [TODO_ADMIN_PASSWORD].")
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


@main.command()
@click.option("--matrix", is_flag=True, help="Which role grants which.")
def permissions(**options: Any) -> None:
    """List every permission, or who has it.

    Example:

        todo permissions --matrix
    """
    call("access:permissions", **options)


@main.group()
def access() -> None:
    """Explain who may do what.

    Example:

        todo access why ada@example.com tasks.change
    """


@access.command()
@click.argument("user")
@click.argument("permission")
@click.argument("row", required=False)
def why(**options: Any) -> None:
    """Say whether somebody may do something, and why; exit code 1 when not.

    USER is an e-mail address, ROW the id of a task.

    Example:

        todo access why ada@example.com tasks.change 0190f5f0-7c1d-7000-8000-000000000000
    """
    call("access:why", **options)


@main.group()
def keys() -> None:
    """The keys that sign access tokens.

    Example:

        todo keys list
    """


@keys.command("list")
def list_keys() -> None:
    """Show every key and what it is for.

    Example:

        todo keys list
    """
    call("keys:show")


@keys.command()
def rotate() -> None:
    """Let the next key sign; no good token is refused.

    Example:

        todo keys rotate
    """
    call("keys:rotate")


@keys.command()
@click.argument("kid")
def revoke(**options: Any) -> None:
    """Delete a key whose private half may be known: its tokens are refused at once.

    Example:

        todo keys revoke 0190f5f0-7c1d-7000-8000-000000000000
    """
    call("keys:revoke", **options)


@main.group()
def users() -> None:
    """Who is let in, and as what.

    Example:

        todo users list
    """


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_users(**options: Any) -> None:
    """Show everybody with their roles.

    Example:

        todo users list
    """
    call("users:show", **options)


@users.command()
@click.argument("user")
def disable(user: str) -> None:
    """Shut somebody out: all their sessions and tokens stop.

    Example:

        todo users disable ada@example.com
    """
    call("users:change", verb="disable", user=user)


@users.command()
@click.argument("user")
def enable(user: str) -> None:
    """Let somebody in again.

    Example:

        todo users enable ada@example.com
    """
    call("users:change", verb="enable", user=user)


@users.command()
@click.argument("user")
@click.argument("role")
def grant(user: str, role: str) -> None:
    """Give somebody a role.

    Example:

        todo users grant ada@example.com support
    """
    call("users:change", verb="grant", user=user, role=role)


@users.command("revoke")
@click.argument("user")
@click.argument("role")
def revoke_role(user: str, role: str) -> None:
    """Take a role away; the last superuser stays.

    Example:

        todo users revoke ada@example.com support
    """
    call("users:change", verb="revoke", user=user, role=role)


@users.command("sign-out")
@click.argument("user")
def sign_out(user: str) -> None:
    """End every session of somebody.

    Example:

        todo users sign-out ada@example.com
    """
    call("users:sign_out", user=user)


@main.group("service-accounts")
def service_accounts() -> None:
    """Accounts for programs: no password, only tokens.

    Example:

        todo service-accounts add backup-robot --role member
    """


@service_accounts.command("add")
@click.argument("name")
@click.option("--role", multiple=True, default=("member",), show_default=True, help="A role it holds; may be repeated.")
def add_service_account(**options: Any) -> None:
    """Add an account for a program.

    Example:

        todo service-accounts add backup-robot --role member
    """
    call("users:add_service", **options)


@service_accounts.command("token")
@click.argument("name")
@click.option("--scope", multiple=True, required=True, help="A permission the token may use; may be repeated.")
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="How long it is good for.")
def add_service_token(**options: Any) -> None:
    """Make a token for such an account; it is shown once.

    Example:

        todo service-accounts token backup-robot --scope tasks.view
    """
    call("users:add_token", **options)
