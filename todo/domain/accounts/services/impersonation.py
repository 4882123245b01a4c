"""Impersonation: an operator acts as another user for an hour, with a reason, read-only by default."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from todo.access import Actor
from todo.actions import PERMISSIONS, Permission
from todo.admin.declaration import ENTER
from todo.audit import record
from todo.database import WriteSession, now
from todo.domain.accounts import rules
from todo.domain.accounts.models import SESSION
from todo.domain.accounts.services.authentication import actor_of
from todo.domain.accounts.services.sessions import SessionService
from todo.errors import Conflict, Forbidden, NotFound

IMPERSONATE: Permission = "users.impersonate"
LONGEST = timedelta(hours=1)
LOOKING = frozenset({"view", "export", "all", "enter"})  # verbs that change nothing
OVER: Mapping[str, Any] = {"acting_as": None, "acting_until": None, "acting_writes": False}


def acting(operator: Actor, person: Actor, *, writes: bool) -> Actor:
    """Return the user as actor with the operator behind it. Raise Forbidden when that is not allowed.

    Impersonation grants no power: users with permissions that neither the operator nor a member has cannot be
    impersonated, and credentials cannot be changed. The operator's access to the admin is kept.
    """
    if not operator.may(IMPERSONATE):
        raise Forbidden(f"This needs the permission {IMPERSONATE}.", slug="permission-required")
    if operator.by is not None or operator.id == person.id:
        raise Forbidden("You can impersonate one other user at a time.")
    if not rules.covers(operator, person.permissions):
        raise Forbidden("This user has permissions that you do not have.", slug="cannot-grant")
    permissions = frozenset(name for name in PERMISSIONS if _may_be_used(name, writes))
    return replace(person, permissions=person.permissions | {ENTER}, scopes=permissions, amr=operator.amr, by=operator)


def _may_be_used(permission: str, writes: bool) -> bool:
    module, _, verb = permission.partition(".")
    return module != "accounts" and permission != IMPERSONATE and (writes or verb in LOOKING)


async def person_to_act_as(session: WriteSession, operator: Actor, user_id: UUID, *, writes: bool = False) -> Actor:
    """Return the user to impersonate. Raise NotFound when missing or inactive, Forbidden when not allowed."""
    person = await actor_of(session, user_id)
    if person is None:
        raise NotFound("No active user has this id.")
    return acting(operator, person, writes=writes)


async def begin(session: WriteSession, operator: Actor, user_id: UUID, reason: str, *, writes: bool) -> Actor:
    """Start to impersonate in the operator's browser session. Raise NotFound or Forbidden."""
    person = await person_to_act_as(session, operator, user_id, writes=writes)
    sessions = SessionService(session, operator)
    row = await sessions.locked(SESSION.id == operator.session_id, SESSION.revoked_at.is_(None))
    values = {"acting_as": user_id, "acting_until": now() + LONGEST, "acting_writes": writes}
    await sessions.update(values, row, action="sessions.impersonate", reason=reason)
    after = {"until": values["acting_until"], "writes": writes}
    await record(session, IMPERSONATE, "users", subject_id=user_id, after=after, reason=reason)
    return person


async def end(session: WriteSession, operator: Actor) -> None:
    """Stop impersonating. Raise Conflict when not impersonating."""
    sessions = SessionService(session, operator)
    row = await sessions.locked(SESSION.id == operator.session_id)
    if row.acting_as is None:
        raise Conflict("You are not impersonating anyone.", slug="not-impersonating")
    await record(session, "users.impersonate_end", "users", subject_id=row.acting_as)
    await sessions.update(OVER, row, action="sessions.impersonate_end")
