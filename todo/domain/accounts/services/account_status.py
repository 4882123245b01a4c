"""Disabling and enabling accounts."""

from uuid import UUID

from todo.access import Actor
from todo.database import WriteSession
from todo.domain.accounts.models import USER
from todo.domain.accounts.services.credentials import revoke_credentials
from todo.domain.accounts.services.roles import require_another_superuser, require_no_escalation
from todo.domain.accounts.services.users import AccountService


async def disable(session: WriteSession, actor: Actor, user_id: UUID) -> None:
    """Disable an account: all credentials stop working within seconds. Raise NotFound, Conflict or Forbidden."""
    user = await AccountService(session, actor).locked(USER.id == user_id)
    await require_no_escalation(session, actor, user_id)
    await require_another_superuser(session, user_id)
    await AccountService(session, actor).update({"status": "disabled"}, user, action="users.disable")
    await revoke_credentials(session, actor, user_id, "disabled")


async def enable(session: WriteSession, actor: Actor, user_id: UUID) -> None:
    """Enable an account. Raise NotFound or Forbidden."""
    people = AccountService(session, actor)
    user = await people.locked(USER.id == user_id)
    await require_no_escalation(session, actor, user_id)
    await people.update({"status": "active", "deletion_at": None}, user, action="users.enable")
