"""`todo permissions` and `todo access why`: who may do what, and the reason."""

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
from todo.domain.accounts.models import ROLE, USER, USER_ROLE, Role, User, UserRole
from todo.domain.tasks.guards import visible_to
from todo.domain.tasks.models import TASK
from todo.email_address import normalize_email

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
