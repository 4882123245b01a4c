"""What the worker does for accounts."""

from datetime import timedelta

from todo.access import WORKER
from todo.domain.accounts.services.housekeeping import forget_ended
from todo.domain.accounts.services.key_rotation import KeyService
from todo.domain.accounts.services.leaving import erase_due
from todo.queue import Context, Cron, job_origin, job_session
from todo.settings import secret_key


async def erase_leaving_accounts(context: Context) -> None:
    """Erase the accounts whose days of grace are over."""
    await erase_due(context["database"], job_origin(context))


async def forget_what_has_ended(context: Context) -> None:
    """Delete sessions, refresh tokens, retired keys, mailed tokens and invitations that are worth nothing any more."""
    await forget_ended(context["database"], job_origin(context))


async def rotate_signing_keys(context: Context) -> None:
    """Let the next key sign access tokens when the present one has signed for `TODO_SIGNING_KEY_DAYS`."""
    settings = context["database"].settings
    if settings.signing_key_days:
        async with job_session(context) as session:
            keys = KeyService(session, WORKER, secret_key(settings))
            await keys.rotate_when_old(timedelta(days=settings.signing_key_days))


CRONS = [
    Cron(rotate_signing_keys, "11 3 * * *"),
    Cron(erase_leaving_accounts, "*/10 * * * *"),
    Cron(forget_what_has_ended, "41 * * * *", timeout=600),
]
