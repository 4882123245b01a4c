"""`todo users` and `todo service-accounts`: who is let in, and as what."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import rich_click as click
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from todo.cli.installation import database_url, opened, require_installed
from todo.cli.operator import cli_origin
from todo.contention import retry
from todo.database import WriteSession
from todo.domain.accounts.models import ROLE, USER, USER_ROLE, UserRole
from todo.domain.accounts.schemas.personal_tokens import TokenIn
from todo.domain.accounts.services import roles
from todo.domain.accounts.services.credentials import sign_out_everywhere
from todo.domain.accounts.services.service_accounts import add_service_account, add_service_token
from todo.settings import load_settings

T = TypeVar("T")


def with_session(work: Callable[[WriteSession], Awaitable[T]]) -> T:
    """Run `work` in one transaction on the database of the settings; again when it met another on the same rows."""

    async def run(url: str) -> T:
        await require_installed(settings, url)

        async def once() -> T:
            async with database.session(cli_origin()) as session:
                return await work(session)

        async with opened(settings, url) as database:
            return await retry(once)

    settings = load_settings()
    with database_url(settings) as url:
        return asyncio.run(run(url))


def show(as_json: bool) -> None:
    names = select(func.string_agg(ROLE.name, ", ")).join(UserRole, USER_ROLE.role_id == ROLE.id)
    held = names.where(USER_ROLE.user_id == USER.id).scalar_subquery()
    query = select(USER.email, USER.kind, USER.status, held, USER.created_at).order_by(USER.created_at)

    async def read(session: WriteSession) -> list[tuple[str, ...]]:
        rows = await session.execute(query)
        return [(email, kind, status, held or "", f"{at:%Y-%m-%d}") for email, kind, status, held, at in rows]

    people = with_session(read)
    heads = ("email", "kind", "status", "roles", "since")
    if as_json:
        click.echo(json.dumps([dict(zip(heads, person, strict=True)) for person in people], indent=2))
        return
    table = Table(*(head.capitalize() for head in heads))
    for person in people:
        table.add_row(*person)
    Console(width=110).print(table)


def change(verb: str, user: str, role: str | None = None) -> None:
    """`disable`, `enable`, `grant` and `revoke`, as an operator."""

    async def work(session: WriteSession) -> None:
        user_id = (await roles.find_user(session, user)).id
        if role is not None:
            await {"grant": roles.grant, "revoke": roles.revoke}[verb](session, session.origin.actor, user_id, role)
        else:
            await {"disable": roles.disable, "enable": roles.enable}[verb](session, session.origin.actor, user_id)

    with_session(work)
    done = {"disable": "is shut out", "enable": "is let in"}.get(
        verb, f"is {'' if verb == 'grant' else 'no more '}{role}"
    )
    click.echo(f"{user} {done}; every process knows within five seconds.")


def sign_out(user: str) -> None:
    async def work(session: WriteSession) -> None:
        found = await roles.find_user(session, user)
        await sign_out_everywhere(session, session.origin.actor, found.id, "operator")

    with_session(work)
    click.echo(f"{user} is signed out everywhere within five seconds.")


def add_service(name: str, role: tuple[str, ...]) -> None:
    user = with_session(lambda session: add_service_account(session, session.origin.actor, name, role))
    click.echo(f"{user.email} is there; give it a token with `todo service-accounts token {name} --scope tasks.view`.")


def add_token(name: str, scope: tuple[str, ...], days: int) -> None:
    async def work(session: WriteSession) -> str:
        user = await roles.find_user(session, f"{name}@service.invalid")
        data = TokenIn(name=name, scopes=list(scope), expires_in_days=days)
        return (await add_service_token(session, session.origin.actor, user.id, data)).token

    click.echo(f"{with_session(work)}   (shown once: keep it)")
