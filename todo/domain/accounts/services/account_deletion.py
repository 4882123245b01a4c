"""Account deletion: scheduled, cancelable for some days, then the account is erased."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, func, literal, select, update

from todo.access import Actor, Origin
from todo.audit import Event, record
from todo.cleanup import BATCH_SECONDS, in_batches
from todo.contention import retry
from todo.database import Database, Query, WriteSession, columns, now
from todo.delivery.email import send_email
from todo.delivery.models import DELIVERY, Delivery
from todo.domain.accounts.models import (
    INVITATION,
    PERSONAL_TOKEN,
    USER,
    Invitation,
    PersonalToken,
    User,
)
from todo.domain.accounts.services.credentials import revoke_credentials
from todo.domain.accounts.services.roles import require_another_superuser
from todo.domain.accounts.services.users import AccountService
from todo.erasure import erase_events, erase_some, events_of
from todo.settings import Settings

log = logging.getLogger(__name__)

ERASED = "erased person"
EVENT = columns(Event)
OVER: ColumnElement[bool] = and_(USER.status == "leaving", USER.deletion_at <= func.now())
DUE = Query(lambda user_id: user_id, select(USER.id).where(OVER).order_by(USER.deletion_at).limit(100))

Before = Callable[[WriteSession, UUID, str], Awaitable[None]]  # is given the user and their address


async def _nothing(_: WriteSession, __: UUID, ___: str) -> None:
    """For users who own nothing that others use."""


async def leave(session: WriteSession, settings: Settings, actor: Actor) -> datetime:
    """Schedule the deletion of a reauthenticated user's account. Return when it is erased.

    All credentials except the password are revoked: signing in with it cancels the deletion. Raise Conflict for the
    last superuser.
    """
    people = AccountService(session, actor)
    user = await people.locked(USER.id == actor.user_id)
    await require_another_superuser(session, actor.user_id)
    deletion_at = now() + timedelta(days=settings.deletion_days)
    await people.update({"status": "leaving", "deletion_at": deletion_at}, user, action="accounts.leave")
    await revoke_credentials(session, actor, user.id, "leaving")
    live = (PERSONAL_TOKEN.user_id == user.id, PERSONAL_TOKEN.revoked_at.is_(None))
    await session.execute(update(PersonalToken).where(*live).values(revoked_at=func.now()))
    text = f"Your account is closed and will be erased after {deletion_at:%Y-%m-%d %H:%M} UTC with all its data."
    await send_email(session, user.email, "Your account will be erased", text, "To keep it, sign in before then.")
    return deletion_at


async def cancel_deletion(session: WriteSession, user: User) -> bool:
    """Cancel a scheduled deletion at sign-in. Return False when there is none, or when it is already due."""
    session.origin = session.origin.by(Actor(id=user.id, name=user.email))
    people = AccountService(session, session.origin.actor)
    row = await people.get_one_or_none(USER.id == user.id, USER.status == "leaving", ~OVER, with_for_update=True)
    if row is None:
        return False
    await people.update({"status": "active", "deletion_at": None}, row, action="accounts.cancel_deletion")
    return True


async def erase_due(database: Database, origin: Origin, before: Before = _nothing) -> None:
    """Erase all accounts that are due, each in its own transaction, in which `before` is called first."""
    for user_id in await database.reads.all(DUE):
        try:
            await _erase_events(database, user_id)
            await retry(partial(_erase_one, database, origin, user_id, before))
        except Exception:
            log.exception("account %s cannot be erased", user_id)


async def _erase_one(database: Database, origin: Origin, user_id: UUID, before: Before) -> None:
    async with database.session(origin) as session:
        await erase(session, user_id, before)


async def _erase_events(database: Database, user_id: UUID) -> None:
    """Erase most events of a user in batches that commit separately: there can be millions."""
    due = exists().where(USER.id == bindparam("user"), OVER)
    for condition in events_of(bindparam("user", type_=USER.id.type)):
        query = erase_some(condition, due)

        async def some(limit: int, query: Query[int] = query) -> int:
            return await database.primary.one_within(query, BATCH_SECONDS, limit=limit, user=user_id)

        await in_batches(some)


async def erase(session: WriteSession, user_id: UUID, before: Before = _nothing) -> None:
    """Delete a user with all data if the deletion is due and was not canceled.

    The audit log remains, without names, values, reasons and addresses.
    """
    email = await session.scalar(select(USER.email).where(USER.id == user_id, OVER).with_for_update())
    if email is None:
        return
    await before(session, user_id, email)
    invitations = delete(Invitation).where(INVITATION.email == email).returning(INVITATION.id)
    ids = (await session.scalars(invitations)).all()
    await session.execute(update(Event).where(EVENT.actor_id == user_id).values(actor=ERASED))
    await erase_events(session, EVENT.subject == "invitations", EVENT.subject_id.in_(ids))
    for condition in events_of(literal(user_id)):
        await erase_events(session, condition)
    await session.execute(delete(Delivery).where(DELIVERY.recipient == email))
    await session.execute(delete(User).where(USER.id == user_id))
    await record(session, "accounts.erase", "users", subject_id=user_id)
