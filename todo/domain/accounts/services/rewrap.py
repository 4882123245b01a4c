"""Encrypting stored secrets again after a change of `TODO_SECRET_KEY`."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select, update

from todo.audit import record
from todo.database import Database, Query, WriteSession, table_of
from todo.domain.accounts.models import KEY, TOTP, SigningKey, Totp
from todo.domain.accounts.services.codes import purpose_of
from todo.domain.accounts.services.encryption import rewrapped
from todo.domain.accounts.services.keys import PRIVATE_KEYS
from todo.settings import SecretKey

BATCH = 1000  # authenticator apps locked and written at once
FIRST = UUID(int=0)
KEYS, APPS = table_of(SigningKey), table_of(Totp)
ALL_KEYS = Query(bytes, select(KEY.private_key))
NEXT_APPS = (
    select(TOTP.user_id, TOTP.secret)
    .where(TOTP.user_id > bindparam("after"))
    .order_by(TOTP.user_id)
    .limit(bindparam("limit"))
)
SOME_APPS = Query(lambda user_id, stored: (user_id, stored), NEXT_APPS)


@dataclass(frozen=True)
class Secrets:
    """Numbers of secrets in the database."""

    signing_keys: int = 0
    authenticator_apps: int = 0

    def __str__(self) -> str:
        return f"{self.signing_keys} signing keys and {self.authenticator_apps} authenticator apps"


async def rewrap(session: WriteSession, secret: SecretKey) -> Secrets:
    """Encrypt with the current key what only a former key decrypts. The caller holds the lock of signing keys.

    Raise SettingsError when a secret fits none of the keys.
    """
    count = 0
    for kid, stored in (await session.execute(select(KEY.id, KEY.private_key).with_for_update())).all():
        if wrapped := rewrapped(stored, secret, PRIVATE_KEYS):
            await session.execute(update(KEYS).where(KEYS.c.id == kid).values(private_key=wrapped))
            count += 1
    done = Secrets(count, await _rewrap_apps(session, secret))
    counts = {"signing_keys": done.signing_keys, "authenticator_apps": done.authenticator_apps}
    await record(session, "signing_keys.rewrap", "signing_keys", after=counts)
    return done


async def _rewrap_apps(session: WriteSession, secret: SecretKey) -> int:
    count, after = 0, FIRST
    write = update(APPS).where(APPS.c.user_id == bindparam("id")).values(secret=bindparam("wrapped"))
    while rows := (await session.execute(NEXT_APPS.with_for_update(), {"after": after, "limit": BATCH})).all():
        wrapped = [
            {"id": user_id, "wrapped": again}
            for user_id, stored in rows
            if (again := rewrapped(stored, secret, purpose_of(user_id)))
        ]
        if wrapped:
            await session.execute(write, wrapped)
        count, after = count + len(wrapped), rows[-1][0]
    return count


async def outdated(database: Database, secret: SecretKey) -> Secrets:
    """Count the secrets that only a former key decrypts. Raise SettingsError when one fits none of the keys."""
    if not secret.former:
        return Secrets()
    keys = sum(rewrapped(stored, secret, PRIVATE_KEYS) is not None for stored in await database.primary.all(ALL_KEYS))
    apps, after = 0, FIRST
    while rows := await database.primary.all(SOME_APPS, after=after, limit=BATCH):
        apps += sum(rewrapped(stored, secret, purpose_of(user_id)) is not None for user_id, stored in rows)
        after = rows[-1][0]
    return Secrets(keys, apps)
