"""What the worker does for accounts."""

from todo.domain.accounts.services.leaving import erase_due
from todo.queue import Context, Cron


async def erase_leaving_accounts(context: Context) -> None:
    """Erase the accounts whose days of grace are over."""
    await erase_due(context["database"])


JOBS = [Cron(erase_leaving_accounts, "*/10 * * * *")]
