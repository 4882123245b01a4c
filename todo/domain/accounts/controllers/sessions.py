"""`/api/auth/sessions`: your sessions."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from todo.access import Actor, Origin, requires
from todo.domain.accounts.schemas.sessions import SessionOut
from todo.domain.accounts.services.sign_in import SignIn


class SessionController(Controller):
    """Sessions, one for every signed-in device."""

    path = "/api/auth/sessions"
    tags = ["Accounts"]

    @get(operation_id="list_sessions", guards=[requires("accounts.sessions")])
    async def list_sessions(
        self, sign_in: NamedDependency[SignIn], request: Request[Actor, Any, State]
    ) -> list[SessionOut]:
        """List your sessions, newest first; `current` is this one.

        Example: `GET /api/auth/sessions`
        """
        return await sign_in.sessions(request.user)

    @delete("/{session_id:uuid}", operation_id="end_session", guards=[requires("accounts.sessions")])
    async def end_session(
        self, sign_in: NamedDependency[SignIn], origin: NamedDependency[Origin], session_id: FromPath[UUID]
    ) -> None:
        """Sign out one device. Its tokens stop working within seconds.

        Example: `DELETE /api/auth/sessions/0190f5f0-7c1d-7000-8000-000000000000`
        """
        await sign_in.end_session(origin, session_id)
