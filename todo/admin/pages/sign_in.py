"""`/admin/login`: sign in by password, code or passkey; and sign out."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter
from litestar.types import Scope

from todo.access import Origin
from todo.admin.pages.kept_forms import decode_kept
from todo.admin.pages.languages import LANGUAGES
from todo.admin.pages.renderer import THEMES, Pages, admin_session_of
from todo.admin.pages.sessions import MfaPending
from todo.admin.pages.urls import HOME, safe
from todo.errors import Problem

PagesDependency = NamedDependency[Pages]
AnyRequest = Request[Any, Any, Any]
Next = Annotated[str, QueryParameter(max_length=8000, description="URL to open afterwards.")]
UserAgent = Annotated[str, HeaderParameter(name="User-Agent")]
YEAR = 365 * 86400
FILTERS = ("shown", "hidden")


class SignInPages(Controller):
    """Sign in to and out of the admin pages."""

    opt = {"needs_no_session": True}

    @get("/login", operation_id="show_admin_login")
    async def show_login(self, pages: PagesDependency, request: AnyRequest, next: Next = HOME) -> Response[Any]:
        """Show the sign-in page.

        Example: `GET /admin/login`
        """
        if admin_session_of(request.scope):
            return pages.go(safe(next))
        return pages.ask(request.scope, "login.html", next=safe(next), email="")

    @post("/login", operation_id="admin_login", status_code=200)
    async def login(
        self, pages: PagesDependency, origin: NamedDependency[Origin], request: AnyRequest, user_agent: UserAgent = ""
    ) -> Response[Any]:
        """Sign in by e-mail and password. Ask for a code if a second factor is enabled.

        Example: `POST /admin/login` with the fields `email`, `password`, `next`
        """
        form = await request.form()
        email, following, kept = str(form.get("email", "")), safe(str(form.get("next", ""))), str(form.get("kept", ""))
        try:
            entered = await pages.accounts.enter(origin, email, str(form.get("password", "")), user_agent)
        except Problem as problem:
            return pages.ask(request.scope, "login.html", problem, next=following, email=email, kept=kept)
        if isinstance(entered, MfaPending):
            return pages.ask(request.scope, "code.html", next=following, token=entered.token, kept=kept)
        return await self._let_in(pages, request.scope, entered, following, kept)

    @post("/login/code", operation_id="admin_login_code", status_code=200)
    async def code(
        self, pages: PagesDependency, origin: NamedDependency[Origin], request: AnyRequest, user_agent: UserAgent = ""
    ) -> Response[Any]:
        """Complete a sign-in by a code of the authenticator app, or a recovery code.

        Example: `POST /admin/login/code` with the fields `token`, `code`, `next`
        """
        form = await request.form()
        token, following, kept = str(form.get("token", "")), safe(str(form.get("next", ""))), str(form.get("kept", ""))
        try:
            cookie = await pages.accounts.second_step(origin, token, str(form.get("code", "")), user_agent)
        except Problem as problem:
            return pages.ask(request.scope, "code.html", problem, next=following, token=token, kept=kept)
        return await self._let_in(pages, request.scope, cookie, following, kept)

    @post("/login/passkey/options", operation_id="begin_admin_passkey_login", status_code=200)
    async def passkey_options(self, pages: PagesDependency, origin: NamedDependency[Origin]) -> dict[str, Any]:
        """Return the WebAuthn options to sign in by passkey.

        Example: `POST /admin/login/passkey/options`
        """
        return dict(await pages.accounts.passkey_options(origin))

    @post("/login/passkey", operation_id="admin_login_passkey", status_code=200)
    async def passkey(
        self, pages: PagesDependency, origin: NamedDependency[Origin], request: AnyRequest, user_agent: UserAgent = ""
    ) -> Response[Any]:
        """Sign in by passkey.

        Example: `POST /admin/login/passkey` with the fields `state`, `credential`, `next`
        """
        form = await request.form()
        state, credential, kept = (str(form.get(name, "")) for name in ("state", "credential", "kept"))
        following = safe(str(form.get("next", "")))
        try:
            cookie = await pages.accounts.enter_by_passkey(origin, state, credential, user_agent)
        except Problem as problem:
            return pages.ask(request.scope, "login.html", problem, next=following, email="", kept=kept)
        return await self._let_in(pages, request.scope, cookie, following, kept)

    @post("/logout", operation_id="admin_logout", status_code=303, opt={"changes_nothing": True})
    async def logout(
        self, pages: PagesDependency, origin: NamedDependency[Origin], request: AnyRequest
    ) -> Response[None]:
        """Sign out this browser.

        Example: `POST /admin/logout`
        """
        admin_session = admin_session_of(request.scope)
        if admin_session:
            await pages.accounts.leave(origin, admin_session)
        answer = pages.go("/admin/login", done="You have signed out.")
        answer.set_cookie(pages.cookies.write(pages.cookies.session, "", 0))
        return answer

    @post("/theme", operation_id="set_admin_theme", status_code=303, opt={"changes_nothing": True})
    async def theme(self, pages: PagesDependency, request: AnyRequest) -> Response[None]:
        """Set the theme (light, dark or system) in this browser.

        Example: `POST /admin/theme` with the fields `theme`, `next`
        """
        return await _choose(pages, request, "theme", pages.cookies.theme, THEMES)

    @post("/language", operation_id="set_admin_language", status_code=303, opt={"changes_nothing": True})
    async def language(self, pages: PagesDependency, request: AnyRequest) -> Response[None]:
        """Set the language of the pages in this browser.

        Example: `POST /admin/language` with the fields `language`, `next`
        """
        return await _choose(pages, request, "language", pages.cookies.language, LANGUAGES)

    @post("/filters", operation_id="set_admin_filters", status_code=303, opt={"changes_nothing": True})
    async def filters(self, pages: PagesDependency, request: AnyRequest) -> Response[None]:
        """Show or hide the filters beside lists in this browser.

        Example: `POST /admin/filters` with the fields `filters` (`shown` or `hidden`), `next`
        """
        return await _choose(pages, request, "filters", pages.cookies.filters, FILTERS)

    async def _let_in(self, pages: Pages, scope: Scope, cookie: str, following: str, kept: str) -> Response[Any]:
        """Set a new session cookie: the one before the sign-in must not stay valid (session fixation).

        A form that was kept through the sign-in is shown, for the user to send it again.
        """
        form = await decode_kept(kept)
        answer: Response[Any] = pages.go(following)
        if form is not None:
            answer = pages.ask_again(scope, form, following, form_token=pages.form_token(cookie))
        answer.set_cookie(pages.cookies.write(pages.cookies.session, cookie))
        return answer


async def _choose(pages: Pages, request: AnyRequest, field: str, cookie: str, allowed: Sequence[str]) -> Response[Any]:
    """Store what a form chooses for this browser: one of `allowed`, otherwise the first of them."""
    form = await request.form()
    chosen = str(form.get(field, ""))
    answer = pages.go(safe(str(form.get("next", ""))))
    answer.set_cookie(pages.cookies.write(cookie, chosen if chosen in allowed else allowed[0], YEAR))
    return answer
