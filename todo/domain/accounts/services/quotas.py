"""Quotas: how much a user may store. Triggers count and refuse (see the migration); this reads and sets the limits."""

from contextlib import suppress
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import bindparam, func, select, update

from todo.access import Actor
from todo.cleanup import BATCH_SECONDS
from todo.database import ACTOR, Database, Direct, Query, WriteSession, table_of
from todo.domain.accounts.models import QUOTA_DEFAULTS, USAGE, USER, QuotaDefaults
from todo.domain.accounts.schemas.usage import QuotaIn, UsageOut
from todo.domain.accounts.services.users import AccountService
from todo.errors import NotFound
from todo.settings import Settings

MEGABYTE = 1_000_000
MANY = 50  # rows of a user, after which they are summed up

OWN = Query(lambda usage: usage and msgspec.json.decode(usage, type=UsageOut), select(func.usage_of(ACTOR)))
DEFAULTS = Query(msgspec.json.decode, select(QUOTA_DEFAULTS.limits))
STORE = Query(
    lambda: None, update(table_of(QuotaDefaults)).values(limits=bindparam("limits", type_=QUOTA_DEFAULTS.limits.type))
)
_of_many = select(USAGE.user_id).group_by(USAGE.user_id).having(func.count() > MANY).subquery()
SUM_UP = Query(int, select(func.count(func.sum_up_usage(_of_many.c.user_id))))


async def read_usage(reads: Direct, actor: Actor) -> UsageOut:
    """Return what the actor stores, with the limits. Raise NotFound."""
    usage: UsageOut | None = await reads.one_or_none(OWN, actor=actor.user_id)
    if usage is None:
        raise NotFound
    return usage


async def set_quota(session: WriteSession, actor: Actor, user_id: UUID, data: QuotaIn) -> None:
    """Set a limit of one user, or return it to the default. What is stored already stays. Raise NotFound."""
    accounts = AccountService(session, actor)
    user = await accounts.locked(USER.id == user_id)
    others = {name: limit for name, limit in user.quotas.items() if name != data.resource}
    unit = MEGABYTE if data.resource == "storage" else 1
    own = {} if data.limit is None else {data.resource: data.limit * unit}
    await accounts.update({"quotas": others | own}, user, action="users.set_quota")


async def store_defaults(database: Database) -> None:
    """Hand the limits of the settings to the triggers. Every process does so at its start; equal ones write nothing.

    A database that is not migrated has no place for them: a server starts all the same, and is not ready.
    """
    limits = defaults_of(database.settings)
    with suppress(asyncpg.UndefinedTableError):
        if await database.primary.one_or_none(DEFAULTS) != limits:
            await database.primary.write(STORE, limits=limits)


def defaults_of(settings: Settings) -> dict[str, int]:
    """Return the limits by name, with storage in bytes."""
    return {
        "tasks": settings.quota_tasks,
        "series": settings.quota_series,
        "reminders": settings.quota_reminders,
        "tokens": settings.quota_tokens,
        "storage": settings.quota_storage_mb * MEGABYTE,
    }


async def sum_up(database: Database) -> int:
    """Replace the changes of users who have many by their sum; return how many users."""
    return await database.primary.one_within(SUM_UP, BATCH_SECONDS)
