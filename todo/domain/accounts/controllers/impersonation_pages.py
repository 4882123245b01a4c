"""`/admin/impersonation`: use the pages as another user, with a reason and a time limit."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from todo.access import requires
from todo.admin.pages.forms import sent_by
from todo.admin.pages.guards import current_admin_session, may_enter
from todo.admin.pages.reauthentication import require_reauthentication
from todo.admin.pages.renderer import Pages, RowLink
from todo.database import WriteSession
from todo.domain.accounts.services import impersonation
from todo.domain.accounts.services.impersonation import IMPERSONATE
from todo.errors import Invalid

AnyRequest = Request[Any, Any, Any]
PagesDependency = NamedDependency[Pages]
LONGEST_REASON = 500
ROW_LINKS = (RowLink("users", IMPERSONATE, "/admin/impersonation/{row.id}", "Impersonate", "mask"),)


class ImpersonationPages(Controller):
    """Start and stop impersonation."""

    path = "/impersonation"

    @get("/{user_id:uuid}", operation_id="show_admin_impersonation", guards=[may_enter, requires(IMPERSONATE)])
    async def show(
        self, pages: PagesDependency, session: NamedDependency[WriteSession], request: AnyRequest,
        user_id: FromPath[UUID],
    ) -> Response[str]:  # fmt: skip
        """Show the form for the reason and whether changes are allowed.

        Example: `GET /admin/impersonation/0190f5f0-7c1d-7000-8000-000000000000`
        """
        return await _ask(pages, session, request, user_id)

    @post(
        "/{user_id:uuid}", operation_id="admin_impersonate", status_code=303,
        guards=[may_enter, requires(IMPERSONATE)],
    )  # fmt: skip
    async def begin(
        self, pages: PagesDependency, session: NamedDependency[WriteSession], request: AnyRequest,
        user_id: FromPath[UUID],
    ) -> Response[Any]:  # fmt: skip
        """Impersonate the user for an hour. Audit events name both users.

        Example: `POST /admin/impersonation/0190f5f0-7c1d-7000-8000-000000000000` with the fields `reason`, `writes`
        """
        sent, say = await sent_by(request), pages.language(request.scope)
        reason = sent.get("reason", [""])[-1].strip()
        if not 3 <= len(reason) <= LONGEST_REASON:
            message = say.gettext("The reason must have 3 to %(most)s characters.", most=LONGEST_REASON)
            problem = Invalid.field("body.reason", message)
            return await _ask(pages, session, request, user_id, problem, reason)
        await require_reauthentication(pages, request)
        await impersonation.begin(session, request.user, user_id, reason, writes="writes" in sent)
        return pages.go("/admin")

    @post("/stop", operation_id="admin_stop_impersonating", status_code=303, opt={"changes_nothing": True})
    async def stop(
        self, pages: PagesDependency, session: NamedDependency[WriteSession], request: AnyRequest
    ) -> Response[Any]:
        """Stop impersonating.

        Example: `POST /admin/impersonation/stop`
        """
        admin_session = current_admin_session(request)
        if admin_session.acting is None:
            return pages.go("/admin", refused="You act as yourself already.")
        await impersonation.end(session, admin_session.operator)
        name = admin_session.operator.name
        done = pages.language(request.scope).gettext("You are yourself again: %(name)s.", name=name)
        return pages.go(f"/admin/users/{admin_session.actor.id}", done=done)


async def _ask(
    pages: Pages, session: WriteSession, request: AnyRequest, user_id: UUID, problem: Invalid | None = None,
    reason: str = "",
) -> Response[str]:  # fmt: skip
    person = await impersonation.person_to_act_as(session, request.user, user_id)
    values: dict[str, Any] = {"person": person, "problem": problem, "reason": reason, "longest": LONGEST_REASON}
    return pages.render(request.scope, "impersonate.html", int(problem.status) if problem else 200, **values)
