"""Tokens between the two steps of a sign-in: valid for five minutes, for the second step only, once."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import LargeBinary, bindparam, delete, select

from todo.database import Database, Query, WriteSession, now
from todo.domain.accounts.models import MFA_TOKEN, MfaToken
from todo.domain.accounts.services.credentials import Authentication
from todo.errors import Unauthorized

LIFETIME = timedelta(minutes=5)


class Stored(NamedTuple):
    """A token as stored."""

    user_id: UUID
    credential_version: int
    expires_at: datetime


STORED = Query(
    Stored,
    select(MFA_TOKEN.user_id, MFA_TOKEN.credential_version, MFA_TOKEN.expires_at).where(
        MFA_TOKEN.hash == bindparam("hash", type_=LargeBinary())
    ),
)


async def issue(session: WriteSession, user_id: UUID, credential_version: int) -> str:
    """Issue a token to a user whose password was correct."""
    token = secrets.token_urlsafe(32)
    session.add(
        MfaToken(
            hash=_hash(token),
            user_id=user_id,
            credential_version=credential_version,
            expires_at=now() + LIFETIME,
        )
    )
    return token


async def first_step(database: Database, token: str) -> Authentication:
    """Return the first step of a token, without using it up. Raise Unauthorized."""
    hashed = _hash(token)
    found = await database.primary.one_or_none(STORED, hash=hashed)
    if found is None:
        raise Unauthorized("Sign in with your password first.", error="invalid_token", slug="sign-in-expired")
    if found.expires_at <= now():
        raise Unauthorized(
            "The sign-in has expired. Sign in with your password again.", error="invalid_token", slug="sign-in-expired"
        )
    return Authentication(found.user_id, ("pwd",), found.credential_version, hashed)


async def use(session: WriteSession, hashed: bytes) -> bool:
    """Use a token up. Return False when it was already used or revoked."""
    used = delete(MfaToken).where(MFA_TOKEN.hash == hashed).returning(MFA_TOKEN.hash)
    return (await session.execute(used)).first() is not None


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
