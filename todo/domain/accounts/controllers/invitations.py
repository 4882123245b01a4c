"""`/api/auth/invitations`: invitations to register."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from todo.access import Actor, requires, signed_in_recently
from todo.database import Database, WriteSession
from todo.domain.accounts.schemas.email_tokens import InvitationOut, Invite
from todo.domain.accounts.services.invitations import INVITATIONS, InvitationService
from todo.schema import Count, Cursor, Limit, Page

ActorRequest = Request[Actor, Any, State]
Session = NamedDependency[WriteSession]


class InvitationController(Controller):
    """Invitations to create an account."""

    path = "/api/auth/invitations"
    tags = ["Accounts"]

    @get(operation_id="list_invitations", guards=[requires("invitations.view")])
    async def list_invitations(
        self, database: NamedDependency[Database], limit: Limit = 50, cursor: Cursor = None, count: Count = False
    ) -> Page[InvitationOut]:
        """List all invitations, newest first.

        Example: `GET /api/auth/invitations?limit=20`
        """
        return await INVITATIONS.page(database.reads, {}, limit=limit, cursor=cursor, count=count)

    @post(operation_id="add_invitation", guards=[requires("invitations.add"), signed_in_recently])
    async def add_invitation(
        self, database: NamedDependency[Database], session: Session, request: ActorRequest, data: JSONBody[Invite]
    ) -> InvitationOut:
        """Invite a user by e-mail, with roles whose permissions you have. An earlier invitation is replaced.

        Example: `{"email": "grace@example.com", "roles": ["member"]}`
        """
        return await InvitationService(session, request.user).invite(database.settings, data)

    @delete("/{invitation_id:uuid}", operation_id="delete_invitation", guards=[requires("invitations.delete")])
    async def delete_invitation(self, session: Session, request: ActorRequest, invitation_id: FromPath[UUID]) -> None:
        """Withdraw an invitation.

        Example: `DELETE /api/auth/invitations/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await InvitationService(session, request.user).withdraw(invitation_id)
