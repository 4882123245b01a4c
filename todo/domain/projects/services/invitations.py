"""Invitations to share a project: made by those who may share it, accepted by who proves the address."""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession, now
from todo.delivery.email import send_email
from todo.domain.accounts.models import USER
from todo.domain.projects.guards import visible_to
from todo.domain.projects.models import MEMBER, PROJECT, PROJECT_INVITATION, Project, ProjectInvitation
from todo.domain.projects.queries import INVITATION_COLUMNS, offered_to, project_out, projects_of
from todo.domain.projects.rules import INVITATION_DAYS, MAX_INVITATIONS, MemberRole
from todo.domain.projects.schemas import ProjectInvitationIn, ProjectInvitationOut, ProjectOut
from todo.domain.projects.services.members import MemberService
from todo.domain.projects.services.projects import ProjectService
from todo.email_address import parse_email
from todo.errors import Conflict, Forbidden, Invalid, NotFound

INVITATION = PROJECT_INVITATION
LASTS = timedelta(days=INVITATION_DAYS)


class ProjectInvitationService(AuditedService[ProjectInvitation], model=ProjectInvitation):
    """Invitations on behalf of a person, inside the caller's transaction: of the actor, or of `person`."""

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None = None):
        super().__init__(session, actor)
        self.person = person or actor.user_id

    async def invite(self, project_id: UUID, data: ProjectInvitationIn) -> ProjectInvitationOut:
        """Invite an address or an account, which replaces an earlier invitation of it.

        Raises Invalid, NotFound, Forbidden, and Conflict for the inbox, an archived project and too many.
        """
        if (data.email is None) == (data.user_id is None):
            raise Invalid.field("body.email", "Give either `email` or `user_id`.")
        email = parse_email(data.email) if data.email is not None else None
        if data.email is not None and email is None:
            raise Invalid.field("body.email", "Enter a valid e-mail address.")
        project = await ProjectService(self.session, self.actor, self.person).locked_to_share(project_id)
        if data.user_id is not None:
            await self._check_person(project, data.user_id)
        invited = INVITATION.email == email if email else INVITATION.user_id == data.user_id
        await self._replace(project_id, invited)
        row = await self.create(
            ProjectInvitation(
                project_id=project_id, email=email, user_id=data.user_id, role=data.role, invited_by=self.person,
                expires_at=now() + LASTS,
            )
        )  # fmt: skip
        if email:
            await self._send(email, row)
        return ProjectInvitationOut(
            *(await self.session.execute(INVITATION_COLUMNS.where(INVITATION.id == row.id))).one()
        )

    async def withdraw(self, project_id: UUID, invitation_id: UUID) -> None:
        """Delete an invitation. Raises NotFound, Forbidden."""
        await ProjectService(self.session, self.actor, self.person).locked_for(project_id, "manage")
        await self.delete(await self.locked(INVITATION.id == invitation_id, INVITATION.project_id == project_id))

    async def accept(self, invitation_id: UUID) -> ProjectOut:
        """Make the actor a member. Raises NotFound, and Conflict when there are too many members."""
        mine = (INVITATION.id == invitation_id, *offered_to(self.person))
        found = (await self.session.execute(select(INVITATION.project_id, INVITATION.invited_by).where(*mine))).first()
        if found is None:
            raise NotFound
        members = MemberService(self.session, self.actor, found.invited_by)
        project = await members.projects.locked_for(found.project_id, "manage")
        # The address of the account stays what it is until the end of this transaction.
        await self.session.execute(
            select(USER.id).where(USER.id == self.person).with_for_update(read=True, key_share=True)
        )
        invitation = await self.locked(*mine)
        await self.delete(invitation, action="project_invitations.accept")
        await members.join(project, self.person, cast(MemberRole, invitation.role))
        return await project_out(self.session, self.person, project.id)

    async def decline(self, invitation_id: UUID) -> None:
        """Delete an invitation of the actor. Raises NotFound."""
        row = await self.locked(INVITATION.id == invitation_id, *offered_to(self.person))
        await self.delete(row, action="project_invitations.decline")

    async def _check_person(self, project: Project, user_id: UUID) -> None:
        """Raises Invalid unless this is a person whom the inviter can see, and who has no role in the project."""
        both = select(PROJECT.id).where(PROJECT.id.in_(projects_of(self.person)), visible_to(user_id))
        if await self.session.scalar(both.limit(1)) is None:
            raise Invalid.field("body.user_id", "There is no such person.", "not_found")
        member = select(MEMBER.id).where(MEMBER.project_id == project.id, MEMBER.user_id == user_id)
        if user_id == project.owner_id or await self.session.scalar(member):
            raise Invalid.field("body.user_id", "This person is a member of the project already.")

    async def _replace(self, project_id: UUID, invited: ColumnElement[bool]) -> None:
        """Delete an earlier invitation. Raises Conflict when the project has too many others."""
        here = INVITATION.project_id == project_id
        earlier: Any = select(ProjectInvitation).where(here, invited).with_for_update(key_share=True)
        if (row := await self.session.scalar(earlier)) is not None:
            await self.delete(row)
        number = await self.session.scalar(select(func.count()).where(here, INVITATION.expires_at > func.now()))
        if (number or 0) >= MAX_INVITATIONS:
            raise Conflict(f"A project can have {MAX_INVITATIONS} open invitations.", slug="too-many")

    async def _send(self, email: str, row: ProjectInvitation) -> None:
        """Send the invitation, without any text of the inviter, whom it names by their address. Raises Forbidden.

        Where nobody can register, an address without an account gets none: the same statements run, and are undone.
        """
        confirmed = select(USER.email).where(USER.id == self.person, USER.email_verified_at.is_not(None))
        inviter = await self.session.scalar(confirmed)
        if inviter is None:
            raise Forbidden("Confirm your own e-mail address before you invite by mail.", slug="email-not-confirmed")
        is_known = await self.session.scalar(select(USER.id).where(USER.email == email))
        settings = self.session.settings
        async with self.session.begin_nested() as point:
            await send_email(
                self.session, email, "You are invited to share a project",
                f"{inviter} invites you to share a project.",
                f"To accept, sign in with this e-mail address before {row.expires_at:%Y-%m-%d %H:%M} UTC."
                " If it has no account, create one with it and confirm it.",
                "If you do not know who invites you, ignore this e-mail.",
                link=settings.public_url,
            )  # fmt: skip
            if is_known is None and settings.registration != "open":
                await point.rollback()
