"""Service accounts: without password and e-mail, authenticated by tokens that operators create."""

import re
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, insert, select

from todo.access import Actor
from todo.audit import record
from todo.database import WriteSession
from todo.domain.accounts import rules
from todo.domain.accounts.models import PERMISSIONS_OF, ROLE, USER, Role, User, UserRole
from todo.domain.accounts.schemas.personal_tokens import TokenIn, TokenMade
from todo.domain.accounts.services.personal_tokens import TokenService
from todo.domain.accounts.services.users import AccountService
from todo.errors import Forbidden, Invalid, NotFound


async def add_service_account(session: WriteSession, actor: Actor, name: str, roles: Collection[str]) -> User:
    """Create a service account.

    Raise Invalid for the name or an unknown role, Forbidden for permissions the actor lacks.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        raise Invalid.field("body.name", "Use lowercase letters, digits and hyphens, such as backup-robot.")
    found = (await session.scalars(select(Role).where(ROLE.name.in_(roles)).with_for_update(read=True))).all()
    if unknown := set(roles) - {role.name for role in found}:
        raise Invalid.field("body.roles", f"There is no role {', '.join(sorted(unknown))}.")
    if not rules.covers(actor, (permission for role in found for permission in role.permissions)):
        raise Forbidden("You can only give roles whose permissions you have.", slug="cannot-grant")
    user = User(email=f"{name}@service.invalid", name=name, kind="service")
    await AccountService(session, actor).create(user, action="users.add_service_account")
    if found:
        await session.execute(insert(UserRole).values([{"user_id": user.id, "role_id": role.id} for role in found]))
    after = {"roles": sorted(role.name for role in found)}
    await record(session, "users.grant_role", "users", subject_id=user.id, after=after)
    return user


async def add_service_token(session: WriteSession, actor: Actor, user_id: UUID, data: TokenIn) -> TokenMade:
    """Create a token of a service account. Raise NotFound for other accounts, Invalid for scopes that either lacks."""
    live = USER.id == user_id, USER.kind == "service", USER.status == "active"
    found = await session.execute(
        select(USER.email, func.array(PERMISSIONS_OF.scalar_subquery())).select_from(User).where(*live)
    )
    row = found.first()
    if row is None:
        raise NotFound
    owner = Actor(id=user_id, name=row[0], kind="service", permissions=frozenset(row[1]))
    return await TokenService(session, actor).add(data, owner)
