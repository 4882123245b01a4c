"""Reauthentication before dangerous actions, valid for ten minutes."""

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
    """Require reauthentication if this built-in verb is declared dangerous."""
    if verb in resource.dangerous:
        await require_reauthentication(pages, request)


async def require_reauthentication(pages: Pages, request: Request[Any, Any, Any]) -> None:
    """Require a recent authentication, or credentials in this form. Raise ReauthenticationRequired.

    The page that asks for credentials keeps all fields, so that no input is lost.
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
