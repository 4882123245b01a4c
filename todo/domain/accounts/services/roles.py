"""Granting and revoking roles. Actors can only grant permissions they have."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from todo.access import EVERYTHING, Actor
from todo.actions import PERMISSIONS
from todo.audit import record
from todo.database import WriteSession
from todo.domain.accounts import rules
from todo.domain.accounts.models import ROLE, USER, USER_ROLE, Role, User, UserRole
from todo.domain.accounts.services.users import AccountService
from todo.email_address import normalize_email
from todo.errors import Conflict, Forbidden, Invalid, NotFound


async def grant(session: WriteSession, actor: Actor, user_id: UUID, name: str) -> None:
    """Grant a role. Raise NotFound or Forbidden."""
    user = await AccountService(session, actor).locked(USER.id == user_id)
    role = await _role(session, actor, name)
    given = upsert(UserRole).values(user_id=user.id, role_id=role.id).on_conflict_do_nothing()
    if (await session.execute(given.returning(USER_ROLE.role_id))).first():
        await record(session, "users.grant_role", "users", subject_id=user_id, after={"role": name})


async def revoke(session: WriteSession, actor: Actor, user_id: UUID, name: str) -> None:
    """Remove a role. Raise NotFound, Forbidden, or Conflict for the last superuser."""
    await AccountService(session, actor).locked(USER.id == user_id)
    role = await _role(session, actor, name)
    if name == rules.SUPERUSER:
        await require_another_superuser(session, user_id)
    taken = delete(UserRole).where(USER_ROLE.user_id == user_id, USER_ROLE.role_id == role.id)
    if (await session.execute(taken.returning(USER_ROLE.role_id))).first() is None:
        raise NotFound(f"The user does not have the role {name}.")
    await record(session, "users.take_role", "users", subject_id=user_id, before={"role": name})


def require_givable(actor: Actor, permissions: Iterable[str]) -> None:
    """Raise Invalid for unknown permissions, and Forbidden for permissions that the actor lacks."""
    if unknown := sorted(set(permissions) - PERMISSIONS - {EVERYTHING}):
        raise Invalid.field("body.permissions", f"There is no permission {', '.join(unknown)}.")
    if not rules.covers(actor, permissions):
        raise Forbidden("You can only give or take permissions that you have.", slug="cannot-grant")


def require_editable(actor: Actor, role: Role, permissions: Iterable[str] = ()) -> None:
    """Raise Conflict for the superuser role, and Invalid or Forbidden for permissions that the actor cannot grant."""
    if role.name == rules.SUPERUSER:
        raise Conflict("The role superuser cannot be changed or deleted.", slug="protected")
    require_givable(actor, permissions)
    if not rules.covers(actor, role.permissions):
        raise Forbidden("You can only give or take permissions that you have.", slug="cannot-grant")


async def find_user(session: WriteSession, email: str) -> User:
    """Return the user with this address. Raise NotFound."""
    user: User | None = await session.scalar(select(User).where(USER.email == normalize_email(email)))
    if user is None:
        raise NotFound(f"No user has the address {email}.")
    return user


async def require_another_superuser(session: WriteSession, user_id: UUID) -> None:
    """Raise Conflict for the only active superuser. Concurrent calls wait until this transaction ends."""
    await session.execute(select(ROLE.id).where(ROLE.name == rules.SUPERUSER).with_for_update())
    holders = select(USER.id).join(UserRole, USER_ROLE.user_id == USER.id).join(Role, USER_ROLE.role_id == ROLE.id)
    active = await session.scalars(holders.where(ROLE.name == rules.SUPERUSER, USER.status == "active"))
    if set(active) == {user_id}:
        raise Conflict("This is the last superuser: give the role to another user first.", slug="last-superuser")


async def _role(session: WriteSession, actor: Actor, name: str) -> Role:
    # That of superusers as `require_another_superuser` locks it: two that hold it shared would wait for each other.
    query = select(Role).where(ROLE.name == name).with_for_update(read=name != rules.SUPERUSER)
    role: Role | None = await session.scalar(query)
    if role is None:
        raise NotFound(f"There is no role {name}.")
    if not rules.covers(actor, role.permissions):
        raise Forbidden("You can only give or take permissions that you have.", slug="cannot-grant")
    return role


async def require_no_escalation(session: WriteSession, actor: Actor, user_id: UUID) -> None:
    """Raise Forbidden when the user has permissions that the actor lacks."""
    held = select(Role).join(UserRole, USER_ROLE.role_id == ROLE.id).where(USER_ROLE.user_id == user_id)
    for role in (await session.scalars(held)).all():
        if not rules.covers(actor, role.permissions):
            raise Forbidden("This user has permissions that you do not have.", slug="cannot-grant")
