"""Finding the sections of a project."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from todo.access import Actor
from todo.database import ACTOR, Direct, Query
from todo.domain.projects.guards import visible_to
from todo.domain.projects.models import PROJECT, SECTION, Project
from todo.domain.projects.queries import ProjectReads
from todo.domain.tasks.sections.schemas import SectionOut
from todo.errors import NotFound
from todo.listing import Listing, Sort
from todo.schema import Page

COLUMNS = (
    select(*(SECTION[name] for name in SectionOut.__struct_fields__))
    .join(Project, PROJECT.id == SECTION.project_id)
    .where(visible_to(ACTOR), SECTION.project_id == bindparam("project", type_=PROJECT.id.type))
)
READ = Query(SectionOut, COLUMNS.where(SECTION.id == bindparam("section", type_=SECTION.id.type)))
SECTIONS = Listing(
    SectionOut,
    COLUMNS,
    filters={},
    sorts={
        "position": Sort(SECTION.position, int, lambda section: section.position),
        "id": Sort(SECTION.id, UUID, lambda section: section.id),
    },
    default="position",
)


class SectionReads:
    """What one person can see of the sections of a project."""

    def __init__(self, reads: Direct, actor: Actor):
        self._reads = reads
        self._actor = actor

    async def one(self, project_id: UUID, section_id: UUID) -> SectionOut:
        """Raises NotFound."""
        keys = {"actor": self._actor.user_id, "project": project_id, "section": section_id}
        section = await self._reads.one_or_none(READ, **keys)
        if section is None:
            raise NotFound
        return section

    async def page(self, project_id: UUID, **options: Any) -> Page[SectionOut]:
        """Raises NotFound; Invalid for a cursor that is none of ours. Only an empty page asks twice."""
        page = await SECTIONS.page(self._reads, {}, actor=self._actor.user_id, project=project_id, **options)
        if not page.items:
            await ProjectReads(self._reads, self._actor).one(project_id)
        return page
