"""Saving and changing views."""

from typing import Any
from uuid import UUID

from sqlalchemy import or_

from todo.access import Actor
from todo.audit import AuditedService
from todo.database import WriteSession, now
from todo.domain.projects.queries import projects_of
from todo.domain.projects.schemas import MOST_NAME
from todo.domain.projects.services.projects import ProjectService
from todo.domain.tasks.filters.compiled import read_filter
from todo.domain.tasks.filters.syntax import FilterError
from todo.domain.tasks.filters.times import Asker
from todo.domain.tasks.queries import LISTS, check_position
from todo.domain.tasks.views.models import VIEW, View
from todo.domain.tasks.views.schemas import ViewIn, ViewOut, ViewPatch
from todo.errors import Invalid, NotFound, Stale
from todo.titles import clean_title


class ViewService(AuditedService[View], model=View):
    """Changes views on behalf of a person, inside the caller's transaction: of the actor, or of `person`.

    The project of a view is locked first; who may edit its tasks may change its views.
    """

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None = None):
        super().__init__(session, actor)
        self.person = person or actor.user_id
        self.projects = ProjectService(session, actor, self.person)

    async def add(self, data: ViewIn) -> ViewOut:
        """Save a view; raises Invalid, Forbidden, Conflict for too many."""
        values = self._checked(data.sent(), data.project_id)
        if data.project_id is not None:
            await self._lock_project(data.project_id)
        return view_out(await self.create(View(user_id=None if data.project_id else self.person, **values)))

    async def change_fields(self, view_id: UUID, data: ViewPatch, if_match: frozenset[int] | None) -> ViewOut:
        """Change what was sent; raises NotFound, Forbidden, Stale, Invalid."""
        view = await self._locked(view_id, if_match)
        return view_out(await self.update(self._checked(data.sent(), view.project_id), view))

    async def remove(self, view_id: UUID, if_match: frozenset[int] | None) -> None:
        """Delete a view; raises NotFound, Forbidden, Stale."""
        await self.delete(await self._locked(view_id, if_match))

    async def _locked(self, view_id: UUID, if_match: frozenset[int] | None) -> View:
        visible = or_(VIEW.user_id == self.person, VIEW.project_id.in_(projects_of(self.person)))
        found = await self.get_one_or_none(VIEW.id == view_id, visible)
        if found is None:
            raise NotFound
        if found.project_id is not None:  # which a view keeps
            await self.projects.locked_for(found.project_id, "edit")
        view = await self.locked(VIEW.id == view_id)
        if if_match is not None and view.version not in if_match:
            raise Stale(view_out(view))
        return view

    async def _lock_project(self, project_id: UUID) -> None:
        try:
            await self.projects.locked_for(project_id, "edit")
        except NotFound:
            raise Invalid.field("body.project_id", "There is no such project.", "not_found") from None

    def _checked(self, values: dict[str, Any], project_id: UUID | None) -> dict[str, Any]:
        """The values as they are stored. Raises Invalid for what no list of tasks would take."""
        if "name" in values:
            values["name"] = clean_title(values["name"], "name", MOST_NAME)
        if values.get("sort") is not None:
            LISTS.all.check_sort(values["sort"], "body.sort")
            check_position(values["sort"], project_id, "body.sort")
        if "filter" in values:
            try:
                read = read_filter(values["filter"], Asker(self.person, self.actor.timezone, now()))
            except FilterError as error:
                raise error.at("body.filter") from None
            if read.sort is not None:
                LISTS.all.check_sort(read.sort, "body.filter")
        return values


def view_out(view: View) -> ViewOut:
    """A loaded row as the wire shows it."""
    return ViewOut(*(getattr(view, name) for name in ViewOut.__struct_fields__))
