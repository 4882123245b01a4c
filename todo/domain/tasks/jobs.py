"""What the worker does for tasks."""

from datetime import timedelta

from todo.cleanup import in_batches
from todo.database import Database
from todo.domain.accounts.services.account_deletion import erase_due
from todo.domain.tasks.services.owned_projects import before_erasure
from todo.domain.tasks.services.purging import purge
from todo.queue import Context, Cron, job_origin, job_session


async def empty_trash(context: Context) -> None:
    """Delete for good what has been in the trash for `TODO_TRASH_DAYS`, a thousand tasks a transaction."""
    database: Database = context["database"]

    async def empty_some(limit: int) -> int:
        async with job_session(context) as session:
            return await purge(session, timedelta(days=database.settings.trash_days), limit)

    await in_batches(empty_some)


async def erase_deleted_accounts(context: Context) -> None:
    """Erase the accounts whose deletion is due, and hand their shared projects over."""
    await erase_due(context["database"], job_origin(context), before_erasure)


CRONS = [Cron(empty_trash, "7 * * * *", timeout=600), Cron(erase_deleted_accounts, "*/10 * * * *")]
