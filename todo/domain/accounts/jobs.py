"""What the worker does for accounts."""

from todo.domain.accounts.services.housekeeping import forget_ended
from todo.domain.accounts.services.leaving import erase_due
from todo.queue import Context, Cron


async def erase_leaving_accounts(context: Context) -> None:
    """Erase the accounts whose days of grace are over."""
    await erase_due(context["database"])


async def forget_what_has_ended(context: Context) -> None:
    """Delete retired keys, sessions, mailed tokens and invitations that are worth nothing any more."""
    async with context["database"].session() as session:
        await forget_ended(session, context["database"].settings)


CRONS = [Cron(erase_leaving_accounts, "*/10 * * * *"), Cron(forget_what_has_ended, "41 * * * *")]
