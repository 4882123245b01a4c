"""`todo permissions` and `todo access`: who may do what, and the reason."""

import sys
from hashlib import sha256
from uuid import UUID

import rich_click as click
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from todo.access import EVERYTHING
from todo.actions import PERMISSIONS
from todo.cli.installation import with_session
from todo.cli.lazy import CommandError
from todo.database import WriteSession
from todo.domain.accounts.models import PERSONAL_TOKEN, ROLE, USER, USER_ROLE, PersonalToken, Role, User, UserRole
from todo.domain.accounts.services.personal_tokens import may_be_scope
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK
from todo.email_address import normalize_email
from todo.errors import NotFound
from todo.permission_texts import text_of

Answer = tuple[bool, str]


@click.command()
@click.option("--matrix", is_flag=True, help="Which role grants which.")
def permissions(matrix: bool) -> None:
    """List every permission, or which role grants which.

    Example:

        todo permissions --matrix
    """
    if not matrix:
        click.echo("\n".join(sorted(PERMISSIONS)))
        return
    roles = with_session(all_roles)
    granted = {permission for role in roles for permission in role.permissions}
    table = Table("Permission", *(role.name for role in roles))
    for permission in sorted((PERMISSIONS | granted) - {EVERYTHING}):
        table.add_row(permission, *("yes" if {permission, EVERYTHING} & {*role.permissions} else "" for role in roles))
    Console(width=max(100, 30 + 14 * len(roles))).print(table)


@click.command()
@click.argument("user")
@click.argument("permission")
@click.argument("row", required=False)
def why(user: str, permission: str, row: str | None) -> None:
    """Say whether a user may do something, and why; exit code 1 if not.

    USER is an e-mail address, ROW the id of a task.

    Example:

        todo access why ada@example.com tasks.change 0190f5f0-7c1d-7000-8000-000000000000
    """
    if permission not in PERMISSIONS:
        raise CommandError(f"PERMISSION: there is no permission {permission}, see `todo permissions`.")
    allowed, reason = with_session(lambda session: explain(session, user, permission, row))
    click.echo(f"{'yes' if allowed else 'no'}: {reason}")
    if not allowed:
        raise SystemExit(1)


@click.command()
def scopes() -> None:
    """List the scopes that personal access tokens can have.

    Example:

        todo access scopes
    """
    names = sorted(permission for permission in PERMISSIONS if may_be_scope(permission))
    width = max(map(len, names))
    for name in names:
        click.echo(f"{name:{width}}  {text_of(name)}")


@click.command()
def token() -> None:
    """Say whose personal access token it is, and what it may do.

    The token is asked for, or read from standard input: an argument would stay in the history of the shell.

    Example:

        todo access token < found-token.txt
    """
    found = click.prompt("Token", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    click.echo(with_session(lambda session: describe_token(session, found.strip())))


async def describe_token(session: WriteSession, token: str) -> str:
    """Return whose token it is, in sentences. Raise NotFound."""
    known = select(PersonalToken, User).join(User, USER.id == PERSONAL_TOKEN.user_id)
    found = (await session.execute(known.where(PERSONAL_TOKEN.hash == sha256(token.encode()).digest()))).first()
    if found is None:
        raise NotFound("This is no personal access token of this service, or it was deleted.")
    row, user = found
    ended = f"It was revoked at {row.revoked_at}." if row.revoked_at else f"It expires at {row.expires_at}."
    return (
        f'"{row.name}", a token of {user.email}, who is {user.status}.\n'
        f"Its id is {row.id}, its scopes are {', '.join(row.scopes)}.\n"
        f"{ended} It was last used {row.used_at or 'never'}."
    )


async def all_roles(session: WriteSession) -> list[Role]:
    return list((await session.scalars(select(Role).order_by(ROLE.name))).all())


async def explain(session: WriteSession, email: str, permission: str, row: str | None) -> Answer:
    """Whether somebody may, and the first reason that decides it."""
    user = await session.scalar(select(User).where(USER.email == normalize_email(email)))
    if user is None:
        return False, f"nobody has the address {email}."
    if user.status != "active":
        return False, f"the account is {user.status}."
    held = select(Role).join(UserRole, USER_ROLE.role_id == ROLE.id).where(USER_ROLE.user_id == user.id)
    roles = (await session.scalars(held.order_by(ROLE.name))).all()
    granting = [role.name for role in roles if {permission, EVERYTHING} & {*role.permissions}]
    if not granting:
        return False, f"no role grants {permission}; they hold {', '.join(role.name for role in roles) or 'none'}."
    reason = f"{permission} comes with the role {' and '.join(granting)}"
    if row is None:
        return True, f"{reason}."
    return await explain_row(session, user, permission, row, reason)


async def explain_row(session: WriteSession, user: User, permission: str, row: str, reason: str) -> Answer:
    """The same for one row: beside the permission, it must be theirs to see."""
    resource = permission.partition(".")[0]
    if resource != "tasks":
        return True, f"{reason}; {resource} are not narrowed row by row."
    try:
        task_id = UUID(row)
    except ValueError:
        raise CommandError(f"ROW: {row} is not the id of a task.") from None
    visible = await session.scalar(select(TASK.id).where(visible_to(user.id), TASK.id == task_id))
    if visible is None:
        return False, f"{reason}, but this task is not among those they can see."
    return True, f"{reason}, and the task is among those they can see."
