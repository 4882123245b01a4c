"""Codes of authenticator apps (TOTP, RFC 6238) and recovery codes. Each works once."""

import base64
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pyotp
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import func, select, update

from todo.actions import Action
from todo.audit import Event, record
from todo.database import WriteSession, columns, now, table_of
from todo.domain.accounts.models import TOTP, USER, RecoveryCode, Totp
from todo.domain.accounts.services.email_tokens import notify
from todo.domain.accounts.services.encryption import decrypt
from todo.settings import SecretKey

TOTPS, CODES = table_of(Totp), table_of(RecoveryCode)


REPORTED = 10  # wrong codes within a day after which the user is notified
WRONG = ("accounts.code_refused", "accounts.reauthentication_failed")
EVENT = columns(Event)


async def note_wrong(session: WriteSession, action: Action, user_id: UUID) -> None:
    """Record a wrong code or password. After the tenth within a day, notify the user by e-mail."""
    account = select(USER.email).where(USER.id == user_id).with_for_update(key_share=True)  # serializes the count
    email = await session.scalar(account)
    await record(session, action, "users", subject_id=user_id)
    of_today = EVENT.subject == "users", EVENT.subject_id == user_id, EVENT.at > now() - timedelta(days=1)
    wrong = select(func.count()).select_from(Event).where(*of_today, EVENT.action.in_(WRONG))
    if email is not None and await session.scalar(wrong) == REPORTED:
        text = f"{REPORTED} wrong codes or passwords were tried within a day, by somebody who had a part of them right."
        await notify(session, email, "Somebody tries to guess your code", text)


async def check_second_factor(
    session: WriteSession, user_id: UUID, code: str, at: datetime, secret: SecretKey
) -> str | None:
    """Check a code and mark it as used. Return "otp", "recovery", or None for a wrong code."""
    plain = plain_code(code)
    stored = await session.scalar(select(TOTP.secret).where(*confirmed(user_id)))
    if stored is None:
        return None
    step = matching_step(decrypt(stored, secret, purpose_of(user_id)), plain, at)
    if step is not None and await use_step(session, step, *confirmed(user_id)):
        return "otp"
    unused = CODES.c.user_id == user_id, CODES.c.hash == hash_of(plain), CODES.c.used_at.is_(None)
    used = await session.execute(update(CODES).where(*unused).values(used_at=at).returning(CODES.c.user_id))
    return "recovery" if used.first() else None


def codes_key(user_id: UUID, credential_version: int) -> str:
    """Return the rate limit key for codes. A new limit begins when credentials (the password) are revoked."""
    return f"codes of {user_id} {credential_version}"


def new_recovery_code() -> str:
    """Return 80 random bits as four groups that can be read aloud."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def plain_code(code: str) -> str:
    """Normalize a recovery code: ignore separators and case."""
    return "".join(filter(str.isalnum, code)).lower()


def matching_step(secret: bytes, code: str, at: datetime) -> int | None:
    """Return the 30-second step of this code: the current one, or the step before or after."""
    try:
        return pyotp.TOTP(secret.decode()).verify_and_get_timecode(code, for_time=at, valid_window=1)
    except OTPVerificationError:
        return None


async def use_step(session: WriteSession, step: int, *where: Any, **values: Any) -> bool:
    """Mark a step as used. Return False when it or a later one was used before."""
    later = update(TOTPS).where(*where, TOTPS.c.last_step < step).values(last_step=step, **values)
    return (await session.execute(later.returning(TOTPS.c.user_id))).first() is not None


def confirmed(user_id: UUID) -> tuple[Any, Any]:
    return TOTP.user_id == user_id, TOTP.confirmed_at.is_not(None)


def purpose_of(user_id: UUID) -> str:
    return f"authenticator app of {user_id}"


def hash_of(plain: str) -> bytes:
    return sha256(plain.encode()).digest()
