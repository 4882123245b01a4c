"""Changing the sections of a project."""

from uuid import UUID

from sqlalchemy import func, select, update

from todo.access import Actor
from todo.audit import AuditedService, record_changes
from todo.cleanup import BATCH
from todo.database import WriteSession, now, table_of
from todo.domain.projects.models import SECTION, Section
from todo.domain.projects.rules import MAX_SECTIONS
from todo.domain.projects.schemas import MOST_NAME
from todo.domain.projects.services.projects import ProjectService
from todo.domain.tasks.models import TASK, Task
from todo.domain.tasks.sections.schemas import SectionIn, SectionOut, SectionPatch
from todo.domain.tasks.series.models import SERIES, Series
from todo.domain.tasks.series.services.occurrences import SeriesService
from todo.errors import Conflict, Stale
from todo.titles import clean_title


class SectionService(AuditedService[Section], model=Section):
    """Changes sections on behalf of a person, inside the caller's transaction: of the actor, or of `person`.

    The project is locked first. Raises NotFound, and Forbidden unless the person may manage it.
    """

    def __init__(self, session: WriteSession, actor: Actor, person: UUID | None = None):
        super().__init__(session, actor)
        self.projects = ProjectService(session, actor, person)

    async def add(self, project_id: UUID, data: SectionIn) -> SectionOut:
        """Add a section; raises Invalid, Conflict for too many."""
        await self.projects.locked_for(project_id, "manage")
        number = await self.session.scalar(select(func.count()).where(SECTION.project_id == project_id))
        if (number or 0) >= MAX_SECTIONS:
            raise Conflict(f"A project can have {MAX_SECTIONS} sections.", slug="too-many")
        values = data.sent() | {"name": clean_title(data.name, "name", MOST_NAME)}
        return section_out(await self.create(Section(project_id=project_id, **values)))

    async def change_fields(
        self, project_id: UUID, section_id: UUID, data: SectionPatch, if_match: frozenset[int] | None
    ) -> SectionOut:
        """Change what was sent; raises Stale, Invalid."""
        values = data.sent()
        if "name" in values:
            values["name"] = clean_title(values["name"], "name", MOST_NAME)
        return section_out(await self.update(values, await self._locked(project_id, section_id, if_match)))

    async def remove(self, project_id: UUID, section_id: UUID, if_match: frozenset[int] | None) -> None:
        """Delete a section; what is in it stays in the project. Raises Stale."""
        section = await self._locked(project_id, section_id, if_match)
        series = SeriesService(self.session, self.actor)
        found = select(Series).where(SERIES.section_id == section_id).order_by(SERIES.id)
        for one in await self.session.scalars(found.with_for_update(key_share=True)):
            await series.update({"section_id": None}, one, action="series.change")
        while await self._empty(section_id):
            pass
        await self.delete(section)

    async def _locked(self, project_id: UUID, section_id: UUID, if_match: frozenset[int] | None) -> Section:
        await self.projects.locked_for(project_id, "manage")
        section = await self.locked(SECTION.id == section_id, SECTION.project_id == project_id)
        if if_match is not None and section.version not in if_match:
            raise Stale(section_out(section))
        return section

    async def _empty(self, section_id: UUID) -> bool:
        """Take some tasks out of a section; whether there were any."""
        some = select(TASK.id).where(TASK.section_id == section_id).order_by(TASK.id).limit(BATCH)
        ids = (await self.session.scalars(some.with_for_update(key_share=True))).all()
        if not ids:
            return False
        values = {"section_id": None, "updated_at": now(), "version": TASK.version + 1}
        await self.session.execute(update(table_of(Task)).where(TASK.id.in_(ids)).values(values))
        changes = ((task_id, {"section_id": section_id}, {"section_id": None}) for task_id in ids)
        await record_changes(self.session, "tasks.change", "tasks", changes)
        return True


def section_out(section: Section) -> SectionOut:
    """A loaded row as the wire shows it."""
    return SectionOut(*(getattr(section, name) for name in SectionOut.__struct_fields__))
