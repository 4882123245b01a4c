"""The routes of `/api/projects` that change the tasks of a project."""

from uuid import UUID

from litestar import Response, delete, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from todo.access import requires
from todo.domain.projects.controllers.projects import ProjectController
from todo.domain.projects.schemas import ProjectOut, Transfer
from todo.domain.projects.services.projects import ProjectService
from todo.domain.tasks.services.project_contents import ProjectContents
from todo.http.etags import IfMatch, versioned, versions_of


def project_contents(projects: NamedDependency[ProjectService]) -> ProjectContents:
    return ProjectContents(projects)


class WholeProjectController(ProjectController):
    """Projects: what tasks belong to, and what people share."""

    dependencies = {**ProjectController.dependencies, "contents": Provide(project_contents, sync_to_thread=False)}

    @delete("/{project_id:uuid}", operation_id="delete_project", guards=[requires("projects.delete")])
    async def delete_project(
        self, contents: NamedDependency[ProjectContents], project_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Delete a project that you own, with those below it. Its series end, and its tasks are in your trash.

        A task that you restore from there is in your inbox.

        Example: `DELETE /api/projects/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await contents.delete(project_id, versions_of(if_match))

    @post(
        "/{project_id:uuid}/transfer",
        operation_id="transfer_project",
        status_code=200,
        guards=[requires("projects.share")],
    )
    async def transfer_project(
        self, contents: NamedDependency[ProjectContents], project_id: FromPath[UUID], data: JSONBody[Transfer]
    ) -> Response[ProjectOut]:
        """Hand a project that you own over to one of its members, with those below it. You become a manager.

        Tasks and series go with it, and days and floating times follow the time zone of the new owner.

        Example: `{"user_id": "0190f5f0-7c1d-7000-8000-000000000001"}`
        """
        return versioned(await contents.hand_over(project_id, data.user_id), checksum=True)
