"""The members of a project: another role, leaving, being removed."""

from uuid import UUID

from sqlalchemy import func, select

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession
from todo.domain.projects.models import ACCESS, MEMBER, Member
from todo.domain.projects.rules import MAX_MEMBERS, MemberRole
from todo.domain.projects.services.projects import ProjectService, inbox_stays, rewrite_access
from todo.errors import Conflict, Invalid, NotFound


class MemberService(AuditedService[Member], model=Member):
    """Changes members on behalf of a person, inside the caller's transaction."""

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None = None):
        super().__init__(session, actor)
        self.projects = ProjectService(session, actor, person)

    async def add(self, project_id: UUID, user_id: UUID, role: MemberRole) -> Member:
        """Share a project with a person; raises NotFound, Forbidden, Conflict, and Invalid when they are a member."""
        project = await self.projects.locked_for(project_id, "manage")
        if project.id == project.owner_id:
            raise inbox_stays()
        same = select(MEMBER.id).where(MEMBER.project_id == project_id, MEMBER.user_id == user_id)
        if user_id == project.owner_id or await self.session.scalar(same):
            raise Invalid.field("body.user_id", "This person is a member of the project already.")
        number = await self.session.scalar(select(func.count()).where(MEMBER.project_id == project_id))
        if (number or 0) >= MAX_MEMBERS:
            raise Conflict(f"A project can have {MAX_MEMBERS:,} members.", slug="too-many")
        member = await self.create(Member(project_id=project_id, user_id=user_id, role=role))
        await rewrite_access(self.session, project_id)
        return member

    async def change_role(self, project_id: UUID, user_id: UUID, role: MemberRole) -> None:
        """Give a member another role; raises NotFound, Forbidden, Conflict."""
        await self.projects.locked_for(project_id, "manage")
        await self.update({"role": role}, await self._member(project_id, user_id))
        await rewrite_access(self.session, project_id)

    async def remove(self, project_id: UUID, user_id: UUID) -> None:
        """Remove a member, or leave a project; raises NotFound, Forbidden, Conflict."""
        await self.projects.locked_for(project_id, "see" if user_id == self.projects.person else "manage")
        await self.delete(await self._member(project_id, user_id))
        await rewrite_access(self.session, project_id)

    async def _member(self, project_id: UUID, user_id: UUID) -> Member:
        try:
            return await self.locked(MEMBER.project_id == project_id, MEMBER.user_id == user_id)
        except NotFound:
            by_parent = select(ACCESS.role).where(ACCESS.project_id == project_id, ACCESS.user_id == user_id)
            if await self.session.scalar(by_parent) is None:
                raise
            raise Conflict(
                "This person has the role by a project above: change it there.", slug="inherited-role"
            ) from None
