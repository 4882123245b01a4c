"""`/api/projects`."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.projects.queries import ProjectReads
from todo.domain.projects.schemas import MemberOut, MemberPatch, ProjectIn, ProjectOut, ProjectPatch
from todo.domain.projects.services.members import MemberService
from todo.domain.projects.services.projects import ProjectService
from todo.http.etags import IfMatch, IfNoneMatch, versioned, versions_of
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]
Reads = NamedDependency[ProjectReads]


def project_reads(database: NamedDependency[Database], request: ActorRequest) -> ProjectReads:
    return ProjectReads(database.reads, request.user)


def project_service(session: NamedDependency[WriteSession], request: ActorRequest) -> ProjectService:
    return ProjectService(session, request.user)


def member_service(session: NamedDependency[WriteSession], request: ActorRequest) -> MemberService:
    return MemberService(session, request.user)


class ProjectController(Controller):
    """Projects and their members. `WholeProjectController` adds the routes that change the tasks of a project."""

    path = "/api/projects"
    tags = ["Projects"]
    dependencies = {
        "project_reads": Provide(project_reads, sync_to_thread=False),
        "projects": Provide(project_service, sync_to_thread=False),
        "members": Provide(member_service, sync_to_thread=False),
    }

    @get(operation_id="list_projects", guards=[requires("projects.view")])
    async def list_projects(
        self,
        project_reads: Reads,
        archived: Annotated[bool, QueryParameter(description="Only archived ones; otherwise none of them.")] = False,
        parent_id: Annotated[UUID | None, QueryParameter(description="Directly below this project.")] = None,
        sort: Annotated[
            str | None,
            QueryParameter(schema_extra={"enum": ["name", "-name", "id", "-id"]}, description="By name, or by age."),
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[ProjectOut]:
        """The projects you can see, your own and those shared with you, the oldest first.

        Example: `GET /api/projects?sort=name`
        """
        filters = {"archived": archived, "parent_id": parent_id}
        return await project_reads.page(filters, sort=sort, limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_project", guards=[requires("projects.add")])
    async def add_project(
        self, projects: NamedDependency[ProjectService], data: JSONBody[ProjectIn]
    ) -> Response[ProjectOut]:
        """Add a project, yours or, with `parent_id`, one below a project that you manage.

        Example: `{"name": "House", "color": "#3b82f6"}`
        """
        return versioned(await projects.add(data), status_code=201, checksum=True)

    @get("/{project_id:uuid}", operation_id="get_project", guards=[requires("projects.view")])
    async def get_project(
        self, project_reads: Reads, project_id: FromPath[UUID], if_none_match: IfNoneMatch = None
    ) -> Response[ProjectOut]:
        """One project.

        Example: `GET /api/projects/0190f5f0-7c1d-7000-8000-000000000000`
        """
        return versioned(await project_reads.one(project_id), if_none_match=if_none_match, checksum=True)

    @patch("/{project_id:uuid}", operation_id="change_project", guards=[requires("projects.change")])
    async def change_project(
        self,
        projects: NamedDependency[ProjectService],
        project_id: FromPath[UUID],
        data: JSONBody[ProjectPatch],
        if_match: IfMatch = None,
    ) -> Response[ProjectOut]:
        """Change the fields you send; `null` clears one. With `parent_id` the project moves, and its access with it.

        `archived` also applies to the projects below.

        Example: `{"archived": true}`
        """
        return versioned(await projects.change_fields(project_id, data, versions_of(if_match)), checksum=True)

    @get("/{project_id:uuid}/members", operation_id="list_members", guards=[requires("projects.view")])
    async def list_members(
        self,
        project_reads: Reads,
        project_id: FromPath[UUID],
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[MemberOut]:
        """Who has a role in a project: the owner first, then the others by role.

        Example: `GET /api/projects/0190f5f0-7c1d-7000-8000-000000000000/members`
        """
        return await project_reads.members(project_id, limit=limit, cursor=cursor, count=count)

    @patch(
        "/{project_id:uuid}/members/{user_id:uuid}", operation_id="change_member", guards=[requires("projects.share")],
        status_code=204,
    )  # fmt: skip
    async def change_member(
        self,
        members: NamedDependency[MemberService],
        project_id: FromPath[UUID],
        user_id: FromPath[UUID],
        data: JSONBody[MemberPatch],
    ) -> None:
        """Give a member another role, also in the projects below.

        Example: `{"role": "editor"}`
        """
        await members.change_role(project_id, user_id, data.role)

    @delete(
        "/{project_id:uuid}/members/{user_id:uuid}", operation_id="remove_member", guards=[requires("projects.share")]
    )
    async def remove_member(
        self, members: NamedDependency[MemberService], project_id: FromPath[UUID], user_id: FromPath[UUID]
    ) -> None:
        """Remove a member from a project and those below, or leave it yourself. What they wrote stays.

        Example: `DELETE /api/projects/0190f5f0-7c1d-7000-8000-00000000000a/members/me`
        """
        await members.remove(project_id, user_id)
