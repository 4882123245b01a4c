"""An operator acts as somebody else: for an hour, for a reason, only looking unless they ask for more."""

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
    """The person with the operator behind them; raises Forbidden when the operator may not act as them.

    Nobody gains power by it: whoever may do more than the operator, and more than a member, is out of reach, and so is
    everything by which people sign in. The operator's leave to enter the admin is lent to the person.
    """
    if not operator.may(IMPERSONATE):
        raise Forbidden(f"This needs the permission {IMPERSONATE}.")
    if operator.by is not None or operator.id == person.id:
        raise Forbidden("You can act as somebody else, as yourself, and as one at a time.")
    if not rules.covers(operator, person.permissions):
        raise Forbidden("They may do more than you may.")
    permissions = frozenset(name for name in PERMISSIONS if _may_be_used(name, writes))
    return replace(person, permissions=person.permissions | {ENTER}, scopes=permissions, amr=operator.amr, by=operator)


def _may_be_used(permission: str, writes: bool) -> bool:
    module, _, verb = permission.partition(".")
    return module != "accounts" and permission != IMPERSONATE and (writes or verb in LOOKING)


async def person_to_act_as(session: WriteSession, operator: Actor, user_id: UUID, *, writes: bool = False) -> Actor:
    """Raises NotFound for who is not there or not active, Forbidden for who is out of reach."""
    person = await actor_of(session, user_id)
    if person is None:
        raise NotFound("There is no such person, or their account is not active.")
    return acting(operator, person, writes=writes)


async def begin(session: WriteSession, operator: Actor, user_id: UUID, reason: str, *, writes: bool) -> Actor:
    """Act as somebody in the browser session this operator is in; raises NotFound, Forbidden."""
    person = await person_to_act_as(session, operator, user_id, writes=writes)
    sessions = SessionService(session, operator, "")
    row = await sessions.locked(SESSION.id == operator.session_id, SESSION.revoked_at.is_(None))
    values = {"acting_as": user_id, "acting_until": now() + LONGEST, "acting_writes": writes}
    await sessions.update(values, row, action="sessions.impersonate", reason=reason)
    after = {"until": values["acting_until"], "writes": writes}
    await record(session, IMPERSONATE, "users", subject_id=user_id, after=after, reason=reason)
    return person


async def end(session: WriteSession, operator: Actor) -> None:
    """Be oneself again; raises Conflict for who is."""
    sessions = SessionService(session, operator, "")
    row = await sessions.locked(SESSION.id == operator.session_id)
    if row.acting_as is None:
        raise Conflict("You act as yourself.")
    await record(session, "users.impersonate_end", "users", subject_id=row.acting_as)
    await sessions.update(OVER, row, action="sessions.impersonate_end")
