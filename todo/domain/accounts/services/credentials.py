"""Revoking credentials, for every change after which existing credentials must stop working."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, select, update

from todo.access import Actor
from todo.audit import record
from todo.database import WriteSession, table_of
from todo.domain.accounts.models import EMAIL_TOKEN, MFA_TOKEN, TOTP, USER, EmailToken, MfaToken, Totp, User
from todo.domain.accounts.services.remembered import forget
from todo.domain.accounts.services.sessions import SessionService


class Authentication(NamedTuple):
    """An authenticated user, the methods (RFC 8176), and the account's `credential_version` at that time.

    `mfa_token` is the hash of the token of the first step, if there were two.
    """

    user_id: UUID
    amr: tuple[str, ...]
    credential_version: int
    mfa_token: bytes | None = None


async def revoke_credentials(
    session: WriteSession, actor: Actor, user_id: UUID, reason: str, *, but: UUID | None = None
) -> None:
    """Revoke everything issued so far that could still sign in, as part of the caller's change.

    This covers e-mailed links, sign-ins in progress or waiting for a second factor, unconfirmed authenticator apps, and
    all sessions except `but`, which store the `reason`. Personal access tokens stay. Locks the account first.
    """
    users = table_of(User)
    ended = update(users).where(users.c.id == user_id)
    await session.execute(ended.values(credential_version=users.c.credential_version + 1))
    await session.execute(delete(EmailToken).where(EMAIL_TOKEN.user_id == user_id))
    await session.execute(delete(MfaToken).where(MFA_TOKEN.user_id == user_id))
    await session.execute(delete(Totp).where(TOTP.user_id == user_id, TOTP.confirmed_at.is_(None)))
    await SessionService(session, actor).revoke_all(user_id, reason, but=but)
    forget(session)


async def sign_out_everywhere(session: WriteSession, actor: Actor, user_id: UUID, reason: str) -> None:
    """Sign out every device and revoke issued credentials; audited."""
    await revoke_credentials(session, actor, user_id, reason)
    await record(session, "users.sign_out", "users", subject_id=user_id)


async def is_current(session: WriteSession, user_id: UUID, credential_version: int) -> bool:
    """Lock the account. Return whether no credentials were revoked since this version."""
    account = select(USER.credential_version).where(USER.id == user_id).with_for_update(key_share=True)
    return await session.scalar(account) == credential_version
