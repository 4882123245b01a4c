"""Provisioning: create accounts for users of identity providers on their first request."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from todo.access import Actor
from todo.actions import Action
from todo.audit import record
from todo.database import WriteSession, now
from todo.domain.accounts import rules
from todo.domain.accounts.models import ROLE, USER, Identity, User, UserRole
from todo.email_address import parse_email
from todo.errors import Unauthorized
from todo.setting_types import Issuer

LONGEST_NAME = 200


def claimed_email(claims: dict[str, Any]) -> tuple[str, bool]:
    """Return the normalized address ("" for none), and whether the issuer verified it.

    Only ASCII addresses count as verified: other letters may normalize to ASCII ones (KELVIN SIGN -> k).
    """
    claimed = claims.get("email")
    if not isinstance(claimed, str) or not claimed.isprintable():
        return "", False
    verified = claims.get("email_verified", claims.get("emailVerified")) is True
    email = parse_email(claimed) or ""
    return email, bool(email) and verified and claimed.isascii()


async def admit(session: WriteSession, issuer: Issuer, claims: dict[str, Any]) -> UUID:
    """Create an account, or link an existing one if configured. Raise Unauthorized if provisioning is off."""
    email, verified = claimed_email(claims)
    user_id = None
    action: Action = "accounts.link"
    if verified and issuer.link_by_verified_email:
        reauthenticated = USER.email == email, USER.email_verified_at.is_not(None), USER.kind == "person"
        user_id = await session.scalar(select(USER.id).where(*reauthenticated))
    if user_id is None:
        if not issuer.auto_provision:
            raise Unauthorized("No account exists for this token.", error="invalid_token", slug="no-account")
        user_id, action = await provision(session, issuer, claims, email if verified else ""), "accounts.provision"
    identity = Identity(user_id=user_id, issuer=issuer.issuer, subject=claims["sub"], email=email)
    session.add(identity)
    after = {"issuer": identity.issuer, "subject": identity.subject, "email": email}
    session.origin = session.origin.by(Actor(user_id, email or identity.subject))
    await record(session, action, "users", subject_id=user_id, after=after)
    return user_id


async def provision(session: WriteSession, issuer: Issuer, claims: dict[str, Any], email: str) -> UUID:
    """Create a member without a password. When the address is taken, the new account gets a placeholder address.

    The address counts as verified only if the operator trusts the issuer's verification.
    """
    name = claims.get("name")
    shown = "".join(filter(str.isprintable, name))[:LONGEST_NAME] if isinstance(name, str) else ""
    user = User(email=email, name=shown, email_verified_at=now() if email and issuer.link_by_verified_email else None)
    if not email or not await _insert(session, user):
        host = urlsplit(issuer.issuer).hostname or "issuer"
        user.email, user.email_verified_at = f"{user.id.hex}@{host}.invalid", None
        await _insert(session, user)
    member = select(literal(user.id), ROLE.id).where(ROLE.name == rules.MEMBER)
    await session.execute(upsert(UserRole).from_select(["user_id", "role_id"], member))
    return user.id


async def _insert(session: WriteSession, user: User) -> bool:
    added = await session.execute(upsert(User).values(user.model_dump()).on_conflict_do_nothing().returning(USER.id))
    return added.first() is not None
