"""Guards of pages, and CSRF checks of forms."""

from collections.abc import Mapping
from typing import Any

from litestar import Controller, Request, Response, Router
from litestar.handlers.base import BaseRouteHandler

from todo.access import Connection, PermissionGuard
from todo.admin.declaration import ENTER
from todo.admin.pages.cookies import SAFE, is_form_token, is_same_origin
from todo.admin.pages.kept_forms import FormOutdated, SessionEnded, encode_kept, kept_form, page_of
from todo.admin.pages.renderer import Pages, Redirect, admin_session_of, is_of_script
from todo.admin.pages.sessions import AdminSession
from todo.errors import Forbidden, Invalid, Unauthorized
from todo.http.requests import begin

STRANGE = "The form is from another site or was loaded before you signed in. Go back, reload the page, and try again."


class PageGuard(PermissionGuard):
    """The permission, for a browser with no required step left; raises Unauthorized, Redirect, Forbidden."""

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        admin_session = admin_session_of(connection.scope)
        if admin_session is None:
            raise Unauthorized("Sign in first.")
        if admin_session.required_step:
            raise Redirect(admin_session.required_step)
        await super().__call__(connection, handler)


may_enter = PageGuard(ENTER)


async def keep_form(connection: Connection, handler: BaseRouteHandler) -> None:
    """Guard of all pages, before their own: a form sent without a session is kept. Raise SessionEnded."""
    if not isinstance(connection, Request) or connection.method in SAFE or handler.opt.get("needs_no_session"):
        return
    if admin_session_of(connection.scope) is None:
        if is_of_script(connection.scope):
            raise Unauthorized("Sign in first.")
        kept = await kept_form(connection)
        if kept:
            remember_signature(connection, await connection.form())
        raise SessionEnded(await encode_kept(kept), page_of(connection))


async def only_ours(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Check before every handler that a change comes from a form of this site and browser.

    Raise Forbidden, also when a read-only impersonation would change something, unless the handler's `opt` has
    `changes_nothing`; and Invalid for text that cannot be stored. Handlers with `opt={"any_query": True}` parse their
    query themselves.
    """
    if request.method in SAFE:
        return None if request.route_handler.opt.get("any_query") else await begin(request)
    pages: Pages = request.app.state.pages
    cookie = pages.cookies.read(request.scope, pages.cookies.session)
    if not cookie or not is_same_origin(request.scope):  # before the form is read, which costs more
        raise Forbidden(STRANGE)
    form = await request.form()
    remember_signature(request, form)
    if not is_form_token(cookie, request.headers.get("x-form-token") or str(form.get("form_token", ""))):
        kept = await kept_form(request) if admin_session_of(request.scope) else None
        raise FormOutdated(kept) if kept else Forbidden(STRANGE)
    admin_session = admin_session_of(request.scope)
    if admin_session and admin_session.read_only and not request.route_handler.opt.get("changes_nothing"):
        raise Forbidden(
            f"You are impersonating {admin_session.actor.name} in read-only mode. Stop impersonating to make changes."
        )
    if any("\x00" in value for value in form.values() if isinstance(value, str)):
        raise Invalid("Text with a NUL character cannot be stored.")
    return None


def remember_signature(request: Request[Any, Any, Any], form: Mapping[str, Any]) -> None:
    """Let the page to sign in on, which carries a form, be sent with the same size as the form."""
    pages: Pages = request.app.state.pages
    request.scope["state"]["signature"] = pages.large_forms.signature_of(str(form.get("form_token", "")))


def current_admin_session(request: Request[Any, Any, Any]) -> AdminSession:
    """Return the admin session of a guarded page."""
    admin_session = admin_session_of(request.scope)
    if admin_session is None:
        raise Unauthorized("Sign in first.")
    return admin_session


def pages_router(*pages: type[Controller]) -> Router:
    """Return the router of pages below `/admin`, excluded from the API documentation and with CSRF checks."""
    return Router("/admin", route_handlers=pages, guards=[keep_form], before_request=only_ours, include_in_schema=False)
