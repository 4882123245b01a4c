"""Registration rules and invitations."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update

from todo.access import EVERYTHING
from todo.audit import AuditedService, record
from todo.database import WriteSession, now
from todo.delivery.email import send_email
from todo.domain.accounts import rules
from todo.domain.accounts.models import INVITATION, ROLE, USER, USER_ROLE, Invitation, User, UserRole
from todo.domain.accounts.schemas.email_tokens import InvitationOut, Invite
from todo.domain.accounts.schemas.users import Registration
from todo.domain.accounts.services.email_tokens import greet, hashed, link, new_secret
from todo.domain.accounts.services.users import AccountService
from todo.email_address import normalize_email, parse_email
from todo.errors import Conflict, Forbidden, Invalid
from todo.listing import Listing, Sort
from todo.settings import Settings

LASTS = timedelta(days=7)
_COLUMNS = ("id", "email", "roles", "invited_by", "created_at", "expires_at", "accepted_at")
INVITATIONS = Listing(
    InvitationOut,
    select(*(INVITATION[name] for name in _COLUMNS)),
    filters={},
    sorts={"id": Sort(INVITATION.id, UUID, lambda item: item.id)},
    default="-id",
)


class InvitationService(AuditedService[Invitation], model=Invitation):
    """Invitations, in the caller's transaction."""

    async def invite(self, settings: Settings, data: Invite) -> InvitationOut:
        """Send an invitation, which replaces an earlier one for the address.

        Raise Invalid, Forbidden for roles with permissions that the inviter lacks, or Conflict when registration is
        closed.
        """
        if settings.registration == "closed":
            raise Conflict("Registration is closed.", slug="invitations-closed")
        email, roles = parse_email(data.email), sorted(set(data.roles)) or [rules.MEMBER]
        if email is None:
            raise Invalid.field("body.email", "Enter a valid e-mail address.")
        needed = await _permissions_of(self.session, roles)
        if needed is None:
            raise Invalid.field("body.roles", "There is no such role.", "not_found")
        if not rules.covers(self.actor, needed):
            raise Forbidden("You can only give roles whose permissions you have.", slug="cannot-grant")
        return await self._send(settings, email, roles)

    async def _send(self, settings: Settings, email: str, roles: list[str]) -> InvitationOut:
        await self.session.execute(
            delete(Invitation).where(INVITATION.email == email, INVITATION.accepted_at.is_(None))
        )
        token = new_secret()
        invitation = Invitation(
            email=email, hash=hashed(token), roles=roles, invited_by=self.actor.id, expires_at=now() + LASTS
        )
        await self.create(invitation, action="invitations.add")
        text = "You are invited to create an account. The invitation is valid for seven days and for this address only:"
        await send_email(self.session, email, "You are invited", text, link=link(settings, "register", token))
        return InvitationOut(*(getattr(invitation, name) for name in _COLUMNS))

    async def withdraw(self, invitation_id: UUID) -> None:
        """Delete an invitation. Raise NotFound."""
        row = await self.locked(INVITATION.id == invitation_id)
        await self.session.execute(delete(Invitation).where(INVITATION.id == row.id))
        await record(
            self.session,
            "invitations.delete",
            "invitations",
            subject_id=row.id,
            before={"email": row.email},
        )


def check_admission(settings: Settings, data: Registration) -> None:
    """Reject a registration before hashing its password. Raise Forbidden."""
    if settings.registration == "closed":
        raise Forbidden("Registration is closed.", slug="registration-closed")
    if settings.registration == "invitation" and not data.invitation:
        raise Forbidden("Registration requires an invitation.", slug="invitation-required")


async def come_in(session: WriteSession, settings: Settings, data: Registration, password_hash: str) -> User | None:
    """Register a user and send an e-mail. Return None when the address is taken, after the same work.

    An invitation was received by e-mail, so it verifies the address.
    """
    check_admission(settings, data)
    roles = await _accept(session, data) if data.invitation else ()
    user = await AccountService(session, session.origin.actor).register(data, password_hash, *roles)
    if user is not None and data.invitation:
        await session.execute(update(User).where(USER.id == user.id).values(email_verified_at=func.now()))
        return user
    await greet(session, settings, data.email, user)
    return user


async def _accept(session: WriteSession, data: Registration) -> Sequence[str]:
    """Use an invitation once and return its roles. Raise Forbidden with the same message for every reason."""
    mine = (INVITATION.hash == hashed(data.invitation), INVITATION.email == normalize_email(data.email))
    good = (INVITATION.accepted_at.is_(None), INVITATION.expires_at > func.now())
    used = update(Invitation).where(*mine, *good).values(accepted_at=func.now(), version=INVITATION.version + 1)
    found = (await session.execute(used.returning(INVITATION.id, INVITATION.roles, INVITATION.invited_by))).first()
    if found is None or not await _may_still_give(session, found.invited_by, found.roles):
        raise Forbidden("The invitation was used, has expired, or is for another address.", slug="invalid-invitation")
    await record(session, "invitations.accept", "invitations", subject_id=found.id)
    roles: list[str] = found.roles
    return roles


async def _permissions_of(session: WriteSession, roles: Sequence[str]) -> set[str] | None:
    """Return the permissions of these roles beyond those of members, or None when a role does not exist."""
    found = (await session.execute(select(ROLE.name, ROLE.permissions).where(ROLE.name.in_(roles)))).all()
    if {name for name, _ in found} != set(roles):
        return None
    return _all(permissions for name, permissions in found if name != rules.MEMBER)


async def _may_still_give(session: WriteSession, inviter: UUID | None, roles: Sequence[str]) -> bool:
    """Return whether the inviter still has the permissions of these roles."""
    theirs = (
        select(ROLE.permissions).join(UserRole, USER_ROLE.role_id == ROLE.id).join(User, USER_ROLE.user_id == USER.id)
    )
    held = _all(await session.scalars(theirs.where(USER.id == inviter, USER.status == "active")))
    needed = await _permissions_of(session, roles)
    return needed is not None and (EVERYTHING in held or needed <= held)


def _all(lists: Iterable[Sequence[str]]) -> set[str]:
    return {permission for permissions in lists for permission in permissions}
