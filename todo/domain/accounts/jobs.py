"""Scheduled jobs of accounts."""

from datetime import timedelta

from todo.access import WORKER
from todo.domain.accounts.services.housekeeping import delete_ended
from todo.domain.accounts.services.key_rotation import KeyService
from todo.domain.accounts.services.quotas import sum_up
from todo.queue import Context, Cron, job_origin, job_session
from todo.settings import secret_key


async def delete_ended_credentials(context: Context) -> None:
    """Delete ended sessions, expired tokens of all kinds, retired keys and invitations."""
    await delete_ended(context["database"], job_origin(context))


async def rotate_signing_keys(context: Context) -> None:
    """Rotate the signing key when it is older than `TODO_SIGNING_KEY_DAYS`."""
    settings = context["database"].settings
    if settings.signing_key_days:
        async with job_session(context) as session:
            keys = KeyService(session, WORKER, secret_key(settings))
            await keys.rotate_when_old(timedelta(days=settings.signing_key_days))


async def sum_up_usage(context: Context) -> None:
    """Sum up what users store where it has changed often."""
    await sum_up(context["database"])


CRONS = [
    Cron(rotate_signing_keys, "11 3 * * *"),
    Cron(sum_up_usage, "29 * * * *", timeout=600),
    Cron(delete_ended_credentials, "41 * * * *", timeout=600),
]
