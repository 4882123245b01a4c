"""The members of a project: another role, joining, leaving, being removed."""

from uuid import UUID

from sqlalchemy import func, select

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession
from todo.domain.projects.models import ACCESS, MEMBER, Member, Project
from todo.domain.projects.rules import MAX_MEMBERS, MemberRole, higher
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
        if user_id == project.owner_id or await self._role_of(project_id, user_id):
            raise Invalid.field("body.user_id", "This person is a member of the project already.")
        return await self._add(project_id, user_id, role)

    async def join(self, project: Project, user_id: UUID, role: MemberRole) -> None:
        """Make a person a member of a locked project; a member keeps the higher role. Raises Conflict."""
        held = await self._role_of(project.id, user_id)
        if held:
            await self.change_role(project.id, user_id, higher(held, role))
        elif user_id != project.owner_id:
            await self._add(project.id, user_id, role)

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

    async def _role_of(self, project_id: UUID, user_id: UUID) -> MemberRole | None:
        found = select(MEMBER.role).where(MEMBER.project_id == project_id, MEMBER.user_id == user_id)
        role: MemberRole | None = await self.session.scalar(found)
        return role

    async def _add(self, project_id: UUID, user_id: UUID, role: MemberRole) -> Member:
        number = await self.session.scalar(select(func.count()).where(MEMBER.project_id == project_id))
        if (number or 0) >= MAX_MEMBERS:
            raise Conflict(f"A project can have {MAX_MEMBERS:,} members.", slug="too-many")
        member = await self.create(Member(project_id=project_id, user_id=user_id, role=role))
        await rewrite_access(self.session, project_id)
        return member

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
