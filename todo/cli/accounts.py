"""Declares the commands about people, what they may do, and keys."""

from typing import Any

import rich_click as click

from todo.cli.calling import call


@click.command()
@click.option("--matrix", is_flag=True, help="Which role grants which.")
def permissions(**options: Any) -> None:
    """List every permission, or who has it.

    Example:

        todo permissions --matrix
    """
    call("access:permissions", **options)


@click.group()
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


@click.group()
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


@click.group()
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


@click.group("service-accounts")
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
