"""Sections, as operators see them."""

from sqlalchemy import ColumnElement, select

from todo.access import Actor
from todo.admin.declaration import ModelAdmin
from todo.database import ACTOR
from todo.domain.projects.models import PROJECT, SECTION, Section

OF_OWN_PROJECTS = SECTION.project_id.in_(select(PROJECT.id).where(PROJECT.owner_id == ACTOR))


class SectionAdmin(ModelAdmin[Section]):
    model = Section
    icon, group = "columns", "Work"
    display = "name"
    columns = ("name", "project_id", "position", "created_at")
    filters = ("project_id",)
    search = ("name",)
    verbs = ("view", "export")
    every_row = "projects.all"

    def scope(self, actor: Actor) -> ColumnElement[bool] | None:
        return None if actor.may(self.every_row) else OF_OWN_PROJECTS
