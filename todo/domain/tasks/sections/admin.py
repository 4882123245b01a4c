"""Sections, as operators see them."""

from typing import Any

from sqlalchemy import ColumnElement, select

from todo.access import Actor
from todo.admin.declaration import ActionContext, ModelAdmin
from todo.database import ACTOR
from todo.domain.projects.models import PROJECT, SECTION, Section
from todo.domain.projects.schemas import Name
from todo.domain.tasks.admin.sharing import lock_projects_at, owner_of
from todo.domain.tasks.sections.schemas import Position, SectionIn, SectionOut, SectionPatch
from todo.domain.tasks.sections.services import SectionService

OF_OWN_PROJECTS = SECTION.project_id.in_(select(PROJECT.id).where(PROJECT.owner_id == ACTOR))


class SectionAdmin(ModelAdmin[Section]):
    model = Section
    icon, group = "columns", "Work"
    display = "name"
    columns = ("name", "project_id", "position", "created_at")
    types = {"name": Name, "position": Position}
    filters = ("project_id", "project.owner.email")
    search = ("name",)
    editable = ("name", "position")
    only_on_add = ("project_id",)
    verbs = ("view", "add", "change", "delete", "export")
    every_row = "projects.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OF_OWN_PROJECTS

    async def lock(self, do: ActionContext, row_id: Any) -> None:
        """All projects of the owner come before a section of one of them."""
        await lock_projects_at(do, select(SECTION.project_id).where(SECTION.id == row_id))

    async def add_row(self, do: ActionContext, values: dict[str, Any]) -> SectionOut:
        project_id = values.pop("project_id")
        return await (await _sections(do, project_id)).add(project_id, SectionIn(**values))

    async def change_row(self, do: ActionContext, row: Section, values: dict[str, Any]) -> None:
        await (await _sections(do, row.project_id)).change_fields(row.project_id, row.id, SectionPatch(**values), None)

    async def delete_row(self, do: ActionContext, row: Section) -> None:
        await (await _sections(do, row.project_id)).remove(row.project_id, row.id, None)


async def _sections(do: ActionContext, project_id: Any) -> SectionService:
    """The service for the sections of a project within the actor's scope. Raises Invalid."""
    return SectionService(do.session, do.actor, await owner_of(do, project_id))
