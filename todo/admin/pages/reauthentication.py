"""Step-up: before dangerous acts people show again that it is them; that holds for ten minutes."""

from typing import Any

from litestar import Request

from todo.admin.declaration import Resource
from todo.admin.pages.guards import current_admin_session
from todo.admin.pages.renderer import Pages, ReauthenticationRequired
from todo.errors import Problem
from todo.http.transactions import origin_of

PASSWORD, CODE = "reauthentication_password", "reauthentication_code"


async def require_reauthentication_for(
    pages: Pages, request: Request[Any, Any, Any], resource: Resource, verb: str
) -> None:
    """The same, where the declaration calls this usual verb dangerous."""
    if verb in resource.dangerous:
        await require_reauthentication(pages, request)


async def require_reauthentication(pages: Pages, request: Request[Any, Any, Any]) -> None:
    """Let through who has proven themselves lately, or does so in this very form; raises ReauthenticationRequired.

    The page that asks holds everything that was sent, so that nothing is lost on the way.
    """
    admin_session = current_admin_session(request)
    if admin_session.is_reauthenticated:
        return
    form = await request.form()
    sent = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    fields = [(name, value) for name, value in sent if name not in {PASSWORD, CODE}]
    given = {name: value for name, value in sent if name in {PASSWORD, CODE} and value}
    if not given:
        raise ReauthenticationRequired(fields)
    try:
        await pages.accounts.verify_identity(
            origin_of(request.scope), admin_session, given.get(PASSWORD, ""), given.get(CODE, "")
        )
    except Problem as problem:
        raise ReauthenticationRequired(fields, problem) from problem
