"""Invitations to share a project, for both sides."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from todo.access import Actor, requires
from todo.database import Database, WriteSession
from todo.domain.projects.controllers.projects import Reads, project_reads
from todo.domain.projects.schemas import MyProjectInvitation, ProjectInvitationIn, ProjectInvitationOut, ProjectOut
from todo.domain.projects.services.invitations import ProjectInvitationService
from todo.http.etags import versioned
from todo.http.limits import check
from todo.http.transactions import session_for
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]
Invitations = NamedDependency[ProjectInvitationService]


def invitation_service(session: NamedDependency[WriteSession], request: ActorRequest) -> ProjectInvitationService:
    return ProjectInvitationService(session, request.user)


SERVICES = {
    "project_reads": Provide(project_reads, sync_to_thread=False),
    "invitations": Provide(invitation_service, sync_to_thread=False),
}


class ProjectInvitationController(Controller):
    """The invitations of a project, for those who may share it."""

    path = "/api/projects/{project_id:uuid}/invitations"
    tags = ["Projects"]
    dependencies = SERVICES

    @get(operation_id="list_project_invitations", guards=[requires("projects.share")])
    async def list_project_invitations(
        self,
        project_reads: Reads,
        project_id: FromPath[UUID],
        limit: Limit = 50,
        cursor: Cursor = None,
        count: Count = False,
    ) -> Page[ProjectInvitationOut]:
        """The open invitations of a project that you manage, newest first.

        Example: `GET /api/projects/0190f5f0-7c1d-7000-8000-000000000000/invitations`
        """
        return await project_reads.invitations(project_id, limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_project_invitation", guards=[requires("projects.share")])
    async def add_project_invitation(
        self,
        database: NamedDependency[Database],
        request: ActorRequest,
        project_id: FromPath[UUID],
        data: JSONBody[ProjectInvitationIn],
    ) -> ProjectInvitationOut:
        """Invite an e-mail address, or somebody with whom you share a project, for seven days.

        A mail goes to the address; the answer is the same whether or not it has an account. An earlier invitation of
        the same address or person is replaced. It ends when you may no longer share the project. You can invite 50
        times a day, from an e-mail address that you have confirmed.

        Example: `{"email": "grace@example.com", "role": "editor"}`
        """
        await check(database, "invitations", str(request.user.user_id))
        if data.email is not None:
            await check(database, "mail", f"invitation of {request.user.user_id} to {data.email}")
        async with session_for(database, request.scope) as session:
            return await ProjectInvitationService(session, request.user).invite(project_id, data)

    @delete("/{invitation_id:uuid}", operation_id="delete_project_invitation", guards=[requires("projects.share")])
    async def delete_project_invitation(
        self, invitations: Invitations, project_id: FromPath[UUID], invitation_id: FromPath[UUID]
    ) -> None:
        """Withdraw an invitation to a project that you manage.

        Example: `DELETE /api/projects/0190f5f0-7c1d-7000-8000-00000000000a/invitations/{invitation_id}`
        """
        await invitations.withdraw(project_id, invitation_id)


class MyProjectInvitationController(Controller):
    """The invitations of the one who is asking."""

    path = "/api/project-invitations"
    tags = ["Projects"]
    dependencies = SERVICES

    @get(operation_id="list_my_project_invitations", guards=[requires("projects.view")])
    async def list_my_project_invitations(
        self, project_reads: Reads, limit: Limit = 50, cursor: Cursor = None, count: Count = False
    ) -> Page[MyProjectInvitation]:
        """The open invitations of your account and of your e-mail address, once it is confirmed, newest first.

        Example: `GET /api/project-invitations`
        """
        return await project_reads.my_invitations(limit=limit, cursor=cursor, count=count)

    @post(
        "/{invitation_id:uuid}/accept",
        operation_id="accept_project_invitation",
        status_code=200,
        guards=[requires("projects.share")],
    )
    async def accept_project_invitation(
        self, invitations: Invitations, invitation_id: FromPath[UUID]
    ) -> Response[ProjectOut]:
        """Accept an invitation. Somebody who is a member already keeps the higher role.

        Example: `POST /api/project-invitations/0190f5f0-7c1d-7000-8000-000000000000/accept`
        """
        return versioned(await invitations.accept(invitation_id), checksum=True)

    @post(
        "/{invitation_id:uuid}/decline",
        operation_id="decline_project_invitation",
        status_code=204,
        guards=[requires("projects.share")],
    )
    async def decline_project_invitation(self, invitations: Invitations, invitation_id: FromPath[UUID]) -> None:
        """Decline an invitation, which deletes it.

        Example: `POST /api/project-invitations/0190f5f0-7c1d-7000-8000-000000000000/decline`
        """
        await invitations.decline(invitation_id)
