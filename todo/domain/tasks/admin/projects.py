"""Projects, as operators see them."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, Filter, ModelAdmin, action
from todo.admin.inlines import Inline
from todo.database import ACTOR
from todo.domain.projects.models import PROJECT, Project
from todo.domain.projects.schemas import (
    Color,
    Description,
    Name,
    ProjectIn,
    ProjectOut,
    ProjectPatch,
    Transfer,
)
from todo.domain.projects.services.projects import ProjectService, lock_projects
from todo.domain.tasks.services.project_contents import ProjectContents
from todo.errors import Invalid

OWN_PROJECTS = PROJECT.owner_id == ACTOR


class ProjectAdmin(ModelAdmin[Project]):
    model = Project
    icon, group = "folder", "Work"
    display = "name"
    columns = ("name", "color", "owner_id", "parent_id", "archived_at", "created_at")
    widgets = {"color": "color", "description": "markdown"}
    types = {"name": Name, "description": Description, "color": Color}
    filters = (
        Filter("state", {"active": PROJECT.archived_at.is_(None), "archived": PROJECT.archived_at.is_not(None)}),
        "owner_id", "parent_id", "created_at", "owner.email", "owner.status",
    )  # fmt: skip
    search = ("name",)
    inlines = (
        Inline("project_members", via="project_id"),
        Inline("project_invitations", via="project_id"),
        Inline("project_links", via="project_id"),
        Inline("sections", via="project_id", order_by="position", in_form=True),
        Inline("views", via="project_id", order_by="position"),
        Inline("tasks", via="project_id"),
    )
    heavy = ("description",)
    editable = ("name", "description", "color", "parent_id", "enforce_dependencies")
    only_on_add = ("owner_id",)
    defaults = {"owner_id": lambda actor: actor.id}
    verbs = ("view", "add", "change", "delete", "export")
    every_row = "projects.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OWN_PROJECTS

    def obstacle(self, actor: Actor, verb: str, row: Any) -> str:
        if row.id == row.owner_id and verb in {"delete", "archive", "transfer"}:
            return "The inbox cannot be archived, handed over or deleted."
        if verb == "archive" and row.archived_at is not None:
            return "This project is archived."
        return "This project is not archived." if verb == "unarchive" and row.archived_at is None else ""

    async def lock(self, do: ActionContext, row_id: UUID) -> None:
        """All projects of the owner come before one of them."""
        owner_id = await do.session.scalar(select(PROJECT.owner_id).where(PROJECT.id == row_id))
        if owner_id is not None:
            await lock_projects(do.session, owner_id)

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> ProjectOut:
        owner_id = values.pop("owner_id", None)
        if owner_id is None:
            raise Invalid.field("body.owner_id", "Give the id of the owner.")
        return await ProjectService(do.session, do.actor, owner_id).add(ProjectIn(**values))

    async def change_row(self, do: ActionContext, row: Project, values: dict[str, Any]) -> None:
        await _projects(do, row).change_fields(row.id, ProjectPatch(**values), None)

    async def delete_row(self, do: ActionContext, row: Project) -> None:
        await ProjectContents(_projects(do, row)).delete(row.id, None)

    @action("Archive")
    async def archive(self, do: ActionContext, row: Project) -> None:
        """Leave it and those below out of lists; they take no more tasks."""
        await _projects(do, row).change_fields(row.id, ProjectPatch(archived=True), None)

    @action("Take out of the archive")
    async def unarchive(self, do: ActionContext, row: Project) -> None:
        """Show it and those below again."""
        await _projects(do, row).change_fields(row.id, ProjectPatch(archived=False), None)

    @action("Hand over", form=Transfer, dangerous=True, references={"user_id": "users"})
    async def transfer(self, do: ActionContext, row: Project, form: Transfer) -> None:
        """Make a member the owner, also of those below; the owner becomes a manager."""
        await ProjectContents(_projects(do, row)).hand_over(row.id, form.user_id)


def _projects(do: ActionContext, row: Project) -> ProjectService:
    """The row itself has been found within the actor's scope already."""
    return ProjectService(do.session, do.actor, row.owner_id)
