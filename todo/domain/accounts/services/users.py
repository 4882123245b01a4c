"""Users and their roles."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from todo.actions import Action
from todo.audit import AuditedService, record
from todo.database import WriteSession, now
from todo.domain.accounts import rules
from todo.domain.accounts.models import ROLE, USER, USER_ROLE, Role, User, UserRole
from todo.domain.accounts.schemas.users import MePatch, Registration
from todo.domain.accounts.services.key_rotation import LOCK, KeyService
from todo.email_address import normalize_email
from todo.errors import Invalid, Stale
from todo.queue import enqueue
from todo.settings import SecretKey


class AccountService(AuditedService[User], model=User):
    """Users and their roles, in the caller's transaction."""

    async def register(self, data: Registration, password_hash: str, *roles: str) -> User | None:
        """Store a new user with these roles (default: `member`). Return None when the address is taken."""
        user = User(
            email=normalize_email(data.email), name=data.name, timezone=data.timezone, password_hash=password_hash
        )
        values = user.model_dump()
        added = await self.session.execute(upsert(User).values(values).on_conflict_do_nothing().returning(USER.id))
        if added.first() is None:
            # Also so that a taken address costs a write, like a free one.
            await record(self.session, "accounts.register_refused", "users")
            return None
        names = roles or (rules.MEMBER,)
        await self.session.execute(
            upsert(UserRole).from_select(
                ["user_id", "role_id"], select(literal(user.id), ROLE.id).where(ROLE.name.in_(names))
            )
        )
        after = values | {"password_hash": "***", "roles": names}
        await record(self.session, "accounts.register", "users", subject_id=user.id, after=after)
        return user

    async def change_own(self, data: MePatch, if_match: frozenset[int] | None) -> None:
        """Change the actor's own account. Raise Invalid or Stale."""
        user = await self.locked(USER.id == self.actor.user_id)
        if if_match is not None and user.version not in if_match:
            raise Stale({"version": user.version, "name": user.name, "timezone": user.timezone})
        await self.change_person(user, data.sent(), "accounts.change")

    async def change_person(self, user: User, values: Mapping[str, Any], action: Action) -> None:
        """Change name or time zone of a locked account; the worker moves floating dates. Raise Invalid."""
        if values.get("timezone", user.timezone) not in rules.TIMEZONES:
            raise Invalid.field("body.timezone", "Unknown time zone. Use an IANA name such as Europe/Berlin.")
        if values.get("timezone", user.timezone) != user.timezone:
            # Waits for transactions that store a due date in the old zone, and blocks new ones until the commit.
            await self.session.execute(select(USER.id).where(USER.id == user.id).with_for_update())
            user.timezone_pending_since = now()
            await enqueue(self.session, "follow_timezones")
        await self.update(values, user, action=action)

    async def prepare(self, secret: SecretKey) -> None:
        """Create the initial roles and a signing key. Safe to repeat."""
        await self.session.execute(select(func.pg_advisory_xact_lock(LOCK)))
        for name, permissions in rules.GRANTS.items():
            role = Role(name=name, permissions=sorted(permissions))
            insert = upsert(Role).values(role.model_dump())
            # Roles edited by operators (version > 1) are kept; the others are updated from the code.
            follow = insert.on_conflict_do_update(
                index_elements=["name"], set_={"permissions": role.permissions}, where=ROLE.version == 1
            )
            await self.session.execute(follow)
        await KeyService(self.session, self.actor, secret).prepare()


async def superusers(session: WriteSession) -> list[str]:
    """Return the addresses of the users with the superuser role, the oldest first."""
    holders = select(USER.email).join(UserRole, USER_ROLE.user_id == USER.id).join(Role, USER_ROLE.role_id == ROLE.id)
    return list(await session.scalars(holders.where(ROLE.name == rules.SUPERUSER).order_by(USER.status, USER.id)))
