"""The read-only links of a project."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from todo.access import Actor, requires
from todo.database import WriteSession
from todo.domain.projects.controllers.projects import Reads, project_reads
from todo.domain.projects.schemas import ProjectLinkIn, ProjectLinkMade, ProjectLinkOut
from todo.domain.projects.services.links import ProjectLinkService
from todo.http.etags import versioned
from todo.http.idempotency import ShownOnce
from todo.schema import Count, Cursor, Limit, Page

REVOKE = "find the link with `GET /api/projects/{project_id}/links`, revoke it, and add another with another key"
Links = NamedDependency[ProjectLinkService]


def link_service(session: NamedDependency[WriteSession], request: Request[Actor, Any, State]) -> ProjectLinkService:
    return ProjectLinkService(session, request.user)


class ProjectLinkController(Controller):
    """Links by which people without an account read a project."""

    path = "/api/projects/{project_id:uuid}/links"
    tags = ["Projects"]
    guards = [requires("projects.share")]
    dependencies = {
        "project_reads": Provide(project_reads, sync_to_thread=False),
        "links": Provide(link_service, sync_to_thread=False),
    }

    @get(operation_id="list_project_links")
    async def list_project_links(
        self,
        project_reads: Reads,
        project_id: FromPath[UUID],
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[ProjectLinkOut]:
        """The read-only links of a project that you manage, newest first. Secrets are not stored.

        Example: `GET /api/projects/0190f5f0-7c1d-7000-8000-000000000000/links`
        """
        return await project_reads.links(project_id, limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_project_link", opt={"shown_once": ShownOnce(("id", "name"), REVOKE)})
    async def add_project_link(
        self, links: Links, project_id: FromPath[UUID], data: JSONBody[ProjectLinkIn]
    ) -> Response[ProjectLinkMade]:
        """Make a read-only link to a project that you manage; its secret is shown only once.

        Everybody who has it sees the project and those below it, with their tasks, until it expires or is revoked, the
        project is archived or deleted, or you may no longer share the project.

        Example: `{"name": "For the neighbors", "expires_in_days": 30}`
        """
        return versioned(await links.add(project_id, data), status_code=201)

    @delete("/{link_id:uuid}", operation_id="revoke_project_link")
    async def revoke_project_link(self, links: Links, project_id: FromPath[UUID], link_id: FromPath[UUID]) -> None:
        """Revoke a link. It shows nothing from then on.

        Example: `DELETE /api/projects/0190f5f0-7c1d-7000-8000-00000000000a/links/{link_id}`
        """
        await links.revoke(project_id, link_id)
