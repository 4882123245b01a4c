"""With whom projects are shared, as operators see it."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, ModelAdmin
from todo.database import ACTOR
from todo.domain.projects.models import MEMBER, PROJECT, Member, ProjectInvitation, ProjectLink
from todo.domain.projects.models import PROJECT_INVITATION as INVITATION
from todo.domain.projects.models import PROJECT_LINK as LINK
from todo.domain.projects.rules import MemberRole
from todo.domain.projects.services.invitations import ProjectInvitationService
from todo.domain.projects.services.links import ProjectLinkService
from todo.domain.projects.services.members import MemberService
from todo.domain.projects.services.projects import lock_projects
from todo.errors import Invalid

OWN = select(PROJECT.id).where(PROJECT.owner_id == ACTOR)
OF_OWN_PROJECTS = MEMBER.project_id.in_(OWN)
INVITATIONS_OF_OWN_PROJECTS = INVITATION.project_id.in_(OWN)
LINKS_OF_OWN_PROJECTS = LINK.project_id.in_(OWN)


class MemberAdmin(ModelAdmin[Member]):
    model = Member
    label, label_one = "Project members", "Member"
    icon, group = "users", "Work"
    display = "user_id"
    columns = ("project_id", "user_id", "role", "created_at")
    types = {"role": MemberRole}
    filters = ("project_id", "user_id", "role", "project.name", "project.owner.email", "user.email", "user.status")
    editable = ("role",)
    only_on_add = ("project_id", "user_id")
    verbs = ("view", "add", "change", "delete", "export")
    every_row = "projects.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OF_OWN_PROJECTS

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """All projects of the owner come before one of their members."""
        await lock_projects_at(do, select(MEMBER.project_id).where(MEMBER.id == row_id))

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> Member:
        members = await _members(do, values["project_id"])
        return await members.add(values["project_id"], values["user_id"], values["role"])

    async def change_row(self, do: ActionContext, row: Member, values: dict[str, Any]) -> None:
        if "role" in values:
            await (await _members(do, row.project_id)).change_role(row.project_id, row.user_id, values["role"])

    async def delete_row(self, do: ActionContext, row: Member) -> None:
        await (await _members(do, row.project_id)).remove(row.project_id, row.user_id)


class ProjectInvitationAdmin(ModelAdmin[ProjectInvitation]):
    model = ProjectInvitation
    label_one = "Project invitation"
    icon, group = "mail", "Work"
    display = "project_id"
    columns = ("project_id", "email", "user_id", "role", "invited_by", "expires_at")
    types = {"role": MemberRole}
    filters = ("project_id", "user_id", "role", "invited_by", "expires_at")
    search = ("email",)
    verbs = ("view", "delete", "export")
    every_row = "projects.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else INVITATIONS_OF_OWN_PROJECTS

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """All projects of the owner come before an invitation to one of them."""
        await lock_projects_at(do, select(INVITATION.project_id).where(INVITATION.id == row_id))

    async def delete_row(self, do: ActionContext, row: ProjectInvitation) -> None:
        owner_id = await owner_of(do, row.project_id)
        await ProjectInvitationService(do.session, do.actor, owner_id).withdraw(row.project_id, row.id)


class ProjectLinkAdmin(ModelAdmin[ProjectLink]):
    model = ProjectLink
    label, label_one = "Project links", "Link"
    icon, group = "link", "Work"
    display = "name"
    columns = ("project_id", "name", "created_by", "created_at", "expires_at")
    filters = ("project_id", "created_by", "expires_at")
    verbs = ("view", "delete", "export")
    every_row = "projects.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else LINKS_OF_OWN_PROJECTS

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """All projects of the owner come before a link to one of them."""
        await lock_projects_at(do, select(LINK.project_id).where(LINK.id == row_id))

    async def delete_row(self, do: ActionContext, row: ProjectLink) -> None:
        owner_id = await owner_of(do, row.project_id)
        await ProjectLinkService(do.session, do.actor, owner_id).revoke(row.project_id, row.id)


async def lock_projects_at(do: ActionContext, project: Select[Any]) -> None:
    """Lock all projects of the owner of one."""
    owner_id = await do.session.scalar(select(PROJECT.owner_id).where(PROJECT.id == project.scalar_subquery()))
    if owner_id is not None:
        await lock_projects(do.session, owner_id)


async def _members(do: ActionContext, project_id: UUID) -> MemberService:
    """The service for the members of a project within the actor's scope. Raises Invalid."""
    return MemberService(do.session, do.actor, await owner_of(do, project_id))


async def owner_of(do: ActionContext, project_id: UUID) -> UUID:
    """The owner of a project within the actor's scope, for whom the actor acts. Raises Invalid."""
    owned = select(PROJECT.owner_id).where(PROJECT.id == project_id)
    if not do.actor.may("projects.all"):
        owned = owned.where(PROJECT.owner_id == do.actor.user_id)
    owner_id: UUID | None = await do.session.scalar(owned)
    if owner_id is None:
        raise Invalid.field("body.project_id", "There is no such project.", "not_found")
    return owner_id
