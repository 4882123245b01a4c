"""`todo service-accounts token`."""

import rich_click as click

from todo.cli.installation import with_session
from todo.database import WriteSession
from todo.domain.accounts.schemas.personal_tokens import TokenIn
from todo.domain.accounts.services import roles
from todo.domain.accounts.services.service_accounts import add_service_token


@click.command()
@click.argument("name")
@click.option("--scope", multiple=True, required=True, help="A permission the token may use; may be repeated.")
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="How long it is valid.")
def token(name: str, scope: tuple[str, ...], days: int) -> None:
    """Make a token for a service account.

    It is shown once.

    Example:

        todo service-accounts token backup-robot --scope tasks.view
    """

    async def work(session: WriteSession) -> str:
        user = await roles.find_user(session, f"{name}@service.invalid")
        data = TokenIn(name=name, scopes=list(scope), expires_in_days=days)
        return (await add_service_token(session, session.origin.actor, user.id, data)).token

    click.echo(f"{with_session(work)}   (shown once: keep it)")
