"""`/api/projects/{id}/sections`."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.tasks.sections.queries import SectionReads
from todo.domain.tasks.sections.schemas import SectionIn, SectionOut, SectionPatch
from todo.domain.tasks.sections.services import SectionService
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]


def section_reads(database: NamedDependency[Database], request: ActorRequest) -> SectionReads:
    return SectionReads(database.reads, request.user)


def section_service(session: NamedDependency[WriteSession], request: ActorRequest) -> SectionService:
    return SectionService(session, request.user)


class SectionController(Controller):
    """Sections: the parts of a project. Those who may manage it change them; those who may edit put tasks into them."""

    path = "/api/projects/{project_id:uuid}/sections"
    tags = ["Projects"]
    dependencies = {
        "section_reads": Provide(section_reads, sync_to_thread=False),
        "sections": Provide(section_service, sync_to_thread=False),
    }

    @get(operation_id="list_sections", guards=[requires("projects.view")])
    async def list_sections(
        self,
        section_reads: NamedDependency[SectionReads],
        project_id: FromPath[UUID],
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[SectionOut]:
        """The sections of a project, in the order of `position`.

        Example: `GET /api/projects/0190f5f0-7c1d-7000-8000-000000000000/sections`
        """
        return await section_reads.page(project_id, limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_section", guards=[requires("projects.change")])
    async def add_section(
        self, sections: NamedDependency[SectionService], project_id: FromPath[UUID], data: JSONBody[SectionIn]
    ) -> Response[SectionOut]:
        """Add a section to a project that you manage, up to 200.

        Example: `{"name": "This week", "position": 1}`
        """
        return versioned(await sections.add(project_id, data), status_code=201)

    @get("/{section_id:uuid}", operation_id="get_section", guards=[requires("projects.view")])
    async def get_section(
        self,
        section_reads: NamedDependency[SectionReads],
        project_id: FromPath[UUID],
        section_id: FromPath[UUID],
        if_none_match: IfNoneMatch = None,
    ) -> Response[SectionOut]:
        """One section.

        Example: `GET /api/projects/0190f5f0-7c1d-7000-8000-00000000000a/sections/0190f5f0-7c1d-7000-8000-00000000000b`
        """
        return versioned(await section_reads.one(project_id, section_id), if_none_match=if_none_match)

    @patch("/{section_id:uuid}", operation_id="change_section", guards=[requires("projects.change")])
    async def change_section(
        self,
        sections: NamedDependency[SectionService],
        project_id: FromPath[UUID],
        section_id: FromPath[UUID],
        data: JSONBody[SectionPatch],
        if_match: IfMatch = None,
    ) -> Response[SectionOut]:
        """Change the fields you send.

        Example: `{"name": "Next week"}`
        """
        return versioned(await sections.change_fields(project_id, section_id, data, versions_of(if_match)))

    @delete("/{section_id:uuid}", operation_id="delete_section", guards=[requires("projects.change")])
    async def delete_section(
        self,
        sections: NamedDependency[SectionService],
        project_id: FromPath[UUID],
        section_id: FromPath[UUID],
        if_match: IfMatch = None,
    ) -> None:
        """Delete a section. Its tasks and series stay in the project, in no section.

        Example: `DELETE /api/projects/{project_id}/sections/0190f5f0-7c1d-7000-8000-00000000000b`
        """
        await sections.remove(project_id, section_id, versions_of(if_match))
